//! What goes wrong at the provider, and what follows.

use std::time::Duration;

use ddns_core::engine::Transition;
use ddns_core::publish::Why;

use crate::bench::{Bench, Fails, NAME};
use crate::{NEW, OLD, THIRD, settled};

/// Traps 5 and 35, FAULTS 37: an outage of the API is lived through, with pauses, and the change is not forgotten.
#[test]
fn five_hundreds_are_tried_again_with_growing_pauses_until_they_end() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Unavailable(None));
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(3600));
    let attempts = bench.attempts();
    assert!((10..=25).contains(&attempts), "{attempts} attempts in an hour");
    assert!(bench.log.iter().any(|told| matches!(told, Transition::UpdateFailed { failing: true, .. })));
    bench.fails = None;
    bench.run_for(Duration::from_secs(400));
    assert_eq!(bench.writes(), [NEW]);
    assert!(bench.status().ready());
}

/// FAULTS 36: `Retry-After` is obeyed, and capped where it is absurd.
#[test]
fn retry_after_is_obeyed_up_to_an_hour() {
    for (asked, waited) in [(600, 600), (1_000_000, 3600)] {
        let mut bench = settled();
        bench.forget();
        bench.fails = Some(Fails::Unavailable(Some(asked)));
        bench.addresses(&[NEW]);
        bench.fails = None;
        bench.run_for(Duration::from_secs(waited - 1));
        assert_eq!(bench.writes().len(), 0, "asked for {asked} s");
        bench.run_for(Duration::from_secs(2));
        assert_eq!(bench.writes(), [NEW], "asked for {asked} s");
    }
}

/// FAULTS 38: a rejected token is held and tried again slowly, whatever the addresses do.
#[test]
fn a_rejected_token_is_held_even_while_addresses_change() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Unauthorized);
    for number in 2..60 {
        bench.addresses(&[&format!("11.0.0.{number}")]);
        bench.run_for(Duration::from_secs(60));
    }
    assert!(bench.attempts() <= 3, "{} attempts in an hour", bench.attempts());
    let failure = bench.log.iter().find_map(|told| match told {
        Transition::UpdateFailed { failure, .. } => Some(failure.why),
        _ => None,
    });
    assert_eq!(failure, Some(Why::Unauthorized));
    bench.fails = None;
    bench.run_for(Duration::from_secs(5400));
    assert_eq!(bench.api(NAME, "A"), ["11.0.0.59"]);
}

/// Trap 33: what could not be reached is tried again within milliseconds, then ever more slowly.
#[test]
fn an_unreachable_provider_is_redialled_within_milliseconds() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Unreachable);
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_millis(40));
    assert!(bench.attempts() >= 3, "{} attempts in 40 ms", bench.attempts());
    let failing =
        |bench: &Bench| bench.log.iter().any(|told| matches!(told, Transition::UpdateFailed { failing: true, .. }));
    bench.run_for(Duration::from_secs(10));
    assert!(!failing(&bench), "ten seconds without a route are no reason to call someone");
    bench.run_for(Duration::from_secs(600));
    assert!(failing(&bench), "ten minutes are");
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.attempts() <= 40, "{} attempts in an hour", bench.attempts());
    let before = bench.attempts();
    bench.addresses(&[THIRD]);
    assert!(bench.attempts() > before, "a change of addresses is a reason to try at once");
    bench.fails = None;
    bench.run_for(Duration::from_millis(100));
    assert_eq!(bench.api(NAME, "A"), [THIRD]);
}

/// FAULTS 39: a write that took effect without an answer is read back, not repeated.
#[test]
fn a_write_of_unknown_outcome_is_read_before_it_is_repeated() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Unknown { applied: true });
    bench.fail_times = Some(1);
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(10));
    assert_eq!((bench.attempts(), bench.reads()), (1, 1));
    assert!(bench.status().ready());

    bench.forget();
    bench.run_for(Duration::from_secs(120));
    bench.fails = Some(Fails::Unknown { applied: false });
    bench.fail_times = Some(1);
    bench.addresses(&[THIRD]);
    bench.run_for(Duration::from_secs(10));
    assert_eq!((bench.attempts(), bench.reads()), (2, 1));
    assert_eq!(bench.api(NAME, "A"), [THIRD]);
}

/// FAULTS 37: a provider that answers reads and fails writes is not hammered.
#[test]
fn writes_that_keep_failing_between_good_reads_are_repeated_with_patience() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Unknown { applied: false });
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(3600));
    assert!((10..=25).contains(&bench.attempts()), "{} attempts in an hour", bench.attempts());
    bench.fails = None;
    bench.run_for(Duration::from_secs(400));
    assert!(bench.status().ready());
}

/// FAULTS 41: a record that is not where it was is looked up anew, at once but not for ever.
#[test]
fn a_stale_handle_is_looked_up_anew_and_never_in_a_tight_loop() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Stale);
    bench.fail_times = Some(1);
    bench.addresses(&[NEW]);
    assert_eq!((bench.attempts(), bench.reads()), (2, 1));
    assert_eq!(bench.writes(), [NEW]);
    bench.run_for(Duration::from_secs(120));
    bench.forget();
    bench.fails = Some(Fails::Stale);
    bench.addresses(&[THIRD]);
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.attempts() <= 25, "{} attempts in an hour", bench.attempts());
}

