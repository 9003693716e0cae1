use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::election::{Cast, Count, Election, Rejected, Rule};
use super::{Ask, Options, VoterId};
use crate::address::{Family, Hint};
use crate::backoff::{Backoff, Jitter};
use crate::ports::VoteError;
use crate::time::Instant;

/// How long a round waits for its last answer.
pub(super) const ROUND: Duration = Duration::from_secs(6);
/// Between a round that elected nobody and the next.
const AFTER_NOBODY: Backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(300));
/// How long a voter that errs rests.
const REST: Backoff = Backoff::new(Duration::from_secs(60), Duration::from_secs(3600));
/// A voter that never spoke, after so many rounds without a word, is not waited for when others disagree.
const MUTE: u32 = 3;
/// Rounds begun within this time of each other are a burst, in which each waits longer than the one before.
const BURST: Duration = Duration::from_secs(120);
const BURST_PAUSE_AT_MOST: Duration = Duration::from_secs(60);
/// A strong hint that shows no change yet is followed up after these times: the router may speak before its NAT works.
const FOLLOW_UPS: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// A reason to ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// Nothing has been asked before.
    First,
    /// Something may have changed.
    Hint,
    /// Something has changed: if the voters don't see it, they are asked again a few times.
    Strong,
}

/// The questions about one family.
///
/// ```text
///            hint, retry, audit                 all answers, a majority, or 6 s
///  ┌──────┐ ───────────────────▶ ┌────────┐ ─────────────────────────────────▶ ┌──────┐
///  │ Rest │                      │ Asking │  elected: Rest until the audit     │ Rest │
///  └──────┘ ◀─────────────────── └────────┘  nobody: Rest until the retry      └──────┘
///            the family is no      │    ▲
///            longer asked about    └────┘ a hint in between: once more afterwards
/// ```
#[derive(Debug)]
pub(super) struct Poll {
    pub(super) family: Family,
    state: State,
    round: u64,
    begun: Option<Instant>,
    burst: u32,
    held: Option<IpAddr>,
    closed: bool,
    undecided: u32,
    follow_ups: usize,
    hint: Option<Hint>,
    voters: Vec<Voter>,
}

#[derive(Debug)]
enum State {
    Rest { next: Option<Instant> },
    Asking { until: Instant, answers: BTreeMap<VoterId, Option<Result<IpAddr, VoteError>>>, again: Option<Hint> },
}

/// What is known of one voter, for this family.
#[derive(Clone, Copy, Debug, Default)]
struct Voter {
    spoke: bool,
    failures: u32,
    rests_until: Option<Instant>,
}

impl Voter {
    const fn mute(&self) -> bool {
        !self.spoke && self.failures >= MUTE
    }
}

impl Poll {
    pub(super) fn new(family: Family, voters: usize) -> Self {
        Self {
            family,
            state: State::Rest { next: None },
            round: 0,
            begun: None,
            burst: 0,
            held: None,
            closed: false,
            undecided: 0,
            follow_ups: FOLLOW_UPS.len(),
            hint: None,
            voters: vec![Voter::default(); voters],
        }
    }

    /// The address elected last.
    pub(super) const fn held(&self) -> Option<IpAddr> {
        self.held
    }

    /// A round is under way.
    pub(super) const fn asking(&self) -> bool {
        matches!(self.state, State::Asking { .. })
    }

    /// No round has ended yet.
    pub(super) const fn is_new(&self) -> bool {
        !self.closed
    }

    /// A reason to ask has come: at once, or after the round under way, but a storm of reasons makes no storm of rounds.
    pub(super) fn call(&mut self, now: Instant, call: Call, hint: Hint) {
        if call == Call::Strong {
            self.follow_ups = 0;
        }
        let soon = self.soon(now);
        match &mut self.state {
            State::Asking { again, .. } => *again = again.or(Some(hint)),
            State::Rest { next } => {
                // The first reason is the one that the time of the change is told by.
                if next.is_none_or(|next| next > soon) || self.hint.is_none() {
                    self.hint = Some(hint);
                }
                *next = Some(next.map_or(soon, |next| next.min(soon)));
            }
        }
    }

    fn soon(&self, now: Instant) -> Instant {
        let Some(begun) = self.begun.filter(|begun| now.saturating_since(*begun) < BURST) else { return now };
        let pause = match self.burst {
            0 | 1 => Duration::ZERO,
            burst => BURST_PAUSE_AT_MOST.min(Duration::from_secs(1 << (burst - 2).min(6))),
        };
        now.max(begun + pause)
    }

    /// Nobody is to be asked (any more).
    pub(super) fn leave(&mut self) {
        if let State::Asking { .. } = self.state {
            self.state = State::Rest { next: None };
        }
        (self.held, self.closed, self.undecided) = (None, false, 0);
    }

    pub(super) fn answered(&mut self, ask: Ask, answer: Result<IpAddr, VoteError>) {
        let State::Asking { answers, .. } = &mut self.state else { return };
        if ask.round == self.round
            && let Some(slot @ None) = answers.get_mut(&ask.voter)
        {
            *slot = Some(answer);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Rest { next } => *next,
            State::Asking { until, .. } => Some(*until),
        }
    }

