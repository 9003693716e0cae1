//! Which address the world sees, found by asking several who are independent of each other.
//!
//! **No voter is believed alone, and none is lost.** A round asks all voters of a family; a quorum elects ([`Election`]).
//! Without a quorum the address elected last is held. A round follows a hint, a failed round, or the audit; nothing
//! else.

mod election;
mod epoch;
mod mapping;
mod nat;
mod poll;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

pub use election::{Ballot, Election, Rejected};
pub use epoch::{Epoch, Judgement, Protocol};
pub use mapping::{MapRequest, Mapped, Mapping, MappingStatus};
pub use nat::{Evidence, Nat, NatClass};
use poll::{Call, Poll};

use crate::address::{Discovered, Family, Hint, InterfaceAddress, IpChangeEvent, Snapshot};
use crate::backoff::Jitter;
use crate::ports::{Gateway, VoteError};
use crate::selection::{Candidates, Rejection};
use crate::time::Instant;

/// A voter by its place in [`Options::voters`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct VoterId(pub usize);

/// Who is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VoterSpec {
    /// Its name for operators of this host, such as `http:https://api.example.net`.
    pub name: String,
    /// Who runs it.
    pub operator: String,
    /// It is the router in front of this host, which knows its own address outside and no other.
    pub router: bool,
}

/// How to discover.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Who is asked.
    pub voters: Vec<VoterSpec>,
    /// Equal votes of different operators that an address needs, at least one.
    pub quorum: usize,
    /// The families asked about.
    pub families: BTreeSet<Family>,
    /// Between two rounds that nothing asked for; `None` for none.
    pub audit: Option<Duration>,
    /// Ask only while the host has no publishable address of its own.
    pub only_without_own: bool,
    /// The own addresses that count are those of this interface.
    pub interface: Option<String>,
    /// Seeds the jitter.
    pub seed: u64,
}

/// A word of the router, sent to all of its network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// Who sent it. Anybody can: it counts only if that is a gateway, and even then it is no more than a hint.
    pub from: IpAddr,
    /// Seconds since the router lost its mappings (RFC 6886 §3.6, RFC 6887 §8.5).
    pub epoch: u32,
    /// The router's address outside, where the announcement tells it.
    pub external: Option<IpAddr>,
    /// The protocol.
    pub protocol: Protocol,
}

/// One per protocol: the two judge differently.
const UNKNOWN: [Epoch; 2] = [Epoch::new(Protocol::NatPmp), Epoch::new(Protocol::Pcp)];

/// A question to one voter. The answer comes back by [`Discovery::answered`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ask {
    /// The voter.
    pub voter: VoterId,
    /// The family to ask over.
    pub family: Family,
    /// The round, returned with the answer.
    pub round: u64,
}

/// What follows from news.
#[derive(Debug, Default)]
pub struct Orders {
    /// Questions to ask, all at once.
    pub asks: Vec<Ask>,
    /// The news for the engine.
    pub event: Option<IpChangeEvent>,
}

/// The machine: the rounds of each family over one snapshot of the host.
#[derive(Debug)]
pub struct Discovery {
    options: Options,
    polls: Vec<Poll>,
    host: Option<Snapshot>,
    /// `None` until they have been told for the first time, before which nobody is asked.
    gateways: Option<Vec<Gateway>>,
    epochs: [Epoch; 2],
    /// What the router said of itself last.
    router: Option<IpAddr>,
    /// It has been asked and has not answered: what it said before is not to be compared with what the world says now.
    router_asked: bool,
    nat: Nat,
    told: Option<(Snapshot, Nat)>,
    ignored: u64,
    jitter: Jitter,
}

impl Discovery {
    /// A machine that has seen nothing.
    pub fn new(options: Options) -> Self {
        let polls = options.families.iter().map(|family| Poll::new(*family, options.voters.len())).collect();
        let jitter = Jitter::new(options.seed);
        Self {
            options,
            polls,
            host: None,
            gateways: None,
            epochs: UNKNOWN,
            router: None,
            router_asked: false,
            nat: Nat::judge(&Evidence::default()),
            told: None,
            ignored: 0,
            jitter,
        }
    }

    /// The host's own addresses, and why they were looked at: a reason to ask.
    pub fn host(&mut self, now: Instant, snapshot: Snapshot, hint: Hint) -> Orders {
        let changed = self.host.as_ref() != Some(&snapshot);
        let first = self.host.is_none();
        self.host = Some(snapshot);
        if changed || hint.after_loss || hint.distress.is_some() {
            self.call(now, if first { Call::First } else { Call::Hint }, hint);
        }
        // A change of the own addresses, and distress, are news in themselves.
        self.orders(now, hint, Vec::new(), changed || hint.distress.is_some())
    }

