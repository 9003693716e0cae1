use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Readings as (seconds since boot here, seconds of the router), each with its judgement.
fn check(protocol: Protocol, readings: &[(u64, u32, Judgement)]) {
    let mut epoch = Epoch::new(protocol);
    for (number, (now, reading, judgement)) in readings.iter().enumerate() {
        let now = Instant::since_boot(Duration::from_secs(*now));
        assert_eq!(epoch.observe(now, *reading), *judgement, "{protocol:?}, reading {number} of {readings:?}");
    }
}

use Judgement::{Consistent, First, Lost};

#[test]
fn the_first_reading_has_nothing_to_compare_with() {
    for protocol in [Protocol::NatPmp, Protocol::Pcp] {
        check(protocol, &[(1000, 0, First)]);
        check(protocol, &[(0, u32::MAX, First)]);
    }
}

/// RFC 6886 §3.6: the expected value is the last one plus 7/8 of the time since then; two seconds less are allowed.
#[test]
fn a_nat_pmp_epoch_may_lag_by_an_eighth_and_two_seconds() {
    let from = |reading, judgement| check(Protocol::NatPmp, &[(100, 5000, First), (900, reading, judgement)]);
    from(5800, Consistent);
    from(5698, Consistent);
    from(5697, Lost);
    from(0, Lost);
}

/// RFC 6886 §3.6 has no upper bound.
#[test]
fn a_nat_pmp_epoch_may_run_ahead() {
    check(Protocol::NatPmp, &[(100, 10, First), (101, 9000, Consistent)]);
}

/// RFC 6886 §3.6: each reading is the base for the next.
#[test]
fn a_lost_epoch_is_the_base_for_the_next_reading() {
    for protocol in [Protocol::NatPmp, Protocol::Pcp] {
        check(protocol, &[(0, 5000, First), (100, 3, Lost), (110, 13, Consistent), (120, 23, Consistent)]);
    }
}

/// RFC 6887 §8.5: backwards by more than one second.
#[test]
fn a_pcp_epoch_may_step_back_by_one_second() {
    check(Protocol::Pcp, &[(100, 5000, First), (100, 4999, Consistent)]);
    check(Protocol::Pcp, &[(100, 5000, First), (100, 4998, Lost)]);
}

/// RFC 6887 §8.5: the server's clock slower than ours by more than 2 s and a sixteenth of our time.
#[test]
fn a_pcp_epoch_may_lag_by_a_sixteenth_and_two_seconds() {
    let from = |reading, judgement| check(Protocol::Pcp, &[(100, 5000, First), (1700, reading, judgement)]);
    from(6600, Consistent);
    from(6498, Consistent);
    from(6497, Lost);
}

/// RFC 6887 §8.5: the server's clock faster than ours by more than 2 s and a sixteenth of its time.
#[test]
fn a_pcp_epoch_may_run_ahead_by_a_sixteenth_and_two_seconds() {
    let after = |now, judgement| check(Protocol::Pcp, &[(100, 5000, First), (now, 6600, judgement)]);
    after(100 + 1498, Consistent);
    after(100 + 1497, Lost);
}

/// Fault 25: a router that restarts counts from zero.
#[test]
fn a_restart_is_seen_at_once_and_after_hours() {
    for protocol in [Protocol::NatPmp, Protocol::Pcp] {
        check(protocol, &[(0, 100_000, First), (30, 0, Lost)]);
        check(protocol, &[(0, 100, First), (7200, 6300, Lost)]);
    }
}

proptest! {
    #[test]
    fn a_router_that_keeps_time_is_never_lost(start in 0_u32..1_000_000, steps in prop::collection::vec(0_u64..100_000, 1..20)) {
        for protocol in [Protocol::NatPmp, Protocol::Pcp] {
            let mut epoch = Epoch::new(protocol);
            let mut elapsed = 0;
            for step in &steps {
                elapsed += step;
                let reading = start + u32::try_from(elapsed).unwrap();
                prop_assert_ne!(epoch.observe(Instant::since_boot(Duration::from_secs(elapsed)), reading), Lost);
            }
        }
    }

    #[test]
    fn no_reading_is_too_strange(readings: Vec<(u64, u32)>) {
        for protocol in [Protocol::NatPmp, Protocol::Pcp] {
            let mut epoch = Epoch::new(protocol);
            for (now, reading) in &readings {
                epoch.observe(Instant::from_nanos(*now), *reading);
            }
        }
    }
}