    /// Begins a round if one is due.
    pub(super) fn begin(&mut self, now: Instant, options: &Options) -> Vec<Ask> {
        let State::Rest { next: Some(next) } = self.state else { return Vec::new() };
        if next > now {
            return Vec::new();
        }
        let in_burst = self.begun.is_some_and(|begun| now.saturating_since(begun) < BURST);
        self.burst = if in_burst { self.burst.saturating_add(1) } else { 1 };
        self.round += 1;
        self.begun = Some(now);
        self.hint.get_or_insert(Hint::new(if self.undecided > 0 { "retry" } else { "audit" }, now, 0));
        let voters = self.awake(now, options);
        let answers = voters.iter().map(|voter| (*voter, None)).collect();
        self.state = State::Asking { until: now + ROUND, answers, again: None };
        voters.into_iter().map(|voter| Ask { voter, family: self.family, round: self.round }).collect()
    }

    /// The voters that don't rest; all, if these could not make a quorum, or did not.
    fn awake(&self, now: Instant, options: &Options) -> Vec<VoterId> {
        let awake = |id: &VoterId| self.voters[id.0].rests_until.is_none_or(|until| until <= now);
        let all = (0..options.voters.len()).map(VoterId);
        let some: Vec<_> = all.clone().filter(awake).collect();
        let operators: BTreeSet<&str> = some.iter().map(|id| &*options.voters[id.0].operator).collect();
        let enough = operators.len() >= options.quorum && self.undecided == 0;
        if enough { some } else { all.collect() }
    }

    /// Ends the round under way if its outcome is settled.
    pub(super) fn close(&mut self, now: Instant, options: &Options, jitter: &mut Jitter) -> Option<Election> {
        let State::Asking { until, answers, again } = &self.state else { return None };
        let casts: Vec<_> = answers
            .iter()
            .map(|(id, answer)| {
                let spec = &options.voters[id.0];
                Cast { voter: &spec.name, operator: &spec.operator, answer: answer.as_ref() }
            })
            .collect();
        let speakers = options.voters.iter().zip(&self.voters).filter(|(_, voter)| !voter.mute());
        let operators: BTreeSet<&str> = speakers.map(|(spec, _)| &*spec.operator).collect();
        let rule = Rule { family: self.family, quorum: options.quorum, operators: operators.len() };
        let Count { elected, settled, mut ballots } = rule.count(&casts);
        // Whether the address may be published at all is for the router to say, if it ever says anything.
        let awaited = |id: &VoterId| options.voters[id.0].router && (!self.closed || self.voters[id.0].spoke);
        let unheard = answers.iter().any(|(id, answer)| awaited(id) && answer.is_none());
        if (!settled || unheard) && *until > now {
            return None;
        }
        let asked: Vec<(VoterId, bool)> = answers.iter().map(|(id, answer)| (*id, answer.is_some())).collect();
        let again = *again;
        // Who errs while others are heard is at fault; while nobody is heard it is the way to them.
        let heard = ballots.iter().any(|ballot| ballot.vote.is_ok());
        let early = *until > now;
        for ((id, answered), ballot) in asked.into_iter().zip(&mut ballots) {
            let voter = &mut self.voters[id.0];
            if early && !answered {
                ballot.vote = Err(Rejected::NotAwaited);
                continue;
            }
            voter.spoke |= ballot.vote.as_ref().is_ok() || matches!(ballot.vote, Err(Rejected::Bogon(..)));
            match &ballot.vote {
                Ok(_) => *voter = Voter { spoke: true, ..Voter::default() },
                // Behind another NAT the router's own word is no public address, and is wanted for just that.
                Err(Rejected::Bogon(..) | Rejected::Dissent(_)) if options.voters[id.0].router => {}
                Err(_) if heard => {
                    voter.failures = voter.failures.saturating_add(1);
                    if elected.is_some() {
                        voter.rests_until = Some(now + REST.wait(voter.failures - 1, jitter));
                    }
                }
                Err(_) => {}
            }
        }
        let changed = elected.is_some() && elected != self.held;
        self.held = elected.or(self.held);
        self.closed = true;
        self.undecided = if elected.is_some() { 0 } else { self.undecided.saturating_add(1) };
        let hint = self.hint.take().unwrap_or_else(|| Hint::new("audit", now, 0));
        if changed {
            self.follow_ups = FOLLOW_UPS.len();
            // A round that finds something was no idle one.
            self.burst = 0;
        }
        let pause = match (elected, FOLLOW_UPS.get(self.follow_ups)) {
            (None, _) => Some(AFTER_NOBODY.wait(self.undecided - 1, jitter)),
            (Some(_), Some(pause)) => {
                self.follow_ups += 1;
                Some((*pause).max(self.soon(now).saturating_since(now)))
            }
            (Some(_), None) => options.audit.map(|audit| jitter.spread(audit)),
        };
        // What is asked again is asked for the same reason.
        self.hint = (elected.is_none() || self.follow_ups < FOLLOW_UPS.len()).then_some(hint);
        self.state = State::Rest { next: pause.map(|pause| now + pause) };
        if let Some(hint) = again {
            self.call(now, Call::Hint, hint);
        }
        Some(Election { family: self.family, elected, held: self.held, ballots, undecided: self.undecided, hint })
    }
}
