//! When a change of addresses is acted upon: at once if it leaves no doubt, else when it has come to rest.

use std::net::IpAddr;
use std::time::Duration;

use crate::address::InterfaceAddress;
use crate::selection::Candidates;
use crate::time::Instant;

/// A change within this time of another one is in doubt.
const CALM: Duration = Duration::from_secs(1);

/// The longest that a restless address is waited for.
pub const MAX_SETTLE: Duration = Duration::from_millis(500);

/// The settling of one family's address.
///
/// ```text
///             no doubt: adopt at once
///           ┌───────────────────────┐
///           ▼                       │
///        ┌──────┐  change in doubt  │   ┌──────────┐ change: wait again,
/// ──────▶│ Calm │───────────────────┴──▶│ Settling │ 500 ms at most ──┐
///        └──────┘◀──────────────────────└──────────┘◀─────────────────┘
///                  due: adopt what is there
/// ```
///
/// No doubt is left by one publishable address, the published one gone, and no other change in the last second than
/// that address going and its sole successor coming: an address swap reaches us as a removal and an addition some
/// milliseconds apart, in either order.
#[derive(Debug)]
pub struct Settle {
    pause: Duration,
    seen: Vec<IpAddr>,
    restless_since: Option<Instant>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Calm,
    Settling { first: Instant, due: Instant },
}

impl Settle {
    /// `pause` is the time without change that ends a restless phase.
    pub const fn new(pause: Duration) -> Self {
        Self { pause, seen: Vec::new(), restless_since: None, state: State::Calm }
    }

    /// Takes note of the family's candidates. True if they are to be adopted now.
    pub fn observe(&mut self, now: Instant, candidates: &Candidates, published: Option<IpAddr>) -> bool {
        let current: Vec<IpAddr> = candidates.publishable.iter().map(|held: &InterfaceAddress| held.address).collect();
        let calm = self.restless_since.is_none_or(|since| now.saturating_since(since) >= CALM);
        if current != self.seen {
            let came = current.iter().filter(|address| !self.seen.contains(address)).count();
            let went_other = self.seen.iter().any(|address| !current.contains(address) && Some(*address) != published);
            if came > 1 || went_other {
                self.restless_since = Some(now);
            }
            self.seen = current;
        }
        if candidates.choose(published).map(|held| held.address) == published || self.seen.is_empty() {
            self.state = State::Calm;
            return false;
        }
        let sole = self.seen.len() == 1;
        let restless_now = self.restless_since == Some(now);
        if sole && calm && !restless_now && self.state == State::Calm {
            // The first address of all is no change.
            self.restless_since = published.map(|_| now);
            return true;
        }
        let first = match self.state {
            State::Settling { first, .. } => first,
            State::Calm => now,
        };
        self.state = State::Settling { first, due: (now + self.pause).min(first + MAX_SETTLE) };
        self.due(now)
    }

    /// True if a restless phase has ended: adopt what is there.
    pub fn due(&mut self, now: Instant) -> bool {
        match self.state {
            State::Settling { due, .. } if due <= now => {
                self.state = State::Calm;
                self.restless_since = Some(now);
                true
            }
            State::Settling { .. } | State::Calm => false,
        }
    }

    /// When [`Self::due`] has to be asked.
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Settling { due, .. } => Some(due),
            State::Calm => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{AddressFlags, Family, Snapshot};

    const OLD: &str = "11.0.0.1";
    const NEW: &str = "11.0.0.2";

    struct Bench {
        settle: Settle,
        published: Option<IpAddr>,
        held: Vec<&'static str>,
    }

    impl Bench {
        /// A host that has held OLD, published, for long.
        fn at_rest() -> Self {
            let mut bench = Self { settle: Settle::new(Duration::from_millis(50)), published: None, held: vec![] };
            bench.at(0, &[OLD], Some(OLD));
            bench
        }

        fn candidates(&self) -> Candidates {
            let held = |address: &&str| InterfaceAddress {
                index: 1,
                interface: "wan0".into(),
                address: address.parse().unwrap(),
                prefix_len: 24,
                flags: AddressFlags::default(),
                link_up: true,
            };
            Candidates::of(&Snapshot::new(self.held.iter().map(held).collect()), Family::V4, None)
        }

