//! A router's clock of its mappings: when it runs backwards or slow, the router has forgotten them.

use crate::time::Instant;

/// A protocol in which a router tells its epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Protocol {
    /// RFC 6886
    NatPmp,
    /// RFC 6887
    Pcp,
}

impl Protocol {
    /// A word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NatPmp => "nat-pmp",
            Self::Pcp => "pcp",
        }
    }
}

/// What the router's clock shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// Nothing to compare with.
    First,
    /// As far on as it should be.
    Consistent,
    /// The router has lost its state: what was mapped has to be mapped anew.
    Lost,
}

/// The last reading of one router's epoch, and the rule of the protocol that told it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch {
    protocol: Protocol,
    last: Option<(Instant, u32)>,
}

impl Epoch {
    /// No reading yet.
    pub const fn new(protocol: Protocol) -> Self {
        Self { protocol, last: None }
    }

    /// Judges a reading, in seconds, received at `now`, by RFC 6886 §3.6 or RFC 6887 §8.5, and keeps it for the next one.
    pub fn observe(&mut self, now: Instant, epoch: u32) -> Judgement {
        let Some((then, before)) = self.last.replace((now, epoch)) else { return Judgement::First };
        let elapsed = now.saturating_since(then).as_nanos();
        let lost = match self.protocol {
            Protocol::NatPmp => behind(elapsed, before, epoch),
            Protocol::Pcp => inconsistent(elapsed, before, epoch),
        };
        if lost { Judgement::Lost } else { Judgement::Consistent }
    }
}

const SECOND: u128 = 1_000_000_000;

fn nanos(seconds: u32) -> u128 {
    u128::from(seconds) * SECOND
}

/// RFC 6886 §3.6: more than two seconds behind the last reading plus 7/8 of the time since then.
fn behind(elapsed: u128, before: u32, epoch: u32) -> bool {
    nanos(epoch) + 2 * SECOND < nanos(before) + elapsed / 8 * 7
}

/// RFC 6887 §8.5: more than one second backwards, or the two clocks apart by more than two seconds and a sixteenth.
fn inconsistent(elapsed: u128, before: u32, epoch: u32) -> bool {
    if nanos(epoch) + SECOND < nanos(before) {
        return true;
    }
    let server = nanos(epoch.saturating_sub(before));
    elapsed + 2 * SECOND < server - server / 16 || server + 2 * SECOND < elapsed - elapsed / 16
}

#[cfg(test)]
mod tests;
