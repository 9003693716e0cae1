//! StateStore in two alternating checksummed slots.

mod factory;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ddns_core::ports::{LoadError, SaveError, StateStore};
use ddns_core::state::SavedState;
use ddns_slots::Slots;

pub use factory::FileStoreFactory;

/// The store.
pub struct FileStore {
    slots: Arc<Mutex<Slots>>,
}

impl FileStore {
    /// A store in this directory, which is made at need.
    pub fn new(directory: PathBuf) -> Self {
        Self { slots: Arc::new(Mutex::new(Slots::new(directory))) }
    }
}

#[async_trait]
impl StateStore for FileStore {
    async fn load(&self) -> Result<Option<SavedState>, LoadError> {
        let slots = Arc::clone(&self.slots);
        let loaded = tokio::task::spawn_blocking(move || slots.lock().unwrap_or_else(PoisonError::into_inner).load());
        loaded.await.unwrap_or_else(|cause| {
            Err(LoadError::Inaccessible { what: "reading the state broke off".to_owned(), cause: cause.into() })
        })
    }

    async fn save(&self, state: &SavedState) -> Result<(), SaveError> {
        let slots = Arc::clone(&self.slots);
        let content = state.encode();
        let saved = tokio::task::spawn_blocking(move || {
            let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.save(&content).map(|_| ())
        });
        saved.await.unwrap_or_else(|cause| {
            Err(SaveError { what: "writing the state broke off".to_owned(), cause: cause.into() })
        })
    }
}
