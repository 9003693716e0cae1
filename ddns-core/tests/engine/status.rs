//! What an operator's view of the engine tells.

use std::time::Duration;

use ddns_core::engine::{Event, Next, NextStep, RecordStatus, Stage};
use ddns_core::publish::Why;
use ddns_core::readiness::Readiness;
use ddns_core::recovery::Line;
use ddns_core::time::Wall;

use crate::bench::{Bench, Fails, NAME, NameServer};
use crate::{NEW, OLD, settled};

fn record(bench: &Bench) -> RecordStatus {
    bench.status().records.remove(0)
}

fn next(bench: &Bench) -> Option<(NextStep, Why)> {
    record(bench).next.map(|Next { what, why, .. }| (what, why))
}

fn audited() -> Bench {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A"), ("DDNS_AUDIT_INTERVAL_SECS", "600")]);
    bench.name_servers = vec![NameServer::Serves; 2];
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(60));
    assert!(bench.status().ready());
    bench
}

#[test]
fn a_proof_has_its_time_and_whoever_gave_it() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    assert_eq!((record(&bench).verified_at, record(&bench).verified_by), (None, None));
    let started = bench.status().started;
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(60));
    let proven = record(&bench);
    assert_eq!(proven.verified_by, Some(Stage::Resolvers));
    assert!(proven.verified_at.is_some_and(|at| at >= started && at <= started.after(Duration::from_secs(60))));
}

/// An audit that finds all right is no transition, and yet a proof.
#[test]
fn an_audit_that_finds_all_right_renews_the_time_of_the_proof() {
    let mut bench = audited();
    let first = record(&bench).verified_at;
    bench.forget();
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.log.is_empty(), "{:?}", bench.log);
    let again = record(&bench).verified_at;
    assert!(again.zip(first).is_some_and(|(again, first)| again.saturating_since(first) > Duration::from_secs(1800)));
}

/// What nobody asked about grows old: time alone proves nothing.
#[test]
fn without_a_question_the_time_of_the_proof_stays() {
    let mut bench = settled();
    let proven = record(&bench).verified_at;
    bench.run_for(Duration::from_secs(36_000));
    assert_eq!(record(&bench).verified_at, proven);
}

#[test]
fn the_providers_own_word_is_named_where_it_is_the_proof() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A"), ("DDNS_AUDIT_INTERVAL_SECS", "600")]);
    bench.proxied = true;
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(60));
    let first = record(&bench);
    assert_eq!(first.verified_by, Some(Stage::Provider));
    bench.run_for(Duration::from_secs(3600));
    assert!(record(&bench).verified_at > first.verified_at);
}

/// The last proof is remembered, not the address it was about.
#[test]
fn an_address_that_is_not_proven_yet_leaves_the_time_of_the_last_proof() {
    let mut bench = settled();
    let before = record(&bench);
    bench.lag = true;
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(30));
    let after = record(&bench);
    assert_eq!((after.verified, after.verified_at), (None, before.verified_at));
}

#[test]
fn a_record_that_is_right_waits_for_its_audit_and_without_audits_for_nothing() {
    assert_eq!(next(&audited()), Some((NextStep::Audit, Why::Now)));
    assert_eq!(next(&settled()), None);
}

#[test]
fn a_record_that_caches_hide_waits_for_the_resolvers() {
    let mut bench = settled();
    bench.lag = true;
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(30));
    assert_eq!(next(&bench), Some((NextStep::VerifyByResolvers, Why::Now)));
}

#[test]
fn a_name_server_that_lags_behind_is_asked_again() {
    let mut bench = audited();
    bench.name_servers = vec![NameServer::Serves, NameServer::Lags(OLD)];
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(30));
    assert_eq!(next(&bench), Some((NextStep::VerifyByNameServers, Why::Now)));
}

#[test]
fn failures_are_counted_and_the_next_attempt_says_why_it_waits() {
    let mut bench = settled();
    bench.fails = Some(Fails::Unavailable(None));
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(60));
    let failing = record(&bench);
    assert!(failing.failures > 1 && failing.error.is_some(), "{failing:?}");
    assert!(failing.next.is_some_and(|next| next.why == Why::Unavailable), "{failing:?}");
    bench.fails = None;
    bench.run_for(Duration::from_secs(600));
    assert_eq!((record(&bench).failures, record(&bench).error), (0, None));
}

#[test]
fn a_write_that_is_deferred_says_until_when() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A"), ("DDNS_MIN_UPDATE_INTERVAL_SECS", "3600")]);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(60));
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(60));
    assert_eq!(next(&bench), Some((NextStep::Write, Why::Interval)));
}

/// Nobody knows when the address comes back.
#[test]
fn a_write_without_an_address_has_no_time() {
    let mut bench = settled();
    bench.fails = Some(Fails::Refused);
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(2));
    assert_eq!(next(&bench), Some((NextStep::Write, Why::Refused)));
    bench.addresses(&[]);
    bench.run_for(Duration::from_secs(60));
    assert_eq!(next(&bench), None, "{:?}", record(&bench));
}

#[test]
fn at_the_end_nothing_is_announced() {
    let mut bench = audited();
    bench.tell(Event::Shutdown);
    assert_eq!(next(&bench), None);
}

#[test]
fn readiness_says_since_when() {
    let mut bench = settled();
    let (ready, started) = (bench.status().since, bench.status().started);
    assert!(ready >= started && ready < started.after(Duration::from_secs(60)));
    bench.run_for(Duration::from_secs(3600));
    assert_eq!(bench.status().since, ready);
    bench.wan = false;
    bench.run_for(Duration::from_secs(3600));
    let lost = bench.status();
    assert_eq!(lost.readiness, Readiness::NotReady);
    assert!(lost.since > ready, "{:?}", Wall::as_millis(lost.since));
    assert_eq!(lost.started, started);
    assert_eq!(bench.api(NAME, "A"), [OLD]);
}

#[test]
fn the_line_and_the_store_are_told_as_they_are() {
    let mut bench = Bench::with_plug(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    assert_eq!(bench.status().line, None, "nobody has looked yet");
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(60));
    assert_eq!((bench.status().line, bench.status().durable), (Some(Line::Open), true));
    (bench.wan, bench.store_fails) = (false, true);
    bench.run_for(Duration::from_secs(7200));
    assert_eq!((bench.status().line, bench.status().durable), (Some(Line::Dead { router: None }), false));
}

#[test]
fn a_dry_run_keeps_nothing() {
    let bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A"), ("DDNS_MODE", "dry-run")]);
    assert!(!bench.status().durable);
}
