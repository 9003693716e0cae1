use std::time::Duration;

use crate::time::Instant;

/// How far clocks may be apart by their granularity.
const TOLERANCE: Duration = Duration::from_secs(2);

/// What an epoch says of the router's mappings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Judgement {
    /// There is nothing to compare it with.
    First,
    /// The router has kept them.
    Consistent,
    /// The router has started anew, or is another one: it has forgotten them.
    Lost,
}

/// A router's epoch as seen last, in seconds of the router's own clock (RFC 6887 §8.5; it is stricter than RFC 6886
/// §3.6, and a false alarm costs no more than a renewed mapping).
#[derive(Clone, Copy, Debug, Default)]
pub struct Epoch(Option<(Instant, u32)>);

impl Epoch {
    /// Judges the epoch of an answer or announcement, and remembers it.
    pub fn observe(&mut self, now: Instant, epoch: u32) -> Judgement {
        let Some((before, epoch_before)) = self.0.replace((now, epoch)) else { return Judgement::First };
        let here = now.saturating_since(before);
        // An epoch one second lower comes from messages that overtook each other.
        let Some(there) = epoch.checked_sub(epoch_before).or((epoch.abs_diff(epoch_before) == 1).then_some(0)) else {
            return Judgement::Lost;
        };
        let there = Duration::from_secs(there.into());
        let slow = here + TOLERANCE < there - there / 16;
        let fast = there + TOLERANCE < here - here / 16;
        if slow || fast { Judgement::Lost } else { Judgement::Consistent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds_between: u64, epochs: (u32, u32), expected: Judgement) {
        let mut epoch = Epoch::default();
        let first = Instant::from_nanos(1_000_000_000);
        assert_eq!(epoch.observe(first, epochs.0), Judgement::First);
        let judged = epoch.observe(first + Duration::from_secs(seconds_between), epochs.1);
        assert_eq!(judged, expected, "{epochs:?} in {seconds_between} s");
    }

    /// FAULTS 25.
    #[test]
    fn a_router_that_started_anew_is_told_by_its_epoch() {
        check(100, (5000, 5100), Judgement::Consistent);
        check(100, (5000, 5099), Judgement::Consistent);
        check(0, (5000, 4999), Judgement::Consistent);
        check(100, (5000, 4998), Judgement::Lost);
        check(100, (5000, 0), Judgement::Lost);
        check(100, (50, 60), Judgement::Lost);
    }

    #[test]
    fn clocks_may_differ_by_a_sixteenth_and_two_seconds() {
        check(1600, (0, 1498), Judgement::Consistent);
        check(1600, (0, 1497), Judgement::Lost);
        check(1500, (0, 1602), Judgement::Consistent);
        check(1500, (0, 1603), Judgement::Lost);
    }
}
