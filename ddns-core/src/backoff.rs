//! Waiting times between attempts, and the randomness they need.

use std::time::Duration;

/// Doubling waiting times with jitter: the n-th wait is `first * 2^n`, at most `cap`, times a factor in 0.75..1.25.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
}

impl Backoff {
    /// Waits that begin at `first` and stay at `cap`.
    pub const fn new(first: Duration, cap: Duration) -> Self {
        Self { first, cap }
    }

    /// The wait after `failures` failed attempts before this one.
    pub fn wait(&self, failures: u32, jitter: &mut Jitter) -> Duration {
        let doubled = 1_u32.checked_shl(failures.min(31)).and_then(|factor| self.first.checked_mul(factor));
        jitter.spread(doubled.unwrap_or(self.cap).min(self.cap))
    }
}

/// A small deterministic generator (SplitMix64, Steele et al. 2014): the same seed gives the same waits.
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// A generator from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `wait` times a factor in 0.75..1.25, at most [`Duration::MAX`].
    pub fn spread(&mut self, wait: Duration) -> Duration {
        // Nanoseconds of a Duration have 94 bits, the random part 24: no product overflows.
        let nanos = wait.as_nanos();
        let spread = nanos * 3 / 4 + ((nanos / 2 * u128::from(self.next() >> 40)) >> 24);
        Duration::from_nanos_u128(spread.min(Duration::MAX.as_nanos()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_stay_within_a_quarter() {
        let backoff = Backoff::new(Duration::from_millis(5), Duration::from_secs(300));
        let mut jitter = Jitter::new(7);
        for failures in 0..100 {
            let plain = Duration::from_millis(5 << failures.min(40)).min(Duration::from_secs(300));
            let wait = backoff.wait(failures, &mut jitter);
            assert!(wait >= plain * 3 / 4 && wait <= plain * 5 / 4, "{failures}: {wait:?}");
        }
    }

    #[test]
    fn the_longest_wait_is_spread_without_overflow() {
        let mut jitter = Jitter::new(7);
        for _ in 0..100 {
            assert!(jitter.spread(Duration::MAX) >= Duration::MAX / 4 * 3);
        }
    }

    #[test]
    fn waits_differ_between_seeds_and_repeat_with_one() {
        let waits = |seed| {
            let mut jitter = Jitter::new(seed);
            (0..8).map(|_| jitter.spread(Duration::from_secs(1))).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
    }
}
