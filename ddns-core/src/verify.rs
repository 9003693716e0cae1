//! Proving one record: what the resolvers say, and when they are asked again.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use crate::backoff::{Backoff, Jitter};
use crate::ports::Vote;
use crate::time::Instant;

/// The waits between two questions while caches may still hold the old answer.
const ASK_AGAIN: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(60));
/// After this many answers that differ, the provider is asked what it holds.
const READ_BACK_AFTER: u32 = 9;

/// What the resolvers say together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A quorum answers with exactly the desired address.
    Agrees {
        /// The longest time for which this may be a cached answer.
        ttl: Duration,
    },
    /// A quorum answers with something else.
    Differs(BTreeSet<IpAddr>),
    /// There is no quorum; why each resolver has no say or dissents.
    Undecided(Vec<String>),
}

/// More than half of the resolvers.
pub const fn quorum(resolvers: usize) -> usize {
    resolvers / 2 + 1
}

/// Counts votes: RRsets are compared as sets, so a further address in the answer is a difference.
pub fn judge(votes: &[Vote], resolvers: usize, desired: IpAddr) -> Verdict {
    let quorum = quorum(resolvers);
    let answers = || votes.iter().filter_map(|vote| vote.answer.as_ref().ok());
    let count = |set: &BTreeSet<IpAddr>| answers().filter(|answer| answer.addresses == *set).count();
    let wanted = BTreeSet::from([desired]);
    if count(&wanted) >= quorum {
        let ttl = answers().filter(|answer| answer.addresses == wanted).map(|answer| answer.ttl).max();
        return Verdict::Agrees { ttl: ttl.unwrap_or_default() };
    }
    if let Some(answer) = answers().find(|answer| count(&answer.addresses) >= quorum) {
        return Verdict::Differs(answer.addresses.clone());
    }
    let reason = |vote: &Vote| match &vote.answer {
        Ok(answer) => format!("{}: {:?}", vote.resolver, answer.addresses),
        Err(error) => format!("{}: {}", vote.resolver, crate::error_chain(error)),
    };
    Verdict::Undecided(votes.iter().map(reason).collect())
}

/// What the zone's own name servers say together. Every one that answers has to answer with exactly the desired address:
/// one that lags behind fills caches with what it has. Those that don't answer have no say.
pub fn judge_authorities(votes: &[Vote], desired: IpAddr) -> Verdict {
    let wanted = BTreeSet::from([desired]);
    let answers = || votes.iter().filter_map(|vote| vote.answer.as_ref().ok());
    if let Some(differs) = answers().find(|answer| answer.addresses != wanted) {
        return Verdict::Differs(differs.addresses.clone());
    }
    match answers().map(|answer| answer.ttl).max() {
        Some(ttl) => Verdict::Agrees { ttl },
        None => judge(votes, votes.len(), desired),
    }
}

/// The longest time for which a cache may go on with an answer that differs.
pub fn cached_for(votes: &[Vote], desired: IpAddr) -> Option<Duration> {
    let wanted = BTreeSet::from([desired]);
    let answers = votes.iter().filter_map(|vote| vote.answer.as_ref().ok());
    answers.filter(|answer| answer.addresses != wanted).map(|answer| answer.ttl).max()
}

/// Who is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Whom {
    /// The zone's own name servers, all of them.
    Authorities,
    /// Recursive resolvers, of which a quorum decides.
    Resolvers,
}

/// Where the proof stands.
///
/// ```text
///   begin ──▶ Due(authorities) ──▶ Asking ──all agree──▶ Due(resolvers) ──▶ Asking ──a quorum agrees──▶ Rest (verified)
///              ▲                     │  └─ not to be asked ──▲    ▲            │
///              └─────────────────────┘ differs: later             └────────────┘ differs, undecided: later
/// ```
///
/// What was verified before needs the authorities alone, where they can be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Rest,
    Due(Instant),
    Asking,
}

/// The machine of one record.
#[derive(Debug)]
pub struct Verify {
    state: State,
    whom: Whom,
    attempts: u32,
    verified: Option<IpAddr>,
}

/// What an answer led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// The address is proven, for the first time since [`Verify::begin`].
    Verified,
    /// It was proven before and still is.
    Still,
    /// The zone's own name servers serve it; the resolvers are asked next.
    Served,
    /// The zone's own name servers can't be asked; the resolvers are asked next.
    Unserved,
    /// Not yet; asked again later.
    Pending {
        /// Answers that were not it.
        attempts: u32,
        /// The caches have had their time: ask the provider what it holds.
        read_back: bool,
    },
}

