use async_trait::async_trait;
use futures_util::stream::BoxStream;

use super::Cause;
use crate::address::{IpChangeEvent, Snapshot};

/// Where the host's addresses come from.
#[async_trait]
pub trait IpSource: Send + Sync {
    /// The addresses now.
    async fn current(&self) -> Result<Snapshot, SourceError>;

    /// Whole snapshots: one at once, then one after each change, however many changes it answers.
    ///
    /// Cancel-safe: dropped between two items, nothing is lost, since a later `watch` starts with the truth. The stream
    /// may end or yield an error; the caller then watches again.
    fn watch(&self) -> BoxStream<'static, Result<IpChangeEvent, SourceError>>;

    /// The way to the Internet is open again, or the host has slept: a source that asks others asks them anew. Sources
    /// that see for themselves need no telling.
    fn look_again(&self) {}
}

/// Why a source gave no address.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot work on this host as configured; the message says what is missing and the remedy.
    #[error("{what}")]
    Unavailable {
        /// What is missing, and what to do.
        what: String,
        /// What the system said.
        #[source]
        cause: Option<Cause>,
    },
    /// It worked and broke. Watching again may heal it.
    #[error("{what}")]
    Interrupted {
        /// What broke.
        what: &'static str,
        /// What the system said.
        #[source]
        cause: Cause,
    },
}
