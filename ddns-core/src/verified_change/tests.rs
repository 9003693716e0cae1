use super::*;
use crate::engine::Stage;
use crate::ports::UpdateKind;
use crate::record::RecordType;

fn ip(last: u8) -> IpAddr {
    [11, 22, 33, last].into()
}

fn key(name: &str) -> RecordKey {
    RecordKey { name: name.parse().unwrap(), rtype: RecordType::A }
}

fn started(from: Option<u8>, to: u8) -> Transition {
    Transition::UpdateStarted { key: key("vpn.example.com"), from: from.map(ip), to: ip(to) }
}

fn updated(address: u8, kind: UpdateKind) -> Transition {
    Transition::Updated { key: key("vpn.example.com"), address: ip(address), kind }
}

fn verified(address: u8) -> Transition {
    Transition::Verified { key: key("vpn.example.com"), address: ip(address), stage: Stage::Resolvers }
}

/// The changes among these transitions: from where, to where.
fn check(transitions: &[Transition], wanted: &[(Option<u8>, u8)]) {
    let mut changes = VerifiedChanges::default();
    let found: Vec<_> = transitions.iter().filter_map(|transition| changes.of(transition)).collect();
    let found: Vec<_> = found.iter().map(|change| (change.before, change.address)).collect();
    let wanted: Vec<_> = wanted.iter().map(|(before, address)| (before.map(ip), ip(*address))).collect();
    assert_eq!(found, wanted);
}

#[test]
fn a_start_that_finds_dns_right_is_no_change_and_the_next_address_is_one() {
    check(&[verified(1), verified(1)], &[]);
    check(&[verified(1), started(Some(1), 2), updated(2, UpdateKind::Changed), verified(2)], &[(Some(1), 2)]);
}

#[test]
fn a_write_after_the_start_is_a_change_from_what_was_acknowledged_before() {
    check(&[started(None, 1), updated(1, UpdateKind::Created), verified(1)], &[(None, 1)]);
    check(&[started(Some(9), 1), updated(1, UpdateKind::Changed), verified(1)], &[(Some(9), 1)]);
}

#[test]
fn a_write_that_found_the_record_right_is_no_change() {
    check(&[started(None, 1), updated(1, UpdateKind::Unchanged), verified(1)], &[]);
    check(&[started(Some(1), 1), updated(1, UpdateKind::Changed), verified(1)], &[]);
}

#[test]
fn a_write_whose_answer_was_lost_counts_when_it_is_verified() {
    check(&[started(Some(9), 1), verified(1)], &[(Some(9), 1)]);
    check(&[verified(1), started(Some(1), 2), updated(2, UpdateKind::Unchanged), verified(2)], &[(Some(1), 2)]);
}

#[test]
fn an_address_that_comes_back_before_another_was_verified_is_no_change() {
    check(&[verified(1), started(Some(1), 2), started(Some(2), 1), verified(1)], &[]);
}

fn change(name: &str, before: u8, address: u8) -> VerifiedChange {
    VerifiedChange { key: key(name), before: Some(ip(before)), address: ip(address) }
}

#[test]
fn the_latest_of_each_record_waits_and_the_first_record_comes_first() {
    let mut waiting = WaitingChanges::default();
    for change in [change("a.test", 1, 2), change("b.test", 1, 2), change("a.test", 2, 3), change("a.test", 3, 4)] {
        waiting.add(change);
    }
    assert_eq!(waiting.take(), Some(change("a.test", 1, 4)));
    assert_eq!(waiting.take(), Some(change("b.test", 1, 2)));
    assert_eq!(waiting.take(), None);
}

#[test]
fn what_leads_back_is_not_told() {
    let mut waiting = WaitingChanges::default();
    waiting.add(change("a.test", 1, 2));
    waiting.add(change("a.test", 2, 1));
    assert_eq!(waiting.take(), None);
}
