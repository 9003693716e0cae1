//! The engine against a small model of the world: every action is answered at once, time moves from deadline to
//! deadline.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "support/bench.rs"]
mod bench;

use std::time::Duration;

use bench::{Bench, Fails, NAME, kinds};
use ddns_core::engine::Transition;
use ddns_core::publish::Why;
use ddns_core::readiness::Readiness;
use ddns_core::state::SavedState;

const OLD: &str = "11.0.0.1";
const NEW: &str = "11.0.0.2";
const THIRD: &str = "11.0.0.3";

/// A host that has held OLD for an hour, published, verified and ready.
fn settled() -> Bench {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.status().ready(), "{:?}", bench.status());
    assert_eq!(bench.writes(), [OLD]);
    bench
}

#[test]
fn a_change_against_a_verified_value_is_written_at_once_without_asking() {
    let mut bench = settled();
    bench.forget();
    bench.addresses(&[NEW]);
    assert_eq!(kinds(&bench.log), ["address", "update", "converged false", "updated", "verified", "converged true"]);
    assert_eq!((bench.writes(), bench.reads(), bench.resolved()), (vec![NEW.to_owned()], 0, 1));
}

/// Trap 18 and seed 000 §12.2: a change inside the minimum interval is written at its end, never dropped.
#[test]
fn a_change_within_the_minimum_interval_is_deferred_to_its_end() {
    let mut bench = settled();
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(5));
    bench.forget();
    bench.addresses(&[THIRD]);
    assert!(bench.log.iter().any(|told| matches!(told, Transition::Deferred { .. })));
    bench.run_for(Duration::from_secs(54));
    assert_eq!(bench.writes(), [""; 0]);
    bench.run_for(Duration::from_secs(2));
    assert_eq!(bench.writes(), [THIRD]);
    assert!(bench.status().ready());
}

/// FAULTS 5, seed 000 §12.5: a storm costs one update per record and minute, and the last address wins.
#[test]
fn a_thousand_changes_per_second_cost_one_update_per_minute() {
    let mut bench = settled();
    bench.forget();
    for millisecond in 0..60_000_u32 {
        let address = format!("11.0.{}.{}", 1 + millisecond % 50, 1 + millisecond % 200);
        bench.addresses(&[&address]);
        bench.run_for(Duration::from_millis(1));
    }
    bench.addresses(&[THIRD]);
    bench.run_for(Duration::from_secs(61));
    assert!((2..=3).contains(&bench.writes().len()), "{:?}", bench.writes());
    assert_eq!(bench.writes().last().unwrap(), THIRD);
    assert!(bench.status().ready(), "{:?}", bench.status());
}

/// FAULTS 6: an address that goes and comes back costs nothing.
#[test]
fn an_address_that_goes_and_comes_back_costs_no_call() {
    let mut bench = settled();
    bench.forget();
    bench.addresses(&[]);
    assert!(!bench.status().converged, "DNS holds an address that the host doesn't");
    bench.run_for(Duration::from_millis(6));
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(10));
    assert_eq!((bench.writes().len(), bench.reads()), (0, 0));
    assert!(bench.status().ready());
}

/// Traps 13 and 23, FAULTS 7: behind NAT nothing is published, and the reason is told once.
#[test]
fn a_private_address_is_never_published_and_the_reason_is_told() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    bench.addresses(&["192.168.1.2", "100.64.0.7"]);
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.writes().len(), bench.reads()), (0, 0));
    let told: Vec<_> = bench.log.iter().filter(|told| matches!(told, Transition::AddressUnavailable { .. })).collect();
    assert!(matches!(told[..], [Transition::AddressUnavailable { rejected, held: None, .. }] if rejected.len() == 2));
    assert!(!bench.status().ready());
}

/// Invariant b: what is published stays when the host loses its address.
#[test]
fn nothing_is_deleted_for_lack_of_an_address() {
    let mut bench = settled();
    bench.forget();
    bench.addresses(&["192.168.1.2"]);
    bench.run_for(Duration::from_secs(3600));
    assert_eq!(bench.writes().len(), 0);
    assert_eq!(bench.api(NAME, "A"), [OLD]);
    assert!(!bench.status().converged);
}