impl Verify {
    /// Nothing is proven.
    pub const fn new() -> Self {
        Self { state: State::Rest, whom: Whom::Authorities, attempts: 0, verified: None }
    }

    /// An address was confirmed: prove it.
    pub const fn begin(&mut self, now: Instant) {
        *self = Self { state: State::Due(now), ..Self::new() };
    }

    /// What was proven no longer counts, and nothing is to be proven until [`Self::begin`].
    pub const fn stop(&mut self) {
        *self = Self::new();
    }

    /// The address is proven by other means.
    pub const fn proven(&mut self, address: IpAddr) {
        *self = Self { verified: Some(address), ..Self::new() };
    }

    /// The proof rests on an answer that a cache may have given; it is asked for again once that has expired.
    pub fn again_after(&mut self, now: Instant, ttl: Duration) {
        self.state = State::Due(now + ttl + Duration::from_secs(1));
    }

    /// What was proven may be so no more: ask, but believe it until told otherwise.
    pub fn ask_again(&mut self, now: Instant) {
        self.state = match self.state {
            State::Rest => {
                self.whom = Whom::Authorities;
                State::Due(now)
            }
            State::Due(at) => State::Due(at.min(now)),
            State::Asking => State::Asking,
        };
    }

    /// Whether the question is to be put now.
    pub fn due(&self, now: Instant) -> bool {
        matches!(self.state, State::Due(at) if at <= now)
    }

    /// When [`Self::due`] has to be asked.
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Due(at) => Some(at),
            State::Rest | State::Asking => None,
        }
    }

    /// Nothing is asked or about to be asked.
    pub const fn resting(&self) -> bool {
        matches!(self.state, State::Rest)
    }

    /// Who is to be asked.
    pub const fn whom(&self) -> Whom {
        self.whom
    }

    /// The question is put.
    pub const fn asking(&mut self) {
        self.state = State::Asking;
    }

    /// The word about `address` of those who were asked; `None` if nobody was. A cache goes on with a wrong answer for
    /// `cached` at most.
    pub fn answered(
        &mut self,
        now: Instant,
        address: IpAddr,
        verdict: &Verdict,
        cached: Option<Duration>,
        jitter: &mut Jitter,
    ) -> Option<Progress> {
        if self.state != State::Asking {
            return None;
        }
        let before = self.verified;
        match (self.whom, verdict) {
            (Whom::Authorities, Verdict::Agrees { .. }) if before != Some(address) => {
                (self.state, self.whom, self.attempts) = (State::Due(now), Whom::Resolvers, 0);
                return Some(Progress::Served);
            }
            (Whom::Authorities, Verdict::Undecided(_)) => {
                (self.state, self.whom, self.attempts) = (State::Due(now), Whom::Resolvers, 0);
                return Some(Progress::Unserved);
            }
            (Whom::Authorities | Whom::Resolvers, Verdict::Agrees { .. }) => {
                self.proven(address);
                return Some(if before == Some(address) { Progress::Still } else { Progress::Verified });
            }
            (Whom::Authorities | Whom::Resolvers, Verdict::Differs(_)) => self.verified = None,
            (Whom::Resolvers, Verdict::Undecided(_)) => {}
        }
        let wait = ASK_AGAIN.wait(self.attempts, jitter);
        // As the cache expires, if that is about the time; a short TTL is no reason to hurry for ever.
        let expired = cached.filter(|_| self.whom == Whom::Resolvers).map(|cached| cached + Duration::from_secs(1));
        let expired = expired.filter(|expired| *expired >= wait / 2);
        self.state = State::Due(now + expired.map_or(wait, |expired| wait.min(expired)));
        self.attempts = self.attempts.saturating_add(1);
        // What the authorities served before and serve no more, somebody else has changed.
        let drifted = self.whom == Whom::Authorities && before == Some(address);
        let read_back = drifted || self.attempts.is_multiple_of(READ_BACK_AFTER);
        Some(Progress::Pending { attempts: self.attempts, read_back })
    }

    /// The address that is proven.
    pub const fn verified(&self) -> Option<IpAddr> {
        self.verified
    }
}

impl Default for Verify {
    fn default() -> Self {
        Self::new()
    }
}
