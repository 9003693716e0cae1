//! Proof by the zone's own name servers, and records that somebody else changes.

use std::time::Duration;

use ddns_core::config::DriftPolicy;
use ddns_core::engine::Transition;

use crate::bench::{Bench, NAME, NameServer};
use crate::kinds::kinds;
use crate::{NEW, OLD, THIRD};

const AUDIT: Duration = Duration::from_secs(800);
const FOREIGN: &str = "11.66.6.6";

/// As [`crate::settled`], with two name servers that can be asked, and audits.
fn settled(changes: &[(&str, &str)]) -> Bench {
    let environment = [("DDNS_RECORDS", "vpn.example.com:A"), ("DDNS_AUDIT_INTERVAL_SECS", "600")];
    let environment: Vec<_> = environment.iter().chain(changes).copied().collect();
    let mut bench = Bench::new(&environment);
    bench.name_servers = vec![NameServer::Serves, NameServer::Serves];
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(7200));
    assert!(bench.status().ready(), "{:?}", bench.status());
    bench.forget();
    bench
}

fn drifts(bench: &Bench) -> Vec<DriftPolicy> {
    let policy = |told: &Transition| match told {
        Transition::Drift { policy, .. } => Some(*policy),
        _ => None,
    };
    bench.log.iter().filter_map(policy).collect()
}

#[test]
fn a_write_is_seen_at_the_zones_own_name_servers_before_the_resolvers_are_asked() {
    let mut bench = settled(&[]);
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(2));
    let told: Vec<_> =
        kinds(&bench.log).into_iter().filter(|kind| ["updated", "served", "verified"].contains(kind)).collect();
    assert_eq!(told, ["updated", "served", "verified"]);
    assert_eq!((bench.authority_calls, bench.resolved()), (1, 1));
}

/// A name server that lags fills caches with what it has: the resolvers are not asked before.
#[test]
fn while_one_name_server_lags_no_cache_is_filled() {
    let mut bench = settled(&[]);
    bench.name_servers = vec![NameServer::Serves, NameServer::Lags(OLD)];
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(20));
    assert_eq!(bench.resolved(), 0);
    assert!(!bench.status().converged);
    bench.name_servers = vec![NameServer::Serves, NameServer::Serves];
    bench.run_for(Duration::from_secs(60));
    assert!(bench.status().converged);
    assert!(bench.authority_calls < 15, "{} questions", bench.authority_calls);
}

#[test]
fn a_name_server_that_is_silent_has_no_say() {
    let mut bench = settled(&[]);
    bench.name_servers = vec![NameServer::Silent, NameServer::Serves];
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(2));
    assert!(bench.status().converged);
    let served = bench.log.iter().find_map(|told| match told {
        Transition::Served { servers, silent, .. } => Some((*servers, silent.len())),
        _ => None,
    });
    assert_eq!(served, Some((1, 1)));
}

/// Where port 53 is closed the resolvers' word has to do, and that is told once.
#[test]
fn if_no_name_server_can_be_asked_the_resolvers_decide() {
    let mut bench = settled(&[]);
    bench.name_servers = vec![NameServer::Silent, NameServer::Silent];
    for address in [NEW, THIRD] {
        bench.addresses(&[address]);
        bench.run_for(Duration::from_secs(100));
        assert!(bench.status().converged);
    }
    assert_eq!(kinds(&bench.log).iter().filter(|kind| **kind == "unserved").count(), 1);
}

/// A record changed behind our back is seen at the next audit, told, and written again.
#[test]
fn drift_is_seen_at_the_next_audit_and_repaired() {
    let mut bench = settled(&[]);
    bench.api_holds(NAME, "A", FOREIGN);
    bench.run_for(AUDIT);
    assert_eq!(drifts(&bench), [DriftPolicy::Repair]);
    assert_eq!(bench.api(NAME, "A"), [OLD]);
    bench.run_for(Duration::from_secs(100));
    assert!(bench.status().ready());
}

/// What was served before and is served no more is no lag of a write: nobody waits for caches.
#[test]
fn what_the_name_servers_serve_no_more_is_read_at_the_provider_at_once() {
    let mut bench = settled(&[]);
    bench.api_holds(NAME, "A", FOREIGN);
    while bench.authority_calls == 0 {
        bench.run_for(Duration::from_secs(1));
    }
    assert_eq!(drifts(&bench), [DriftPolicy::Repair]);
}

#[test]
fn an_audit_that_finds_all_right_asks_the_name_servers_alone() {
    let mut bench = settled(&[]);
    let before = bench.authority_calls;
    bench.run_for(Duration::from_secs(86_400));
    let audits = bench.authority_calls - before;
    assert!((115..=192).contains(&audits), "{audits} audits in a day");
    assert_eq!((bench.resolved(), bench.reads(), bench.writes().len()), (0, 0, 0));
    assert!(kinds(&bench.log).is_empty(), "{:?}", bench.log);
}

#[test]
fn what_is_only_to_be_reported_is_left_until_it_is_put_right_or_the_address_changes() {
    let mut bench = settled(&[("DDNS_DRIFT_POLICY", "report")]);
    bench.api_holds(NAME, "A", FOREIGN);
    bench.run_for(Duration::from_secs(7200));
    assert_eq!(drifts(&bench), [DriftPolicy::Report]);
    assert_eq!(bench.api(NAME, "A"), [FOREIGN]);
    assert!(!bench.status().converged);
    bench.api_holds(NAME, "A", OLD);
    bench.run_for(AUDIT * 2);
    assert!(bench.status().converged);
    assert!(bench.writes().is_empty());
    bench.api_holds(NAME, "A", FOREIGN);
    bench.run_for(AUDIT);
    bench.addresses(&[NEW]);
    assert_eq!(bench.api(NAME, "A"), [NEW]);
}

/// FAULTS 44: two appliances on one record. Each audit finds it changed; after the third time it is left for an hour.
#[test]
fn a_record_that_is_changed_against_us_again_and_again_is_left_for_an_hour() {
    let mut bench = settled(&[]);
    for _ in 0..20 {
        bench.api_holds(NAME, "A", FOREIGN);
        bench.run_for(AUDIT);
    }
    let all = drifts(&bench);
    let contested = all.iter().filter(|policy| **policy == DriftPolicy::Contested).count();
    assert!((2..=5).contains(&contested), "{all:?}");
    let writes = bench.writes().len();
    assert!(writes <= 14, "{writes} writes in {:?}", AUDIT * 20);
    bench.run_for(Duration::from_secs(2 * 3600));
    assert!(bench.status().ready(), "nobody meddles any more: {:?}", bench.status());
}