    /// The gateways now. Another gateway than before is another way to the Internet.
    pub fn gateways(&mut self, now: Instant, gateways: Vec<Gateway>) -> Orders {
        let hint = Hint::new("gateway", now, 1);
        let before = self.gateways.replace(gateways);
        if before.is_some() && before != self.gateways {
            self.epochs = UNKNOWN;
            self.router = None;
            self.call(now, Call::Strong, hint);
        }
        self.orders(now, hint, Vec::new(), false)
    }

    /// The router has announced something. True if it was worth a look: it came from a gateway (FAULTS 26).
    pub fn announced(&mut self, now: Instant, announcement: &Announcement) -> (bool, Orders) {
        let hint = Hint::new(announcement.protocol.as_str(), now, 1);
        let genuine = self.gateways.iter().flatten().any(|gateway| gateway.address == announcement.from);
        if genuine {
            let judged = self.epochs[announcement.protocol as usize].observe(now, announcement.epoch);
            let held = self.held(Family::V4);
            let known = announcement.external.map(|external| Some(external) == held);
            match (judged, known) {
                // Routers repeat themselves up to ten times (RFC 6886 §3.2.1, RFC 6887 §14.1.1).
                (Judgement::First | Judgement::Consistent, Some(true)) | (Judgement::Consistent, None) => {}
                (Judgement::First, None) => self.call(now, Call::Hint, hint),
                (Judgement::Lost, _) | (_, Some(false)) => self.call(now, Call::Strong, hint),
            }
        } else {
            self.ignored += 1;
        }
        (genuine, self.orders(now, hint, Vec::new(), false))
    }

    /// Somebody found the way to the Internet open again, or has another reason to doubt.
    pub fn look_again(&mut self, now: Instant) -> Orders {
        let hint = Hint::new("recovered", now, 1);
        self.call(now, Call::Hint, hint);
        self.orders(now, hint, Vec::new(), false)
    }

    /// A voter's answer to an [`Ask`].
    pub fn answered(&mut self, now: Instant, ask: Ask, answer: Result<IpAddr, VoteError>) -> Orders {
        let hint = Hint::new("vote", now, 0);
        let Some(voter) = self.options.voters.get(ask.voter.0) else { return Orders::default() };
        if voter.router && ask.family == Family::V4 {
            self.router_asked = false;
            self.router = answer.as_ref().ok().copied().filter(|address| Family::of(address) == Family::V4);
        }
        if let Some(poll) = self.polls.iter_mut().find(|poll| poll.family == ask.family) {
            poll.answered(ask, answer);
        }
        self.orders(now, hint, Vec::new(), false)
    }

    /// [`Self::deadline`] has come.
    pub fn tick(&mut self, now: Instant) -> Orders {
        self.orders(now, Hint::new("audit", now, 0), Vec::new(), false)
    }

