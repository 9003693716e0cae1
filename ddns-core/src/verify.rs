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

/// Where the proof stands.
///
/// ```text
///   begin ──▶ Due ──▶ Asking ──agrees──▶ Rest (verified)
///              ▲         │
///              └─────────┘ differs, undecided: later
/// ```
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
        Self { state: State::Rest, attempts: 0, verified: None }
    }

    /// An address was confirmed: prove it.
    pub const fn begin(&mut self, now: Instant) {
        *self = Self { state: State::Due(now), attempts: 0, verified: None };
    }

    /// What was proven no longer counts, and nothing is to be proven until [`Self::begin`].
    pub const fn stop(&mut self) {
        *self = Self::new();
    }

    /// The address is proven by other means.
    pub const fn proven(&mut self, address: IpAddr) {
        *self = Self { state: State::Rest, attempts: 0, verified: Some(address) };
    }

    /// The proof rests on an answer that a cache may have given; it is asked for again once that has expired.
    pub fn again_after(&mut self, now: Instant, ttl: Duration) {
        self.state = State::Due(now + ttl + Duration::from_secs(1));
    }

    /// What was proven may be so no more: ask, but believe it until told otherwise.
    pub fn ask_again(&mut self, now: Instant) {
        self.state = match self.state {
            State::Rest => State::Due(now),
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

    /// The question is put.
    pub const fn asking(&mut self) {
        self.state = State::Asking;
    }

    /// The resolvers' word about `address`; `None` if none was asked for.
    pub fn answered(
        &mut self,
        now: Instant,
        address: IpAddr,
        verdict: &Verdict,
        jitter: &mut Jitter,
    ) -> Option<Progress> {
        if self.state != State::Asking {
            return None;
        }
        if matches!(verdict, Verdict::Agrees { .. }) {
            let before = self.verified;
            self.proven(address);
            return Some(if before == Some(address) { Progress::Still } else { Progress::Verified });
        }
        if matches!(verdict, Verdict::Differs(_)) {
            self.verified = None;
        }
        self.state = State::Due(now + ASK_AGAIN.wait(self.attempts, jitter));
        self.attempts = self.attempts.saturating_add(1);
        let read_back = self.attempts.is_multiple_of(READ_BACK_AFTER);
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
