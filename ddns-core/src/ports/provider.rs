use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{AddressList, Cause, Finding, Verdict};
use crate::record::RecordKey;

/// Carries out DNS changes at one service. Single-shot: it never retries, never schedules and holds no state; what it
/// learned of a record goes out in a [`RecordHandle`] and comes back with the next request.
#[async_trait]
pub trait DnsProvider: Send + Sync {
    /// The name under which it is registered.
    fn name(&self) -> &'static str;

    /// Whether it can hold this record at all; the engine leaves out those it can't, with a warning.
    fn supports(&self, key: &RecordKey) -> bool;

    /// What the service itself holds, not what DNS answers.
    async fn read(&self, key: &RecordKey) -> Result<Observed, ProviderError>;

    /// Makes the record hold `request.address`, leaving all else of it as it is. Idempotent.
    async fn update(&self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError>;

    /// Looks, without a write, whether these records can be kept here, for a person who has just configured it. A
    /// provider that knows more than whether each can be read says so in its own.
    async fn check(&self, keys: &[RecordKey]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for key in keys {
            findings.push(match self.read(key).await {
                Ok(observed) => observed.finding(key),
                Err(error) => Finding::failed(key.to_string(), &error),
            });
        }
        findings
    }

    /// The list that follows the records kept here, if one is configured.
    fn address_list(&self) -> Option<&dyn AddressList> {
        None
    }
}

/// A provider's own word for where a record is kept, so that a change needs one request. The core stores it and never
/// looks inside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordHandle(pub String);

/// What a service holds under a name and type.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Observed {
    /// The set of addresses; empty if there is no record.
    pub addresses: BTreeSet<IpAddr>,
    /// DNS answers with the service's own addresses instead (Cloudflare's orange cloud).
    pub proxied: bool,
    /// Where it is kept, if the one record to change is known beyond doubt.
    pub handle: Option<RecordHandle>,
}

impl Observed {
    /// What it says to a person who has asked whether the record can be kept there.
    pub fn finding(&self, key: &RecordKey) -> Finding {
        let held: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        let what = match held.len() {
            0 => "there is no such record yet; it will be created".to_owned(),
            1 => format!("the service holds {}", held[0]),
            _ => {
                let what = format!("the service holds {}; delete all but the one that is yours", held.join(", "));
                return Finding::new(key.to_string(), Verdict::Unproven, what);
            }
        };
        Finding::new(key.to_string(), Verdict::Good, what)
    }
}

/// A change to carry out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateRequest {
    /// The record.
    pub key: RecordKey,
    /// The address that it shall hold.
    pub address: IpAddr,
    /// The address that we put there last, which tells our record among several of one name and type.
    pub previous: Option<IpAddr>,
    /// Where it is kept, from an earlier answer.
    pub handle: Option<RecordHandle>,
    /// The time to live to write, in seconds; `None` leaves that of a record as it is, and gives a new one the
    /// service's default.
    pub ttl: Option<u32>,
}

/// What a change did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateKind {
    /// There was no record.
    Created,
    /// The record was written.
    Changed,
    /// The service held the address already; nothing was written.
    Unchanged,
}

/// A change that the service acknowledged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdateResult {
    /// What it did.
    pub kind: UpdateKind,
    /// See [`Observed::proxied`].
    pub proxied: bool,
    /// Where the record is kept.
    pub handle: Option<RecordHandle>,
}

/// Why a provider did not do what it was asked, by what the engine does about it.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Nothing was sent: no route, no connection, no TLS. Tried again within milliseconds at first.
    #[error("{what}")]
    Unreachable {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        cause: Option<Cause>,
    },
    /// The service answered that it can't now (429, 5xx) or answered nonsense to a request that changes nothing.
    /// Tried again after a back-off.
    #[error("{what}")]
    Unavailable {
        /// What it answered.
        what: String,
        /// The time it asked for.
        retry_after: Option<Duration>,
        /// Details beneath.
        #[source]
        cause: Option<Cause>,
    },
    /// The credentials don't do (401, 403). Held, tried again slowly.
    #[error("{what}")]
    Unauthorized {
        /// What it answered, and the remedy.
        what: String,
    },
    /// The request itself is not accepted. Held until it changes, tried again slowly.
    #[error("{what}")]
    Refused {
        /// What it answered, and the remedy.
        what: String,
    },
    /// The request went out and no whole answer came: it may have taken effect. Read before writing again.
    #[error("{what}")]
    Unknown {
        /// What was lost.
        what: String,
        /// How.
        #[source]
        cause: Option<Cause>,
    },
    /// The answer of [`DnsProvider::read`] where the service can't be asked what it holds (dyndns2). Nothing was sent,
    /// and nothing has failed: what it acknowledged last and what DNS says has to do.
    #[error("the service can't be asked what it holds")]
    Unreadable,
    /// The handle leads nowhere any more. Forgotten; the record is looked up anew.
    #[error("the record is not where it was: {what}")]
    Stale {
        /// What the service answered.
        what: String,
    },
}
