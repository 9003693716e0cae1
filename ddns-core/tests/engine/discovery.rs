//! A source that asks others for the address.

use std::net::IpAddr;
use std::time::Duration;

use ddns_core::address::{AddressFlags, Discovered, Family, InterfaceAddress, IpChangeEvent, Snapshot};
use ddns_core::config::ProviderId;
use ddns_core::discovery::{Election, Nat, NatClass};
use ddns_core::engine::Transition;
use ddns_core::selection::Rejection;

use crate::bench::{Bench, NAME};
use crate::kinds::kinds;
use crate::{NEW, OLD};

const PRIVATE: &str = "192.168.1.5";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A host behind a router, which the world sees so.
fn seen(bench: &Bench, discovered: Discovered) -> IpChangeEvent {
    let held = InterfaceAddress {
        index: 2,
        interface: "lan0".into(),
        address: ip(PRIVATE),
        prefix_len: 24,
        flags: AddressFlags::default(),
        link_up: true,
    };
    let snapshot = Snapshot::new(vec![held]).with_discovered(Family::V4, discovered);
    IpChangeEvent::new(snapshot, bench.hint())
}

fn tell(bench: &mut Bench, discovered: Discovered) {
    let event = seen(bench, discovered);
    bench.discovered(event);
}

/// As [`crate::settled`], behind NAT.
fn settled() -> Bench {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    tell(&mut bench, Discovered::Asking);
    bench.run_for(Duration::from_secs(5));
    tell(&mut bench, Discovered::Address(ip(OLD)));
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.status().ready(), "{:?}", bench.status());
    assert_eq!(bench.writes(), [OLD]);
    bench
}

/// Trap 23: it is the discovered address that is published, and never the private one.
#[test]
fn the_discovered_address_is_published_and_a_change_of_it_too() {
    let mut bench = settled();
    assert!(!kinds(&bench.log).contains(&"unavailable"), "who is being asked is not missing");
    tell(&mut bench, Discovered::Address(ip(NEW)));
    assert_eq!(bench.api(NAME, "A"), [NEW]);
}

#[test]
fn while_nobody_can_be_believed_what_is_published_stays() {
    let mut bench = settled();
    bench.forget();
    tell(&mut bench, Discovered::Nobody);
    bench.run_for(Duration::from_secs(7200));
    assert_eq!(bench.api(NAME, "A"), [OLD]);
    assert!(bench.writes().is_empty());
    let told = bench.log.iter().find_map(|told| match told {
        Transition::AddressUnavailable { rejected, .. } => Some(rejected.clone()),
        _ => None,
    });
    assert_eq!(told.unwrap()[0].0, ip(PRIVATE), "the reason names the address that is there");
}

/// FAULTS 7.
#[test]
fn an_address_of_a_carrier_grade_nat_is_refused_with_a_remedy() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    tell(&mut bench, Discovered::Refused(ip(OLD), Rejection::BehindCarrierGradeNat));
    bench.run_for(Duration::from_secs(60));
    assert!(bench.writes().is_empty());
    let why = bench.log.iter().find_map(|told| match told {
        Transition::AddressUnavailable { rejected, .. } => Some(rejected[0].1.to_string()),
        _ => None,
    });
    let why = why.unwrap();
    assert!(["IPv6", "relay", "provider"].iter().all(|remedy| why.contains(remedy)), "{why}");
}

/// A source may be anybody's: what it calls discovered is judged like any other address.
#[test]
fn a_bogon_is_not_published_for_being_discovered() {
    let mut bench = settled();
    bench.forget();
    for bogon in ["10.0.0.1", "100.64.0.1", "203.0.113.9", "127.0.0.1"] {
        tell(&mut bench, Discovered::Address(ip(bogon)));
        bench.run_for(Duration::from_secs(120));
    }
    assert!(bench.writes().is_empty());
}

/// Trap 31, behind NAT: what the old address of the router carried is dead.
#[test]
fn with_another_address_outside_no_connection_is_kept() {
    let mut bench = settled();
    bench.hangs = Some(ProviderId(0));
    tell(&mut bench, Discovered::Address(ip(NEW)));
    bench.held.clear();
    tell(&mut bench, Discovered::Address(ip("11.0.0.9")));
    assert_eq!(bench.held, [Vec::<IpAddr>::new()]);
    // The own addresses are in each snapshot, so that nothing ends for want of them.
    bench.held.clear();
    tell(&mut bench, Discovered::Nobody);
    assert!(bench.held.is_empty());
}

#[test]
fn when_the_way_to_the_internet_opens_again_the_source_is_told_to_ask() {
    let mut bench = settled();
    assert_eq!(bench.looks_again, 0);
    bench.wan = false;
    bench.run_for(Duration::from_secs(600));
    assert_eq!(bench.looks_again, 0);
    bench.wan = true;
    bench.run_for(Duration::from_secs(45));
    assert!(bench.looks_again >= 1);
}

/// FAULTS 13.
#[test]
fn after_sleep_the_source_is_told_to_ask() {
    let mut bench = settled();
    bench.sleep(Duration::from_secs(86_400));
    assert_eq!(bench.looks_again, 1);
}

#[test]
fn rounds_and_the_kind_of_nat_are_told_and_stand_in_the_status() {
    let mut bench = settled();
    bench.forget();
    let election = Election {
        family: Family::V4,
        elected: Some(ip(OLD)),
        held: Some(ip(OLD)),
        ballots: vec![],
        undecided: 0,
        hint: bench.hint(),
    };
    let nat = Nat { class: NatClass::Nat, evidence: "the router says so".into() };
    for _ in 0..2 {
        let mut event = seen(&bench, Discovered::Address(ip(OLD)));
        (event.elections, event.nat) = (vec![election.clone()], Some(nat.clone()));
        bench.discovered(event);
    }
    assert_eq!(kinds(&bench.log), ["elected", "nat", "elected"], "the kind of NAT is told when it changes");
    let source = &bench.status().sources[0];
    assert_eq!((source.elections.len(), source.nat.as_ref()), (1, Some(&nat)));
}