    /// When [`Self::tick`] is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        self.polls.iter().filter(|poll| self.asks_about(poll.family)).filter_map(Poll::deadline).min()
    }

    /// Announcements that did not come from a gateway.
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    /// The IPv4 gateway, to whom NAT-PMP and PCP are spoken.
    pub fn gateway(&self) -> Option<&Gateway> {
        self.gateways.iter().flatten().find(|gateway| Family::of(&gateway.address) == Family::V4)
    }

    fn judge_nat(&self) -> Nat {
        let own = self.host.as_ref().map(|host| Candidates::of(host, Family::V4, None));
        let own_public = own.and_then(|own| own.publishable.first().map(|held| held.address));
        let towards_gateway = self.gateway().and_then(|gateway| {
            let on = |held: &&InterfaceAddress| {
                held.interface == gateway.interface && Family::of(&held.address) == Family::V4
            };
            self.host.as_ref()?.addresses().iter().find(on).map(|held| held.address)
        });
        Nat::judge(&Evidence { own_public, towards_gateway, router: self.router, seen: self.held(Family::V4) })
    }

    /// The address of a family that was elected last.
    fn held(&self, family: Family) -> Option<IpAddr> {
        self.polls.iter().find(|poll| poll.family == family)?.held()
    }

    fn call(&mut self, now: Instant, call: Call, hint: Hint) {
        self.polls.iter_mut().for_each(|poll| poll.call(now, call, hint));
    }

    /// A family is asked about if the host has any address of it to ask from, and, if so configured, none to publish.
    fn asks_about(&self, family: Family) -> bool {
        let (Some(host), Some(_)) = (&self.host, &self.gateways) else { return false };
        let own = Candidates::of(host, family, self.options.interface.as_deref());
        let has_own = !own.publishable.is_empty();
        // Loopback and link-local addresses are in neither list.
        (has_own || !own.rejected.is_empty()) && !(self.options.only_without_own && has_own)
    }

    fn orders(&mut self, now: Instant, hint: Hint, mut elections: Vec<Election>, news: bool) -> Orders {
        for index in 0..self.polls.len() {
            if self.asks_about(self.polls[index].family) {
                elections.extend(self.polls[index].close(now, &self.options, &mut self.jitter));
            } else {
                self.polls[index].leave();
            }
        }
        self.compare(&elections);
        let mut asks = Vec::new();
        for index in 0..self.polls.len() {
            if self.asks_about(self.polls[index].family) {
                asks.extend(self.polls[index].begin(now, &self.options));
            }
        }
        let of_router = |ask: &Ask| ask.family == Family::V4 && self.options.voters[ask.voter.0].router;
        self.router_asked |= asks.iter().any(of_router);
        Orders { asks, event: self.event(hint, elections, news) }
    }

    /// What the router says is compared with what the world saw in the same round, between two rounds: the one may be
    /// ahead of the other.
    fn compare(&mut self, elections: &[Election]) {
        let router = self.options.voters.iter().find(|voter| voter.router).map(|voter| &voter.name);
        let without_router = |election: &Election| {
            election.family == Family::V4 && !election.ballots.iter().any(|ballot| Some(&ballot.voter) == router)
        };
        if elections.iter().any(without_router) {
            self.router = None;
        }
        let asking = self.polls.iter().any(|poll| poll.family == Family::V4 && poll.asking());
        if !asking && !self.router_asked {
            self.nat = self.judge_nat();
        }
    }

    fn event(&mut self, hint: Hint, elections: Vec<Election>, news: bool) -> Option<IpChangeEvent> {
        let host = self.host.clone()?;
        let nat = self.nat.clone();
        let families = self.options.families.clone();
        let snapshot = families.into_iter().fold(host, |snapshot, family| {
            // Own addresses stand for themselves where nobody is asked because of them.
            let own = Candidates::of(&snapshot, family, self.options.interface.as_deref());
            if self.options.only_without_own && !own.publishable.is_empty() {
                return snapshot;
            }
            let discovered = self.discovered(family, &snapshot);
            snapshot.with_discovered(family, discovered)
        });
        let unchanged = self.told.as_ref().is_some_and(|(told, before)| *told == snapshot && *before == nat);
        if unchanged && elections.is_empty() && !news {
            return None;
        }
        let hint = elections.last().map_or(hint, |election| election.hint);
        self.told = Some((snapshot.clone(), nat.clone()));
        Some(IpChangeEvent { elections, nat: Some(nat), ..IpChangeEvent::new(snapshot, hint) })
    }

    fn discovered(&self, family: Family, host: &Snapshot) -> Discovered {
        let Some(poll) = self.polls.iter().find(|poll| poll.family == family) else { return Discovered::Nobody };
        let Some(seen) = poll.held() else {
            let asking = poll.is_new() && (self.gateways.is_none() || self.asks_about(family));
            return if asking { Discovered::Asking } else { Discovered::Nobody };
        };
        if family == Family::V4 && self.nat.class == NatClass::CarrierGrade {
            return Discovered::Refused(seen, Rejection::BehindCarrierGradeNat);
        }
        // An address that the host itself holds is judged as such. Where the world sees a privacy address, the stable
        // one beside it, under the same prefix, is as reachable and stays.
        let Some(held) = host.addresses().iter().find(|held| held.address == seen) else {
            return Discovered::Address(seen);
        };
        let own = Candidates::of(host, family, Some(&held.interface));
        if own.holds(seen) {
            return Discovered::Address(seen);
        }
        let beside = |other: &&InterfaceAddress| same_prefix(other.address, seen);
        match own.publishable.iter().find(beside) {
            Some(stable) => Discovered::Address(stable.address),
            None => {
                let why = own.rejected.iter().find(|(address, _)| *address == seen).map(|(_, why)| *why);
                why.map_or(Discovered::Nobody, |why| Discovered::Refused(seen, why))
            }
        }
    }
}

/// Whether two IPv6 addresses lie in one /64.
fn same_prefix(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V6(one), IpAddr::V6(other)) => one.segments()[..4] == other.segments()[..4],
        _ => false,
    }
}

#[cfg(test)]
mod tests;
