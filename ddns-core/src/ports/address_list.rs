use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use super::Cause;
use crate::record::RecordKey;

/// A list of addresses at a service, such as the rules of a firewall use, that follows what records hold. Single-shot like a
/// [`super::DnsProvider`]: it never retries and holds no state.
#[async_trait]
pub trait AddressList: Send + Sync {
    /// Makes the list hold the addresses of these records, and after that no former address of theirs. Items of anybody
    /// else stay, and so do those of records that are not among these. Idempotent: what is right is not written.
    async fn keep(&self, held: &BTreeMap<RecordKey, IpAddr>) -> Result<ListChange, ListError>;
}

/// What was done to a list, item by item as they stand in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListChange {
    /// What was added.
    pub added: Vec<String>,
    /// What was removed.
    pub removed: Vec<String>,
}

/// Why a list is not as it should be, by who can do something about it. Both are tried again.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// It may work later: no answer, a limit, a failed operation.
    #[error("{what}")]
    Unavailable {
        /// What happened.
        what: String,
        /// The time that the service asked for.
        retry_after: Option<Duration>,
        /// Details beneath.
        #[source]
        cause: Option<Cause>,
    },
    /// The service does not allow it: someone has to act.
    #[error("{what}")]
    Refused {
        /// What it answered, and the remedy.
        what: String,
    },
}
