use std::net::IpAddr;

use crate::publish::State;
use crate::readiness::Readiness;
use crate::record::RecordKey;

/// The state of everything at one moment, for views.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The way to the Internet.
    pub readiness: Readiness,
    /// Every enabled record is proven.
    pub converged: bool,
    /// Record by record, in the order of the configuration.
    pub records: Vec<RecordStatus>,
    /// How address changes are heard of.
    pub rung: Option<&'static str>,
    /// Why the source fails.
    pub source_error: Option<String>,
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
    /// Where it stands.
    pub state: State,
    /// What went wrong last.
    pub error: Option<String>,
}