/// While the outcome of a write is unknown, the address before it is not known to be there.
#[test]
fn going_back_while_a_write_is_in_doubt_asks_the_provider() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Unknown { applied: true });
    bench.reads_fail = true;
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(70));
    bench.forget();
    bench.fails = None;
    bench.addresses(&[OLD]);
    assert!(bench.reads() > 0, "the write of {NEW} may have taken effect");
    bench.run_for(Duration::from_secs(400));
    assert_eq!(bench.api(NAME, "A"), [OLD]);
    assert!(bench.status().ready());
}

/// The same over a crash: a write in doubt stays in doubt, whatever a resolver's cache says.
#[test]
fn a_write_in_doubt_is_read_back_after_a_restart() {
    let mut bench = settled();
    bench.fails = Some(Fails::Unknown { applied: true });
    bench.reads_fail = true;
    bench.lag = true;
    bench.addresses(&[NEW]);
    let saved = bench.saved.clone();
    assert_eq!(saved.as_ref().unwrap().records().next().unwrap().1.pending, Some(NEW.parse().unwrap()));
    bench.fails = None;
    bench.restart(saved);
    bench.forget();
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(120));
    assert_eq!(bench.api(NAME, "A"), [OLD], "DNS showed it all the time, and the API held {NEW}");
    assert_eq!(bench.writes(), [OLD]);
}

/// A write whose answer was lost counts for the interval, whatever is wanted when that shows.
#[test]
fn a_write_that_shows_late_counts_for_the_minimum_interval() {
    let mut bench = settled();
    bench.fails = Some(Fails::Unknown { applied: true });
    bench.reads_fail = true;
    bench.addresses(&[NEW]);
    bench.addresses(&[THIRD]);
    bench.run_for(Duration::from_millis(200));
    bench.fails = None;
    bench.forget();
    bench.run_for(Duration::from_secs(58));
    assert_eq!((bench.writes().len(), bench.api(NAME, "A")), (0, vec![NEW.to_owned()]));
    bench.run_for(Duration::from_secs(4));
    assert_eq!(bench.writes(), [THIRD]);
}

/// A hold belongs to the service, not to the address.
#[test]
fn a_flapping_address_does_not_end_a_hold() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Unauthorized);
    for address in [NEW, OLD, THIRD, OLD, NEW] {
        bench.addresses(&[address]);
        bench.run_for(Duration::from_secs(5));
    }
    assert_eq!((bench.attempts(), bench.reads()), (1, 0));
}

/// What the service holds is not written again when the hold ends.
#[test]
fn an_address_that_comes_back_during_a_hold_is_not_written() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Unauthorized);
    bench.addresses(&[NEW]);
    bench.addresses(&[OLD]);
    bench.fails = None;
    bench.run_for(Duration::from_secs(7200));
    assert_eq!(bench.writes().len(), 0);
    assert!(bench.status().ready(), "{:?}", bench.status());
}

/// Each round in which a single target answered began the row of quick attempts anew.
#[test]
fn a_way_that_is_half_open_makes_no_storm_of_attempts() {
    let mut bench = settled();
    bench.forget();
    bench.most_targets_down = true;
    bench.fails = Some(Fails::Unreachable);
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.attempts() <= 60, "{} attempts in an hour", bench.attempts());
    bench.fails = None;
    bench.run_for(Duration::from_secs(400));
    assert_eq!(bench.writes(), [NEW]);
}

/// An address that went and came back between two refusals was written at once each time.
#[test]
fn a_flapping_address_makes_no_storm_of_refusals() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Refused);
    for _ in 0..100 {
        bench.addresses(&[NEW]);
        bench.run_for(Duration::from_secs(1));
        bench.addresses(&[OLD]);
        bench.run_for(Duration::from_secs(1));
    }
    assert!(bench.attempts() <= 5, "{} attempts in 200 seconds", bench.attempts());
    bench.fails = None;
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(120));
    assert_eq!(bench.writes(), [NEW]);
}

/// A read whose answer gets lost was repeated every few seconds for as long as that lasted.
#[test]
fn reads_whose_answers_get_lost_are_repeated_ever_more_slowly() {
    let mut bench = settled();
    bench.forget();
    bench.reads_fail = true;
    bench.fails = Some(Fails::Unknown { applied: false });
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.reads() <= 40, "{} reads in an hour", bench.reads());
    bench.fails = None;
    bench.run_for(Duration::from_secs(800));
    assert_eq!(bench.writes(), [NEW]);
}

/// A lost write that somebody else has overwritten since was taken for one without effect, and repeated at once.
#[test]
fn a_lost_write_that_was_overwritten_counts_for_the_interval() {
    let mut bench = settled();
    bench.forget();
    (bench.fails, bench.reads_fail) = (Some(Fails::Unknown { applied: true }), true);
    bench.addresses(&[NEW]);
    bench.api_holds(NAME, "A", THIRD);
    bench.fails = None;
    bench.run_for(Duration::from_secs(30));
    assert_eq!(bench.writes().len(), 0, "within the interval");
    bench.run_for(Duration::from_secs(60));
    assert_eq!(bench.writes(), [NEW]);
}
