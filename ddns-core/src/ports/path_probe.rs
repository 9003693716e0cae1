use async_trait::async_trait;

use crate::address::Family;

/// Looks whether the Internet can be reached.
#[async_trait]
pub trait PathProbe: Send + Sync {
    /// One round over all targets, bounded in time.
    async fn probe(&self) -> PathReport;
}

/// What a round of probes found, target by target.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PathReport {
    /// Target, its family if it is an address, and the error if it could not be reached.
    pub targets: Vec<(String, Option<Family>, Option<String>)>,
}
