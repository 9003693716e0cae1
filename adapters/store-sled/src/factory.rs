use std::sync::Arc;

use ddns_core::config::{Settings, Variable};
use ddns_core::ports::StateStore;
use ddns_core::registry::{Factory, Parts};
use ddns_slots::STATE_STORE_PATH;

use crate::{Program, SledStore};

/// Makes [`SledStore`].
pub struct SledStoreFactory {
    program: Program,
}

impl SledStoreFactory {
    /// A factory of stores whose workers are this program.
    pub const fn new(program: Program) -> Self {
        Self { program }
    }
}

impl Factory<dyn StateStore> for SledStoreFactory {
    fn name(&self) -> &'static str {
        "sled"
    }

    fn variables(&self) -> &'static [Variable] {
        &[STATE_STORE_PATH]
    }

    fn build(&self, settings: &mut Settings<'_>, _parts: &Parts<'_>) -> Option<Arc<dyn StateStore>> {
        Some(Arc::new(SledStore::new(ddns_slots::directory(settings)?, Arc::clone(&self.program))))
    }
}
