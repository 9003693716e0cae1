use async_trait::async_trait;

use super::Cause;
use crate::state::SavedState;

/// Keeps the engine's state over restarts.
#[async_trait]
pub trait StateStore: Send + Sync {
    /// The newest whole state, `None` if nothing was ever saved.
    async fn load(&self) -> Result<Option<SavedState>, LoadError>;

    /// Durable once this returns `Ok`; on an error the state saved before is still there.
    async fn save(&self, state: &SavedState) -> Result<(), SaveError>;
}

/// Why no state came back. The daemon then goes on without saving over what is there.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The place can't be read or written; the message names it, the user and the remedy.
    #[error("{what}")]
    Inaccessible {
        /// Path, user and remedy.
        what: String,
        /// What the system said.
        #[source]
        cause: Cause,
    },
    /// All copies are damaged; they stay as evidence.
    #[error("{what}")]
    Corrupt {
        /// Which copies, and where the evidence is.
        what: String,
    },
    /// Written by a newer version of ddns; it stays untouched.
    #[error(
        "{what}: the state has format {found}, this version knows up to {known}; run the newer version or move the state away"
    )]
    Newer {
        /// Where it is kept.
        what: String,
        /// The format found.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
}

/// Why a state was not saved.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct SaveError {
    /// Path, user and remedy.
    pub what: String,
    /// What the system said.
    #[source]
    pub cause: Cause,
}