        /// `held` is seen `ms` after the start; `expected` is what gets adopted then.
        fn at(&mut self, ms: u64, held: &[&'static str], expected: Option<&str>) {
            self.held = held.to_vec();
            let candidates = self.candidates();
            let adopt = self.settle.observe(Instant::from_nanos(ms * 1_000_000), &candidates, self.published);
            self.adopt(adopt, ms, expected);
        }

        /// The timer is asked `ms` after the start.
        fn tick(&mut self, ms: u64, expected: Option<&str>) {
            let adopt = self.settle.due(Instant::from_nanos(ms * 1_000_000));
            self.adopt(adopt, ms, expected);
        }

        fn adopt(&mut self, adopt: bool, ms: u64, expected: Option<&str>) {
            let adopted = adopt.then(|| self.candidates().choose(self.published).unwrap().address);
            assert_eq!(adopted, expected.map(|address| address.parse().unwrap()), "after {ms} ms");
            self.published = adopted.or(self.published);
        }
    }

    #[test]
    fn the_first_address_of_all_is_no_change() {
        let mut bench = Bench::at_rest();
        bench.at(10, &[NEW], Some(NEW));
        bench.at(20, &["11.0.0.3"], None);
        bench.tick(70, Some("11.0.0.3"));
    }

    /// Trap 20: the second half of a swap is what counts, and it is not thrown away.
    #[test]
    fn a_swap_that_comes_as_removal_then_addition_is_adopted_with_the_addition() {
        let mut bench = Bench::at_rest();
        bench.at(5000, &[], None);
        bench.at(5006, &[NEW], Some(NEW));
    }

    #[test]
    fn a_swap_that_comes_as_addition_then_removal_is_adopted_with_the_removal() {
        let mut bench = Bench::at_rest();
        bench.at(5000, &[OLD, NEW], None);
        bench.at(5006, &[NEW], Some(NEW));
        let mut slowly = Bench::at_rest();
        slowly.at(5000, &[OLD, NEW], None);
        slowly.at(50_000, &[NEW], Some(NEW));
    }

    /// FAULTS 6: an address that goes and comes back is no change.
    #[test]
    fn an_address_that_goes_and_comes_back_is_no_change() {
        let mut bench = Bench::at_rest();
        bench.at(5000, &[], None);
        bench.at(5006, &[OLD], None);
        assert_eq!(bench.settle.deadline(), None);
    }

    #[test]
    fn two_successors_leave_doubt_and_are_waited_for() {
        let mut bench = Bench::at_rest();
        bench.at(5000, &[NEW, "11.0.0.3"], None);
        bench.tick(5049, None);
        bench.at(5049, &["11.0.0.3"], None);
        bench.tick(5098, None);
        bench.tick(5099, Some("11.0.0.3"));
    }

    #[test]
    fn another_address_that_goes_within_the_second_leaves_doubt() {
        let mut bench = Bench::at_rest();
        bench.at(5000, &[OLD, "11.0.0.9"], None);
        bench.at(9000, &[OLD], None);
        bench.at(9500, &[NEW], None);
        bench.tick(9550, Some(NEW));
    }

    /// FAULTS 5: a flapping address costs one adoption at once and then one per rest, or per 500 ms.
    #[test]
    fn a_flapping_address_is_adopted_when_it_rests_and_at_least_every_half_second() {
        let mut bench = Bench::at_rest();
        bench.at(5000, &[NEW], Some(NEW));
        let mut adopted = 0;
        for step in 1..=100_u64 {
            let held: &[&'static str] = if step % 2 == 0 { &["11.0.0.4"] } else { &["11.0.0.3"] };
            bench.held = held.to_vec();
            let now = Instant::from_nanos((5000 + 10 * step) * 1_000_000);
            let candidates = bench.candidates();
            if bench.settle.observe(now, &candidates, bench.published) {
                adopted += 1;
                bench.published = Some(candidates.publishable[0].address);
            }
        }
        assert!((1..=2).contains(&adopted), "{adopted}");
        bench.at(6010, &["11.0.0.5"], None);
        bench.tick(6060, Some("11.0.0.5"));
        assert_eq!(bench.settle.deadline(), None);
    }
}
