use std::sync::Arc;

use ddns_core::config::{Settings, Variable};
use ddns_core::ports::StateStore;
use ddns_core::registry::{Factory, Parts};
use ddns_slots::STATE_STORE_PATH;

use crate::FileStore;

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
        Some(Arc::new(FileStore::new(ddns_slots::directory(settings)?)))
    }
}
