//! What is written, and when.

use std::time::Duration;

use ddns_core::engine::Transition;
use ddns_core::state::SavedState;

use crate::bench::{Bench, Fails, NAME};
use crate::kinds::kinds;
use crate::{NEW, OLD, THIRD, settled};

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
