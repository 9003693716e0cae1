use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::address::{Distress, Family, Hint, IpChangeEvent};
use crate::config::{DriftPolicy, ProviderId, SourceId};
use crate::discovery::{Election, Nat};
use crate::ports::{
    Observed, PathReport, PlugAddress, PlugOrder, ProviderError, SaveError, UpdateKind, UpdateRequest, UpdateResult,
    Vote,
};
use crate::publish::Failure;
use crate::readiness::Readiness;
use crate::record::RecordKey;
use crate::recovery::{PlugResult, RecoveryNews};
use crate::selection::Rejection;
use crate::state::SavedState;
use crate::time::Instant;
use crate::verify::{Verdict, Whom};

/// A record by its place in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RecordId(pub usize);

/// The outcome of [`Action::Read`].
pub type ReadResult = Result<Observed, ProviderError>;
/// The outcome of [`Action::Update`].
pub type UpdatedResult = Result<UpdateResult, ProviderError>;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The driver runs.
    Started,
    /// A source's news.
    Addresses {
        /// The source.
        source: SourceId,
        /// The news.
        event: IpChangeEvent,
    },
    /// A source failed or its stream ended.
    SourceFailed {
        /// The source.
        source: SourceId,
        /// Why.
        what: String,
    },
    /// The outcome of [`Action::Resolve`].
    Resolved {
        /// The record.
        record: RecordId,
        /// The number of the question.
        ask: u64,
        /// What those said who were asked.
        votes: Vec<Vote>,
    },
    /// The outcome of [`Action::Read`].
    Read {
        /// The record.
        record: RecordId,
        /// What the provider said.
        result: ReadResult,
    },
    /// The outcome of [`Action::Update`].
    Updated {
        /// The record.
        record: RecordId,
        /// What the provider said.
        result: UpdatedResult,
    },
    /// The outcome of [`Action::Probe`].
    Probed(PathReport),
    /// The outcome of [`Action::Plug`].
    Plug(PlugResult),
    /// The outcome of [`Effects::persist`].
    Saved(Result<(), SaveError>),
    /// [`super::Engine::deadline`] has come.
    Tick,
    /// Begin nothing new.
    Shutdown,
}

/// Something to do. All but one are best effort: repeated after a crash without harm. To switch a plug off is
/// *durable*: it comes only after the intent is on disk, so that every later start switches it on again.
#[derive(Debug)]
pub enum Action {
    /// Watch a source (again).
    Watch {
        /// The source.
        source: SourceId,
    },
    /// Tell a source that the way to the Internet is open again.
    LookAgain {
        /// The source.
        source: SourceId,
    },
    /// Ask DNS.
    Resolve {
        /// Whom.
        whom: Whom,
        /// The record.
        record: RecordId,
        /// Its key.
        key: RecordKey,
        /// The number of the question, returned with the answer.
        ask: u64,
        /// Equal votes of resolvers that suffice.
        quorum: usize,
    },
    /// Ask a provider.
    Read {
        /// The provider.
        provider: ProviderId,
        /// The record.
        record: RecordId,
        /// Its key.
        key: RecordKey,
    },
    /// Let a provider write.
    Update {
        /// The provider.
        provider: ProviderId,
        /// The record.
        record: RecordId,
        /// What.
        request: UpdateRequest,
    },
    /// Look at the way to the Internet.
    Probe,
    /// Tell the plug that feeds the router.
    Plug {
        /// Which one.
        plug: PlugAddress,
        /// What.
        order: PlugOrder,
    },
    /// Addresses have gone: connections from any but these are dead (traps 31 and 32).
    AddressesHeld(Vec<IpAddr>),
    /// A run is over: close what is kept open.
    CloseIdle,
}

/// What follows from a step.
#[derive(Debug, Default)]
pub struct Effects {
    /// The state to save. Actions don't wait for it.
    pub persist: Option<SavedState>,
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// What has changed, for the views.
    pub transitions: Vec<Transition>,
}

/// Who proved a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// A quorum of recursive resolvers, whose caches may lag behind, after all of the zone's own name servers that could
    /// be asked.
    Resolvers,
    /// The provider's API, where DNS can't show the address (proxied records).
    Provider,
}

impl Stage {
    /// As logged.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolvers => "resolvers",
            Self::Provider => "provider",
        }
    }
}