/// A restart with an unchanged address that DNS shows makes no API call at all.
#[test]
fn a_restart_with_an_unchanged_address_makes_no_write() {
    let mut bench = settled();
    let saved = bench.saved.clone();
    bench.restart(saved);
    bench.forget();
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.writes().len(), bench.reads()), (0, 0));
    assert!(bench.status().ready());
    assert_eq!(bench.saves, 0, "an unchanged state is not saved again");
}

/// Trap 10: a resolver's cache that still holds the new address from before is not believed against what we wrote last.
#[test]
fn a_cached_answer_is_not_believed_against_our_own_last_write() {
    let mut bench = settled();
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(120));
    let saved = bench.saved.clone();
    bench.restart(saved);
    bench.forget();
    bench.dns_shows(NAME, "A", &[OLD]);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(120));
    assert_eq!(bench.writes(), [OLD], "the API held {NEW}");
}

/// Without any saved state, DNS that is right already saves the write; the API is read once for where the record is.
#[test]
fn a_record_that_dns_shows_already_is_not_written() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    bench.api_holds(NAME, "A", OLD);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(60));
    assert_eq!((bench.writes().len(), bench.reads()), (0, 1));
    assert!(bench.status().ready());
}

/// Trap 11, FAULTS 27: acknowledged is not verified; a lagging resolver means pending, and no second write.
#[test]
fn a_record_is_not_verified_before_dns_shows_it_and_is_not_written_again() {
    let mut bench = settled();
    bench.forget();
    bench.lag = true;
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(240));
    assert_eq!(bench.writes(), [NEW]);
    assert!(!bench.status().converged);
    assert!(bench.resolved() < 25, "{} questions in four minutes", bench.resolved());
    bench.lag = false;
    bench.dns_shows(NAME, "A", &[NEW]);
    bench.run_for(Duration::from_secs(120));
    assert!(bench.status().ready());
    assert_eq!(bench.writes(), [NEW]);
}

/// A further address in the answer is a difference, never taken for the address itself.
#[test]
fn an_answer_with_a_further_address_proves_nothing() {
    let mut bench = settled();
    bench.lag = true;
    bench.dns_shows(NAME, "A", &[NEW, "11.9.9.9"]);
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(600));
    assert!(!bench.status().converged);
}

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

/// A refused record is tried again with another address, but a flapping one makes no storm of refusals.
#[test]
fn a_refused_record_is_tried_again_with_another_address_in_its_time() {
    let mut bench = settled();
    bench.forget();
    bench.fails = Some(Fails::Refused);
    for number in 2..200 {
        bench.addresses(&[&format!("11.0.0.{number}")]);
        bench.run_for(Duration::from_secs(1));
    }
    assert!((2..=5).contains(&bench.attempts()), "{} attempts in 200 s", bench.attempts());
    bench.fails = None;
    bench.addresses(&["11.0.0.201"]);
    bench.run_for(Duration::from_secs(61));
    assert_eq!(bench.api(NAME, "A"), ["11.0.0.201"]);
}

/// Invariant a: an address that is gone before its turn comes is not written.
#[test]
fn an_address_that_is_gone_when_its_turn_comes_is_not_written() {
    let mut bench = settled();
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(5));
    bench.forget();
    bench.addresses(&[THIRD]);
    bench.run_for(Duration::from_secs(5));
    bench.addresses(&[]);
    bench.run_for(Duration::from_secs(600));
    assert_eq!(bench.writes().len(), 0, "the host does not hold {THIRD}");
    bench.addresses(&[THIRD]);
    assert_eq!(bench.writes(), [THIRD]);
}

/// An outage puts what was verified in doubt; afterwards it is looked at again, a proxied record through the API.
#[test]
fn after_an_outage_what_was_proven_is_looked_at_again() {
    for proxied in [false, true] {
        let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
        bench.proxied = proxied;
        bench.lag = proxied;
        bench.addresses(&[OLD]);
        bench.run_for(Duration::from_secs(60));
        assert!(bench.status().ready());
        bench.wan = false;
        bench.run_for(Duration::from_secs(300));
        bench.forget();
        bench.wan = true;
        bench.run_for(Duration::from_secs(60));
        assert_eq!((bench.reads(), bench.resolved()), if proxied { (1, 0) } else { (0, 1) });
        assert!(bench.status().ready(), "{:?}", bench.status());
    }
}

