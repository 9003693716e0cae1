use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use crate::address::{Family, Hint};
use crate::ports::VoteError;
use crate::selection::{Rejection, special_scope};

/// Why an answer does not count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rejected {
    /// No answer in time.
    TimedOut,
    /// No answer yet when more than half of all operators had agreed.
    NotAwaited,
    /// No way to the voter, or it refused.
    Failed(String),
    /// Somebody else answered in its place.
    CaptivePortal(String),
    /// Its answer is no address.
    Garbage(String),
    /// An address of the other family.
    WrongFamily(IpAddr),
    /// An address that can't be public.
    Bogon(IpAddr, Rejection),
    /// Its operator names two addresses at once.
    Contradiction(IpAddr),
    /// An address that others did not confirm.
    Dissent(IpAddr),
}

impl Rejected {
    /// The kind of rejection, a word for logs and metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::TimedOut => "timeout",
            Self::NotAwaited => "not-awaited",
            Self::Failed(_) => "failed",
            Self::CaptivePortal(_) => "captive-portal",
            Self::Garbage(_) => "garbage",
            Self::WrongFamily(_) => "wrong-family",
            Self::Bogon(..) => "bogon",
            Self::Contradiction(_) => "contradiction",
            Self::Dissent(_) => "dissent",
        }
    }

    fn of(error: &VoteError) -> Self {
        let what = crate::error_chain(error);
        match error {
            VoteError::TimedOut => Self::TimedOut,
            VoteError::Unsupported(_) | VoteError::Unreachable(_) | VoteError::Refused(_) => Self::Failed(what),
            VoteError::Intercepted(_) | VoteError::Page(_) => Self::CaptivePortal(what),
            VoteError::Garbage(_) => Self::Garbage(what),
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("no answer in time"),
            Self::NotAwaited => f.write_str("not waited for, since enough had agreed"),
            Self::Failed(what) | Self::CaptivePortal(what) | Self::Garbage(what) => f.write_str(what),
            Self::WrongFamily(address) => write!(f, "{address} is of the other family"),
            Self::Bogon(address, why) => write!(f, "{address} is {why}"),
            Self::Contradiction(address) => write!(f, "{address}, and another one from the same operator"),
            Self::Dissent(address) => write!(f, "{address}, which the others don't confirm"),
        }
    }
}

/// What became of one voter's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ballot {
    /// The voter.
    pub voter: String,
    /// Who runs it: equal votes of one operator count once.
    pub operator: String,
    /// The address it was counted for, or why it was not.
    pub vote: Result<IpAddr, Rejected>,
}

/// The outcome of one round of questions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Election {
    /// The family asked about.
    pub family: Family,
    /// The address that a quorum confirmed.
    pub elected: Option<IpAddr>,
    /// What holds after the round: the elected address, or else the one elected last.
    pub held: Option<IpAddr>,
    /// Voter by voter, in the order of the configuration. Voters that rested are left out.
    pub ballots: Vec<Ballot>,
    /// Rounds in a row that elected nobody, with this one.
    pub undecided: u32,
    /// Why they were asked.
    pub hint: Hint,
}

/// What a voter said, in what capacity.
#[derive(Debug)]
pub(super) struct Cast<'a> {
    pub(super) voter: &'a str,
    pub(super) operator: &'a str,
    /// `None`: no answer yet.
    pub(super) answer: Option<&'a Result<IpAddr, VoteError>>,
}

/// The rule of the count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) family: Family,
    /// Equal votes of different operators that an address needs.
    pub(super) quorum: usize,
    /// Operators that might speak. As soon as one dissents, an address needs more than half of these.
    pub(super) operators: usize,
}

/// The ballots, counted.
#[derive(Debug)]
pub(super) struct Count {
    pub(super) elected: Option<IpAddr>,
    /// No answer still out could change the outcome.
    pub(super) settled: bool,
    pub(super) ballots: Vec<Ballot>,
}

impl Rule {
    /// Counts. An address is elected by a quorum of operators if nobody dissents, and else by a quorum that is also
    /// more than half of all operators.
    pub(super) fn count(self, casts: &[Cast<'_>]) -> Count {
        let votes: Vec<_> = casts.iter().map(|cast| self.judge(cast.answer)).collect();
        let mut named: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
        for (cast, vote) in casts.iter().zip(&votes) {
            if let Ok(address) = vote {
                named.entry(cast.operator).or_default().insert(*address);
            }
        }
        let mut supporters: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for addresses in named.values().filter(|addresses| addresses.len() == 1) {
            addresses.iter().for_each(|address| *supporters.entry(*address).or_default() += 1);
        }
        let leader = supporters.iter().max_by_key(|(_, supporters)| **supporters);
        let majority = |supporters: usize| supporters >= self.quorum && supporters * 2 > self.operators;
        let unanimous = supporters.len() == 1;
        let elected =
            leader.filter(|(_, supporters)| majority(**supporters) || (unanimous && **supporters >= self.quorum));
        let all_in = casts.iter().all(|cast| cast.answer.is_some());
        let settled = all_in || elected.is_some_and(|(_, supporters)| majority(*supporters));
        let elected = elected.map(|(address, _)| *address);
        let ballot = |(cast, vote): (&Cast<'_>, Result<IpAddr, Rejected>)| {
            let contradicts = named.get(cast.operator).is_some_and(|addresses| addresses.len() > 1);
            let vote = match vote {
                Ok(address) if contradicts => Err(Rejected::Contradiction(address)),
                Ok(address) if elected.is_some_and(|elected| elected != address) => Err(Rejected::Dissent(address)),
                vote => vote,
            };
            Ballot { voter: cast.voter.to_owned(), operator: cast.operator.to_owned(), vote }
        };
        Count { elected, settled, ballots: casts.iter().zip(votes).map(ballot).collect() }
    }

    fn judge(self, answer: Option<&Result<IpAddr, VoteError>>) -> Result<IpAddr, Rejected> {
        match answer {
            None => Err(Rejected::TimedOut),
            Some(Err(error)) => Err(Rejected::of(error)),
            Some(Ok(address)) if Family::of(address) != self.family => Err(Rejected::WrongFamily(*address)),
            Some(Ok(address)) => match special_scope(address) {
                Some(scope) => Err(Rejected::Bogon(*address, Rejection::NotPublic(scope))),
                None => Ok(*address),
            },
        }
    }
}

#[cfg(test)]
mod tests;
