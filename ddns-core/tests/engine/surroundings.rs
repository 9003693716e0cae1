//! The way to the Internet, the source, the store.

use std::time::Duration;

use ddns_core::config::SourceId;
use ddns_core::readiness::Readiness;

use crate::bench::{Bench, NAME};
use crate::kinds::kinds;
use crate::{NEW, OLD, THIRD, settled};

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

/// The line dies with no round of probes due for long: what connections suffer starts one.
#[test]
fn distress_is_a_reason_to_look_now() {
    let mut bench = settled();
    bench.wan = false;
    let probes = bench.probes;
    bench.distress(&[OLD]);
    bench.run_for(Duration::from_millis(1));
    assert_eq!((bench.probes - probes, bench.status().readiness), (1, Readiness::NotReady));
}

/// A host with lossy peers suffers for hours, and its line is fine: it is looked at ever more rarely.
#[test]
fn distress_that_means_nothing_makes_no_storm_of_probes() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A"), ("DDNS_PROBE_INTERVAL_SECS", "0")]);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3600));
    let probes = bench.probes;
    for _ in 0..3600 {
        bench.distress(&[OLD]);
        bench.run_for(Duration::from_secs(1));
    }
    let rounds = bench.probes - probes;
    assert!((6..=14).contains(&rounds), "{rounds} rounds in an hour");
    // What was heard too early is not forgotten: it is looked at in the end.
    bench.wan = false;
    bench.distress(&[OLD]);
    bench.run_for(Duration::from_secs(800));
    assert_eq!(bench.status().readiness, Readiness::NotReady);
}

/// What is known to be dead is not looked at more often because connections suffer, those of the rounds among them.
#[test]
fn a_dead_line_is_not_looked_at_more_often_for_distress() {
    let mut bench = settled();
    bench.wan = false;
    let probes = bench.probes;
    for _ in 0..3600 {
        bench.distress(&[OLD]);
        bench.run_for(Duration::from_secs(1));
    }
    let rounds = bench.probes - probes;
    assert!((90..=170).contains(&rounds), "{rounds} rounds in an hour");
}

/// FAULTS 13: a proof that rests on a cached answer was to be asked for again later, which is too late after a sleep.
#[test]
fn a_proof_that_may_be_a_cached_one_is_asked_for_after_a_sleep() {
    let mut bench = settled();
    let saved = bench.saved.clone();
    bench.restart(saved);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(10));
    assert!(bench.status().converged);
    bench.forget();
    bench.sleep(Duration::from_secs(250));
    assert_eq!(bench.resolved(), 1);
}

/// Trap 21: the end of the stream is told, and the source is watched again.
#[test]
fn a_source_that_ends_is_watched_again_and_meanwhile_reported() {
    let mut bench = settled();
    let watches = bench.watches;
    bench.source_ends(SourceId(0));
    assert!(bench.status().source_error().is_some());
    bench.run_for(Duration::from_secs(10));
    assert!(bench.watches > watches);
    bench.addresses(&[NEW]);
    assert_eq!(bench.status().source_error(), None);
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

/// An idle daemon writes nothing but its mark of liveness.
#[test]
fn an_idle_day_saves_a_mark_each_hour_and_calls_no_provider() {
    let mut bench = settled();
    bench.forget();
    bench.run_for(Duration::from_secs(86_400));
    assert_eq!((bench.saves, bench.writes().len(), bench.reads(), bench.resolved()), (24, 0, 0, 0));
}

/// After an outage a name without an IPv6 address was asked for without end.
#[test]
fn a_record_that_was_never_published_is_not_looked_at_after_an_outage() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com")]);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(60));
    bench.wan = false;
    bench.run_for(Duration::from_secs(600));
    bench.wan = true;
    bench.run_for(Duration::from_secs(600));
    assert!(bench.status().ready(), "{:?}", bench.status());
}
