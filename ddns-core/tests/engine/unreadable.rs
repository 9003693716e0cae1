//! A service that can't be asked what it holds: what it acknowledged last and what DNS says has to do.

use std::time::Duration;

use crate::bench::{Bench, Fails, NAME};
use crate::kinds::kinds;
use crate::{NEW, OLD, THIRD};

fn unreadable() -> Bench {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    bench.unreadable = true;
    bench
}

fn settled() -> Bench {
    let mut bench = unreadable();
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.status().ready(), "{:?}", bench.status());
    assert_eq!(bench.writes(), [OLD]);
    bench
}

#[test]
fn a_record_that_dns_does_not_show_is_written_and_a_change_is_one_request() {
    let mut bench = settled();
    assert!(!kinds(&bench.log).contains(&"failed"), "that nothing can be read is no failure");
    bench.forget();
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(60));
    assert_eq!((bench.writes(), bench.reads(), bench.attempts()), (vec![NEW.to_owned()], 0, 1));
    assert!(bench.status().ready());
}

/// A needless write is abuse.
#[test]
fn a_record_that_dns_shows_is_not_written() {
    let mut bench = unreadable();
    bench.api_holds(NAME, "A", OLD);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.status().ready(), "{:?}", bench.status());
    assert_eq!(bench.attempts(), 0);
    let saved = bench.saved.clone();
    bench.restart(saved);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3600));
    assert_eq!(bench.attempts(), 0, "nor after a restart");
}

#[test]
fn resolvers_that_lag_are_no_reason_to_write_again() {
    let mut bench = settled();
    bench.forget();
    bench.lag = true;
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(7200));
    assert_eq!(bench.attempts(), 1);
    let saved = bench.saved.clone();
    bench.restart(saved);
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(7200));
    assert_eq!(bench.attempts(), 1, "nor after a restart");
    assert!(!bench.status().ready(), "and it is not called right");
    bench.dns_shows(NAME, "A", &[NEW]);
    bench.run_for(Duration::from_secs(120));
    assert!(bench.status().ready());
}

/// FAULTS 33 and 39: what may have had an effect is repeated when the interval has passed.
#[test]
fn a_write_of_unknown_outcome_is_repeated_after_the_interval() {
    for applied in [true, false] {
        let mut bench = settled();
        bench.forget();
        (bench.fails, bench.fail_times) = (Some(Fails::Unknown { applied }), Some(1));
        bench.addresses(&[NEW]);
        bench.run_for(Duration::from_secs(50));
        assert_eq!(bench.attempts(), 1, "applied: {applied}");
        bench.run_for(Duration::from_secs(20));
        assert_eq!((bench.attempts(), bench.writes()), (2, vec![NEW.to_owned()]), "applied: {applied}");
        bench.run_for(Duration::from_secs(120));
        assert!(bench.status().ready());
    }
}

/// The write in doubt may be what the service holds: the address from before it is written again.
#[test]
fn an_address_that_comes_back_after_a_write_in_doubt_is_written() {
    let mut bench = settled();
    bench.forget();
    (bench.fails, bench.fail_times) = (Some(Fails::Unknown { applied: true }), Some(1));
    bench.addresses(&[NEW]);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(120));
    assert_eq!(bench.api(NAME, "A"), [OLD]);
    assert!(bench.status().ready());
}

/// FAULTS 12: neither DNS, which may lag, nor the last acknowledgement is believed against it.
#[test]
fn a_write_in_doubt_outlives_a_restart() {
    for (held, crash_after) in [(THIRD, 0), (OLD, 0), (THIRD, 10), (OLD, 10)] {
        let mut bench = settled();
        (bench.fails, bench.fail_times) = (Some(Fails::Unknown { applied: true }), Some(1));
        bench.lag = true;
        bench.addresses(&[NEW]);
        bench.run_for(Duration::from_secs(crash_after));
        bench.lag = false;
        let saved = bench.saved.clone();
        bench.restart(saved);
        bench.addresses(&[held]);
        bench.run_for(Duration::from_secs(120));
        assert_eq!(bench.api(NAME, "A"), [held], "after {crash_after} s");
        assert!(bench.status().ready());
    }
}

/// A repetition that was not even sent leaves the doubt of the write before.
#[test]
fn a_doubt_is_not_ended_by_a_write_without_effect() {
    let mut bench = settled();
    (bench.fails, bench.fail_times) = (Some(Fails::Unknown { applied: true }), Some(1));
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(30));
    bench.fails = Some(Fails::Refused);
    bench.run_for(Duration::from_secs(40));
    bench.fails = None;
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(240));
    assert_eq!(bench.api(NAME, "A"), [OLD]);
}

/// A service that fails for long is not stormed.
#[test]
fn writes_that_keep_getting_lost_are_repeated_with_patience() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Unknown { applied: false });
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(3600));
    assert!((10..=25).contains(&bench.attempts()), "{} attempts in an hour", bench.attempts());
}