/// What has changed. Log, metrics, history and readiness are views of these.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Transition {
    /// Another address is to be published.
    AddressChanged {
        /// Its family.
        family: Family,
        /// The kind of source that told of it.
        source: String,
        /// The one before.
        from: Option<IpAddr>,
        /// The address.
        to: IpAddr,
        /// The interface that holds it.
        interface: String,
        /// How the source learned of it.
        hint: Option<Hint>,
    },
    /// No address of a family is publishable. What is published stays.
    AddressUnavailable {
        /// The family.
        family: Family,
        /// The address published last.
        held: Option<IpAddr>,
        /// The addresses that are there, and why they don't do.
        rejected: Vec<(IpAddr, Rejection)>,
    },
    /// A source fails.
    SourceFailed {
        /// Its kind.
        source: String,
        /// Why.
        what: String,
    },
    /// A source works again.
    SourceRestored {
        /// Its kind.
        source: String,
    },
    /// Nobody came when something was due: the host slept. All is looked at again.
    Woke {
        /// By how much it is late.
        late: Duration,
    },
    /// Connections make no progress; the way to the Internet is looked at now.
    Distress(Distress),
    /// Those outside were asked for the host's address.
    Elected(Election),
    /// What stands between the host and the Internet is known, or is another thing than before.
    Nat(Nat),
    /// Many announcements were answered by few looks.
    Folded {
        /// How many since the last time this was said.
        announcements: u64,
    },
    /// The provider can't hold a record; it is left out.
    Unsupported {
        /// The record.
        key: RecordKey,
    },
    /// DNS was asked whether a write is needed.
    Checked {
        /// The record.
        key: RecordKey,
        /// The address wanted.
        address: IpAddr,
        /// What DNS said.
        verdict: Verdict,
    },
    /// A write waits for the end of the minimum interval.
    Deferred {
        /// The record.
        key: RecordKey,
        /// When it is due.
        until: Instant,
    },
    /// A write begins.
    UpdateStarted {
        /// The record.
        key: RecordKey,
        /// The address acknowledged last.
        from: Option<IpAddr>,
        /// The new one.
        to: IpAddr,
    },
    /// In a dry run: what would be written.
    WouldUpdate {
        /// The record.
        key: RecordKey,
        /// The address acknowledged last.
        from: Option<IpAddr>,
        /// The new one.
        to: IpAddr,
    },
    /// The provider acknowledged a write.
    Updated {
        /// The record.
        key: RecordKey,
        /// The address.
        address: IpAddr,
        /// What the write did.
        kind: UpdateKind,
    },
    /// The provider holds further addresses under this name and type, which are not ours.
    Foreign {
        /// The record.
        key: RecordKey,
        /// All that it holds.
        addresses: BTreeSet<IpAddr>,
    },
    /// A read or a write failed.
    UpdateFailed {
        /// The record.
        key: RecordKey,
        /// What the provider said.
        what: String,
        /// The class and what follows.
        failure: Failure,
        /// It has failed more often than is called passing.
        failing: bool,
    },
    /// All of the zone's own name servers that answer serve the address.
    Served {
        /// The record.
        key: RecordKey,
        /// The address.
        address: IpAddr,
        /// How many they are.
        servers: usize,
        /// Those that did not answer, and why.
        silent: Vec<String>,
    },
    /// None of the zone's own name servers could be asked; the resolvers' word has to do.
    Unserved {
        /// The record.
        key: RecordKey,
        /// Why, one by one.
        why: Vec<String>,
    },
    /// The provider holds something else than what was proven: somebody else has changed the record.
    Drift {
        /// The record.
        key: RecordKey,
        /// What was proven.
        expected: IpAddr,
        /// What is there.
        found: BTreeSet<IpAddr>,
        /// What follows.
        policy: DriftPolicy,
    },
    /// The address is not seen in DNS yet.
    VerifyPending {
        /// By whom.
        whom: Whom,
        /// The record.
        key: RecordKey,
        /// The address.
        address: IpAddr,
        /// What is seen.
        verdict: Verdict,
        /// How often it was not seen.
        attempts: u32,
    },
    /// The address is proven.
    Verified {
        /// The record.
        key: RecordKey,
        /// The address.
        address: IpAddr,
        /// By whom.
        stage: Stage,
    },
    /// Readiness changed.
    Readiness {
        /// From.
        from: Readiness,
        /// To.
        to: Readiness,
    },
    /// All records are proven, or no longer all.
    Converged(bool),
    /// Something happened to recovery.
    Recovery(RecoveryNews),
    /// State can't be saved.
    StoreFailed {
        /// Why.
        what: String,
    },
    /// State is saved again.
    StoreRestored,
}
