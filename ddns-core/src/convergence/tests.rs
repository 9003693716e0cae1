use std::net::IpAddr;

use super::*;
use crate::engine::Stage;
use crate::ports::UpdateKind;
use crate::record::RecordType;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn key() -> RecordKey {
    RecordKey { name: "vpn.example.com".parse().unwrap(), rtype: RecordType::A }
}

fn at(millis: u64) -> Instant {
    Instant::since_boot(Duration::from_millis(millis))
}

fn changed(to: &str, hint: Option<Hint>) -> Transition {
    let (family, source, interface) = (Family::V4, "kernel".to_owned(), "wan0".to_owned());
    Transition::AddressChanged { family, source, from: Some(ip("11.0.0.1")), to: ip(to), interface, hint }
}

fn started(to: &str) -> Transition {
    Transition::UpdateStarted { key: key(), from: Some(ip("11.0.0.1")), to: ip(to) }
}

fn updated(to: &str) -> Transition {
    Transition::Updated { key: key(), address: ip(to), kind: UpdateKind::Changed }
}

fn served(to: &str) -> Transition {
    Transition::Served { key: key(), address: ip(to), servers: 2, silent: Vec::new() }
}

fn verified(to: &str) -> Transition {
    Transition::Verified { key: key(), address: ip(to), stage: Stage::Resolvers }
}

/// The completed changes of a course of events.
fn check(events: &[(u64, Transition)]) -> Vec<Convergence> {
    let mut convergences = Convergences::default();
    events.iter().filter_map(|(millis, transition)| convergences.observe(at(*millis), transition)).collect()
}

#[test]
fn every_stage_is_timed_from_the_kernels_stamp() {
    let hint = Hint { kernel_at: Some(at(100)), ..Hint::new("socket-filter", at(101), 1) };
    let [change] = &check(&[
        (103, changed("11.0.0.2", Some(hint))),
        (104, started("11.0.0.2")),
        (110, updated("11.0.0.2")),
        (113, served("11.0.0.2")),
        (120, verified("11.0.0.2")),
    ])[..] else {
        panic!("one change")
    };
    assert_eq!((change.change.before, change.change.address), (Some(ip("11.0.0.1")), ip("11.0.0.2")));
    assert_eq!(change.began, at(100));
    assert_eq!(change.told, Some(("kernel".to_owned(), Some(hint))));
    let stages: Vec<_> = change.stages.reached().map(|(name, took)| (name, took.as_millis())).collect();
    let expected =
        [("heard", 1), ("decided", 3), ("written", 4), ("acknowledged", 10), ("served", 13), ("verified", 20)];
    assert_eq!(stages, expected);
}

#[test]
fn a_write_that_is_repeated_is_timed_from_the_first_and_acknowledged_with_the_last() {
    let [change] = &check(&[
        (0, changed("11.0.0.2", Some(Hint::new("netlink", at(0), 1)))),
        (1, started("11.0.0.2")),
        (5000, started("11.0.0.2")),
        (5010, updated("11.0.0.2")),
        (5020, verified("11.0.0.2")),
    ])[..] else {
        panic!("one change")
    };
    let Stages { written, acknowledged, served, verified, .. } = change.stages;
    assert_eq!((written, acknowledged, served, verified), (Some(1000), Some(5_010_000), None, Some(5_020_000)));
}

#[test]
fn a_change_after_the_write_began_is_another_change() {
    let [change] = &check(&[
        (10, started("11.0.0.2")),
        (15, changed("11.0.0.3", Some(Hint::new("netlink", at(14), 1)))),
        (20, updated("11.0.0.2")),
        (30, verified("11.0.0.2")),
    ])[..] else {
        panic!("one change")
    };
    assert_eq!((change.began, &change.told), (at(10), &None));
    assert_eq!((change.stages.decided, change.stages.verified), (None, Some(20_000)));
}

#[test]
fn a_start_that_finds_dns_right_is_no_change() {
    assert_eq!(check(&[(0, changed("11.0.0.2", None)), (9, verified("11.0.0.2"))]), []);
}