#[test]
fn a_flapping_address_makes_no_storm_of_probes() {
    let mut bench = settled();
    let before = bench.probes;
    for number in 0..1000_u32 {
        bench.addresses(&[if number % 2 == 0 { NEW } else { THIRD }]);
        bench.run_for(Duration::from_millis(10));
    }
    assert!((5..=12).contains(&(bench.probes - before)), "{} rounds in ten seconds", bench.probes - before);
}

/// A disk that does not answer is told; DNS work goes on.
#[test]
fn a_save_that_hangs_is_told_and_stops_nothing() {
    let mut bench = settled();
    bench.forget();
    bench.store_hangs = true;
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(60));
    assert!(bench.status().store_error.is_some());
    bench.addresses(&[THIRD]);
    bench.run_for(Duration::from_secs(61));
    assert_eq!(bench.api(NAME, "A"), [THIRD]);
    bench.store_hangs = false;
    bench.save_ends();
    assert_eq!(bench.status().store_error, None);
    assert_eq!(bench.saved.clone().unwrap().records().next().unwrap().1.confirmed, Some(THIRD.parse().unwrap()));
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

/// After an outage a change is not certain: DNS is asked before the write.
#[test]
fn a_change_during_an_outage_is_checked_before_it_is_written() {
    let mut bench = settled();
    bench.wan = false;
    bench.run_for(Duration::from_secs(300));
    bench.forget();
    bench.addresses(&[NEW]);
    assert_eq!(kinds(&bench.log)[..4], ["address", "converged false", "checked", "update"]);
    bench.run_for(Duration::from_secs(60));
    assert_eq!(bench.writes(), [NEW]);
}

/// Trap 19: A and AAAA of one name are two records, in memory and on disk.
#[test]
fn a_and_aaaa_of_one_name_never_meet() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", NAME)]);
    bench.addresses(&[OLD, "2a00::1"]);
    bench.run_for(Duration::from_secs(60));
    assert_eq!((bench.api(NAME, "A"), bench.api(NAME, "AAAA")), (vec![OLD.to_owned()], vec!["2a00::1".to_owned()]));
    let keys: Vec<_> = bench.saved.as_ref().unwrap().records().map(|(key, _)| key.to_owned()).collect();
    assert_eq!(keys, ["vpn.example.com A", "vpn.example.com AAAA"]);
    assert!(bench.status().ready());
}

#[test]
fn of_a_bare_name_one_family_is_enough_and_of_a_typed_one_it_is_not() {
    let mut bare = Bench::new(&[("DDNS_RECORDS", NAME)]);
    bare.addresses(&[OLD]);
    bare.run_for(Duration::from_secs(60));
    assert!(bare.status().ready());
    let mut typed = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A,vpn.example.com:AAAA")]);
    typed.addresses(&[OLD]);
    typed.run_for(Duration::from_secs(60));
    assert!(!typed.status().ready());
}

/// Seed 000 §13: one after another in the order of the configuration; one that fails stops no other.
#[test]
fn records_are_updated_in_order_and_a_failing_one_stops_no_other() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "b.example.com:A,a.example.com:A,c.example.com:A")]);
    bench.fail_name = Some("a.example.com".to_owned());
    bench.fails = Some(Fails::Refused);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(10));
    assert_eq!(bench.written_names(), ["b.example.com", "c.example.com"]);
    assert_eq!(bench.most_provider_calls_at_once, 1);
}

#[test]
fn two_good_rounds_make_ready_and_one_bad_round_unmakes_it() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    assert_eq!(bench.status().readiness, Readiness::Init);
    bench.addresses(&[OLD]);
    assert_eq!((bench.status().readiness, bench.probes), (Readiness::Probing, 1));
    bench.run_for(Duration::from_secs(2));
    assert_eq!((bench.status().readiness, bench.probes), (Readiness::Ready, 2));
    bench.wan = false;
    bench.run_for(Duration::from_secs(200));
    assert_eq!(bench.status().readiness, Readiness::NotReady);
    let rounds = bench.probes;
    bench.run_for(Duration::from_secs(300));
    assert!((6..=14).contains(&(bench.probes - rounds)), "a round every half minute");
    bench.wan = true;
    bench.run_for(Duration::from_secs(45));
    assert_eq!(bench.status().readiness, Readiness::Ready);
}

