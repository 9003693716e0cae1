use std::path::PathBuf;
use std::sync::Arc;

use ddns_core::config::{Kind, Settings, Variable};
use ddns_core::ports::StateStore;
use ddns_core::registry::{Factory, Parts};

use crate::FileStore;

/// The directory.
pub const STATE_STORE_PATH: Variable = Variable {
    name: "DDNS_STATE_STORE_PATH",
    kind: Kind::Text { format: "path of a directory", default: "/var/lib/ddnsd" },
    help: "Where the `file` store keeps its two slots. The directory is made at need.",
};

/// Makes [`FileStore`].
pub struct FileStoreFactory;

impl Factory<dyn StateStore> for FileStoreFactory {
    fn name(&self) -> &'static str {
        "file"
    }

    fn variables(&self) -> &'static [Variable] {
        &[STATE_STORE_PATH]
    }

    fn build(&self, settings: &mut Settings<'_>, _parts: &Parts<'_>) -> Option<Arc<dyn StateStore>> {
        let directory = settings.parsed(&STATE_STORE_PATH, |text| {
            let path = PathBuf::from(text);
            if path.is_absolute() { Ok(path) } else { Err("not an absolute path".to_owned()) }
        })?;
        Some(Arc::new(FileStore::new(directory)))
    }
}
