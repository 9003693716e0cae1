use std::net::IpAddr;

use super::effects::Stage;
use crate::discovery::{Election, Nat};
use crate::publish::{State, Step, Why};
use crate::readiness::Readiness;
use crate::record::RecordKey;
use crate::recovery::{Line, RecoveryStatus};
use crate::time::{Instant, Wall};
use crate::verify::Whom;

/// The state of everything at one moment, for views.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The way to the Internet.
    pub readiness: Readiness,
    /// Since when it is that; from an earlier run nothing is known.
    pub since: Wall,
    /// When this run began.
    pub started: Wall,
    /// What the last round of probes says of the line; `None` before the first.
    pub line: Option<Line>,
    /// Every enabled record is proven.
    pub converged: bool,
    /// Record by record, in the order of the configuration.
    pub records: Vec<RecordStatus>,
    /// Source by source.
    pub sources: Vec<SourceStatus>,
    /// Recovery.
    pub recovery: RecoveryStatus,
    /// The state is saved: the store works, and this is no dry run.
    pub durable: bool,
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
    /// When anything was proven last in this run, again or for the first time.
    pub verified_at: Option<Wall>,
    /// By whom it was.
    pub verified_by: Option<Stage>,
    /// All three agree.
    pub converged: bool,
    /// DNS answers with the provider's own addresses.
    pub proxied: bool,
    /// Where it stands.
    pub state: State,
    /// What went wrong last.
    pub error: Option<String>,
    /// How often in a row something went wrong at the provider.
    pub failures: u32,
    /// What is done next; `None` while that is for others to say: an answer that is under way, or an address.
    pub next: Option<Next>,
}

/// What is done next to a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Next {
    /// What.
    pub what: NextStep,
    /// Not before. What is past waits for its turn at the provider.
    pub at: Instant,
    /// Why not at once. [`Why::Now`] where nothing is in the way: what still has time then is a proof that waits for
    /// caches, or an audit.
    pub why: Why,
}

/// One thing that is done to a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NextStep {
    /// DNS is asked whether a write is needed.
    Check,
    /// The provider is asked what it holds.
    Read,
    /// The provider is told.
    Write,
    /// The zone's own name servers are asked for a proof.
    VerifyByNameServers,
    /// Recursive resolvers are asked for a proof.
    VerifyByResolvers,
    /// What is proven is looked at again, without a reason but time.
    Audit,
}

impl NextStep {
    /// As shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Read => "read",
            Self::Write => "write",
            Self::VerifyByNameServers => "verify-by-name-servers",
            Self::VerifyByResolvers => "verify-by-resolvers",
            Self::Audit => "audit",
        }
    }
}

impl From<Step> for NextStep {
    fn from(step: Step) -> Self {
        match step {
            Step::Check => Self::Check,
            Step::Read => Self::Read,
            Step::Write => Self::Write,
        }
    }
}

impl From<Whom> for NextStep {
    fn from(whom: Whom) -> Self {
        match whom {
            Whom::Authorities => Self::VerifyByNameServers,
            Whom::Resolvers => Self::VerifyByResolvers,
        }
    }
}