/// Trap 21: the end of the stream is told, and the source is watched again.
#[test]
fn a_source_that_ends_is_watched_again_and_meanwhile_reported() {
    let mut bench = settled();
    let watches = bench.watches;
    bench.source_ends();
    assert!(bench.status().source_error.is_some());
    bench.run_for(Duration::from_secs(10));
    assert!(bench.watches > watches);
    bench.addresses(&[NEW]);
    assert_eq!(bench.status().source_error, None);
    assert_eq!(bench.api(NAME, "A"), [NEW]);
}

/// FAULTS 49 and 51: a store that fails makes degraded, not silent; DNS work goes on, and saving recovers by itself.
#[test]
fn a_store_that_fails_is_told_and_tried_again_while_dns_work_goes_on() {
    let mut bench = settled();
    bench.forget();
    bench.store_fails = true;
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(600));
    assert_eq!(bench.writes(), [NEW]);
    assert!(bench.status().store_error.is_some());
    assert_eq!(kinds(&bench.log).iter().filter(|kind| **kind == "store failed").count(), 1);
    bench.store_fails = false;
    bench.run_for(Duration::from_secs(120));
    assert_eq!(bench.status().store_error, None);
    let saved = bench.saved.clone().unwrap();
    assert_eq!(saved.records().next().unwrap().1.confirmed, Some(NEW.parse().unwrap()));
}

/// An idle daemon writes nothing.
#[test]
fn an_idle_day_saves_nothing_and_calls_no_provider() {
    let mut bench = settled();
    bench.forget();
    bench.run_for(Duration::from_secs(86_400));
    assert_eq!((bench.saves, bench.writes().len(), bench.reads(), bench.resolved()), (0, 0, 0, 0));
}

/// The minimum interval holds over a restart.
#[test]
fn the_minimum_interval_counts_over_a_restart() {
    let mut bench = settled();
    bench.addresses(&[NEW]);
    let saved = bench.saved.clone();
    bench.restart(saved);
    bench.forget();
    bench.addresses(&[THIRD]);
    bench.run_for(Duration::from_secs(55));
    assert_eq!(bench.writes().len(), 0);
    bench.run_for(Duration::from_secs(10));
    assert_eq!(bench.writes(), [THIRD]);
}

#[test]
fn a_dry_run_says_what_it_would_do_and_writes_and_saves_nothing() {
    let would = |bench: &Bench| bench.log.iter().filter(|told| matches!(told, Transition::WouldUpdate { .. })).count();
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A"), ("DDNS_MODE", "dry-run")]);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.attempts(), bench.saves, would(&bench)), (0, 0, 1));
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.attempts(), bench.saves, would(&bench)), (0, 0, 2));
}

/// Trap 16: a proxied record resolves to the provider's addresses; it is proven through the API.
#[test]
fn a_proxied_record_is_proven_through_the_api() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    bench.api_holds(NAME, "A", THIRD);
    bench.proxied = true;
    bench.lag = true;
    bench.dns_shows(NAME, "A", &["104.16.1.1"]);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(5));
    assert_eq!(bench.writes(), [OLD]);
    assert!(bench.status().ready(), "{:?}", bench.status());
}

#[test]
fn the_same_events_give_the_same_effects() {
    let run = || {
        let mut bench = Bench::new(&[("DDNS_RECORDS", NAME)]);
        bench.fails = Some(Fails::Unavailable(None));
        bench.addresses(&[OLD, "2a00::1"]);
        bench.run_for(Duration::from_secs(3600));
        bench.fails = None;
        bench.run_for(Duration::from_secs(3600));
        (format!("{:?}", bench.log), bench.saved.as_ref().map(SavedState::encode))
    };
    assert_eq!(run(), run());
}
