use std::net::IpAddr;

use crate::discovery::{Election, Nat};
use crate::publish::State;
use crate::readiness::Readiness;
use crate::record::RecordKey;
use crate::recovery::RecoveryStatus;

/// The state of everything at one moment, for views.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The way to the Internet.
    pub readiness: Readiness,
    /// Every enabled record is proven.
    pub converged: bool,
    /// Record by record, in the order of the configuration.
    pub records: Vec<RecordStatus>,
    /// Source by source.
    pub sources: Vec<SourceStatus>,
    /// Recovery.
    pub recovery: RecoveryStatus,
    /// Why state can't be saved.
    pub store_error: Option<String>,
    /// Announcements that had no look of their own.
    pub folded: u64,
}

impl Status {
    /// What `/readyz` tells.
    pub fn ready(&self) -> bool {
        self.readiness == Readiness::Ready && self.converged
    }

    /// Why a source fails, if one does.
    pub fn source_error(&self) -> Option<&str> {
        self.sources.iter().find_map(|source| source.error.as_deref())
    }
}

/// The state of one source.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceStatus {
    /// Its kind.
    pub name: String,
    /// How address changes are heard of.
    pub rung: Option<&'static str>,
    /// Why it fails.
    pub error: Option<String>,
    /// The last round of questions about each family, of a source that asks.
    pub elections: Vec<Election>,
    /// What stands between the host and the Internet, of a source that knows.
    pub nat: Option<Nat>,
}

/// The state of one record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordStatus {
    /// The record.
    pub key: RecordKey,
    /// What it shall hold.
    pub desired: Option<IpAddr>,
    /// What the provider acknowledged last.
    pub confirmed: Option<IpAddr>,
    /// What is proven.
    pub verified: Option<IpAddr>,
    /// All three agree.
    pub converged: bool,
    /// DNS answers with the provider's own addresses.
    pub proxied: bool,
    /// Where it stands.
    pub state: State,
    /// What went wrong last.
    pub error: Option<String>,
}
