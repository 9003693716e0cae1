use std::time::Duration;

use ddns_core::backoff::{Backoff, Jitter};
use proptest::prelude::*;

/// Any wait there is, short ones as often as long ones.
fn duration() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..64_u32, 0..1_000_000_000_u32).prop_map(|(secs, shift, nanos)| Duration::new(secs >> shift, nanos))
}

/// What is waited without jitter, reckoned in nanoseconds that can't overflow.
fn plain(first: Duration, cap: Duration, failures: u32) -> u128 {
    (first.as_nanos() << failures.min(31)).min(cap.as_nanos())
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn a_wait_is_within_a_quarter_of_its_doubled_first_and_its_cap(
        (first, cap) in (duration(), duration()),
        failures in prop_oneof![0..64_u32, any::<u32>()],
        seed in any::<u64>(),
    ) {
        let wait = Backoff::new(first, cap).wait(failures, &mut Jitter::new(seed)).as_nanos();
        let plain = plain(first, cap, failures);
        let most = (plain * 5 / 4).min(Duration::MAX.as_nanos());
        prop_assert!(plain * 3 / 4 <= wait && wait <= most, "{plain}: {wait}");
    }

    #[test]
    fn with_equal_jitter_a_later_wait_is_never_shorter(
        (first, cap) in (duration(), duration()),
        failures in 0..64_u32,
        seed in any::<u64>(),
    ) {
        let backoff = Backoff::new(first, cap);
        let wait = |failures| backoff.wait(failures, &mut Jitter::new(seed));
        prop_assert!(wait(failures) <= wait(failures + 1));
    }
}
