//! A store for those who want none: state lives as long as the process.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::config::{STATE_STORE_TYPE, Settings, Variable};
use crate::ports::{LoadError, SaveError, StateStore};
use crate::registry::{Factory, Parts};
use crate::state::SavedState;

/// State in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Option<SavedState>>);

#[async_trait]
impl StateStore for MemoryStore {
    async fn load(&self) -> Result<Option<SavedState>, LoadError> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    async fn save(&self, state: &SavedState) -> Result<(), SaveError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(state.clone());
        Ok(())
    }
}

/// Makes [`MemoryStore`].
pub struct MemoryStoreFactory;

impl Factory<dyn StateStore> for MemoryStoreFactory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn variables(&self) -> &'static [Variable] {
        &[]
    }

    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn StateStore>> {
        if parts.config.recovery.allowed {
            settings.problem(
                &STATE_STORE_TYPE,
                "a crash while the router is off would be forgotten",
                "choose another store, or unset DDNS_ALLOW_PHYSICAL_RECOVERY",
            );
        }
        Some(Arc::new(MemoryStore::default()))
    }
}
