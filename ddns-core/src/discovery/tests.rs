mod bench;

use super::*;
use bench::{Bench, held, ip, options, snapshot};

const PRIVATE: &str = "192.168.1.5";
const OLD: &str = "11.22.33.44";
const NEW: &str = "11.22.33.99";
const GATEWAY: &str = "192.168.1.1";

#[test]
fn the_first_snapshot_comes_at_once_and_says_that_the_voters_are_being_asked() {
    let mut bench = Bench::new(options(&["a", "b"]));
    bench.host(snapshot(&[PRIVATE]));
    assert_eq!(bench.asked(), ["a", "b"]);
    assert_eq!(bench.discovered(), Some(Discovered::Asking));
    assert_eq!(bench.last().snapshot.addresses().len(), 1, "the own addresses stay in it");
    bench.answer_all(OLD);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(OLD))));
    assert_eq!(bench.last().elections[0].elected, Some(ip(OLD)));
}

/// The router is a voter, and its address is the gateway's.
#[test]
fn nobody_is_asked_before_the_gateways_are_known() {
    let now = Instant::from_nanos(1_000_000_000);
    let mut machine = Discovery::new(options(&["a", "router"]));
    let orders = machine.host(now, snapshot(&[PRIVATE]), Hint::new("netlink", now, 1));
    assert!(orders.asks.is_empty());
    assert_eq!(orders.event.unwrap().snapshot.discovered(Family::V4), Some(Discovered::Asking));
    assert_eq!(machine.gateways(now, vec![]).asks.len(), 2, "none is known as well");
}

#[test]
fn while_nothing_changes_nobody_is_asked_before_the_audit() {
    let mut bench = Bench::settled();
    let audit = bench.next_deadline().unwrap();
    assert!(audit >= Duration::from_secs(450) && audit <= Duration::from_secs(750), "{audit:?}");
    assert_eq!(bench.asks.len(), 5);
    bench.answer_all(NEW);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(NEW))));
    assert_eq!(bench.changed_by(), "audit");
}

#[test]
fn without_an_audit_there_is_no_timer_once_an_address_is_elected() {
    let mut bench = Bench::new(Options { audit: None, ..options(&["a", "b"]) });
    bench.host(snapshot(&[PRIVATE]));
    bench.answer_all(OLD);
    assert_eq!(bench.machine.deadline(), None);
}

/// FAULTS 23: sources disagree.
#[test]
fn without_a_quorum_the_last_address_is_held_and_each_rejection_has_its_reason() {
    let mut bench = Bench::settled();
    bench.next_deadline();
    bench.answer(|name| {
        Some(match name {
            "a" => Ok(ip(NEW)),
            "b" => Ok(ip("192.168.1.1")),
            "c" => Err(VoteError::Page("<html>".to_owned())),
            "d" => Err(VoteError::TimedOut),
            _ => Ok(ip("2a00::1")),
        })
    });
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(OLD))));
    let election = &bench.last().elections[0];
    assert_eq!((election.elected, election.held, election.undecided), (None, Some(ip(OLD)), 1));
    let words: Vec<_> = election.ballots.iter().filter_map(|ballot| ballot.vote.as_ref().err()).collect();
    let words: Vec<_> = words.into_iter().map(Rejected::as_str).collect();
    assert_eq!(words, ["bogon", "captive-portal", "timeout", "wrong-family"]);
    let retry = bench.next_deadline().unwrap();
    assert!(retry < Duration::from_secs(4), "{retry:?}");
    bench.answer_all(NEW);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(NEW))));
}

/// Boot before the network is there: the voters are not blamed for the way to them.
#[test]
fn a_host_without_a_way_out_tries_again_with_patience_and_blames_no_voter() {
    let mut bench = Bench::new(options(&["a", "b", "c"]));
    bench.host(snapshot(&[PRIVATE]));
    let mut waits = Vec::new();
    for _ in 0..12 {
        assert_eq!(bench.asked(), ["a", "b", "c"]);
        bench.answer(|_| Some(Err(VoteError::Unreachable("no route".into()))));
        waits.push(bench.next_deadline().unwrap());
    }
    assert!(waits[0] < Duration::from_secs(4) && waits[11] <= Duration::from_secs(375), "{waits:?}");
    assert!(waits[11] >= Duration::from_secs(225), "{waits:?}");
    // The way is open again: at once.
    bench.answer(|_| Some(Err(VoteError::Unreachable("no route".into()))));
    bench.pass(Duration::from_secs(100));
    let orders = bench.machine.look_again(bench.now);
    bench.take(orders);
    bench.answer_all(OLD);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(OLD))));
}

/// Trap 8.
#[test]
fn a_voter_that_errs_rests_and_always_comes_back() {
    let mut bench = Bench::settled();
    for _ in 0..10 {
        bench.next_deadline();
        assert!(!bench.asks.is_empty());
        bench.answer(|name| Some(if name == "c" { Err(VoteError::Refused("429".into())) } else { Ok(ip(OLD)) }));
    }
    bench.pass(Duration::from_secs(60));
    let orders = bench.machine.look_again(bench.now);
    bench.take(orders);
    assert_eq!(bench.asked(), ["a", "b", "d", "router"], "it rests");
    bench.answer_all(OLD);
    bench.pass(Duration::from_secs(4600));
    assert!(bench.asked().contains(&"c"), "an hour and a quarter is the longest rest");
    bench.answer_all(OLD);
    for _ in 0..2 {
        bench.next_deadline();
        assert!(bench.asked().contains(&"c"));
        bench.answer_all(OLD);
    }
}

#[test]
fn if_those_awake_make_no_quorum_all_are_asked() {
    let mut bench = Bench::new(options(&["a", "b", "c"]));
    bench.host(snapshot(&[PRIVATE]));
    bench.answer(|name| Some(if name == "a" { Ok(ip(NEW)) } else { Ok(ip(OLD)) }));
    bench.pass(Duration::from_secs(1));
    let orders = bench.machine.look_again(bench.now);
    bench.take(orders);
    assert_eq!(bench.asked(), ["b", "c"], "a dissented and rests");
    bench.answer(|name| Some(if name == "b" { Err(VoteError::TimedOut) } else { Ok(ip(OLD)) }));
    bench.next_deadline();
    assert_eq!(bench.asked(), ["a", "b", "c"]);
}

/// FAULTS 26.
#[test]
fn an_announcement_is_only_a_hint_and_only_from_the_gateway() {
    let mut bench = Bench::settled();
    bench.pass(Duration::from_secs(10));
    assert!(!bench.announce("192.168.1.66", Some("11.66.66.66"), 10));
    assert!(bench.asks.is_empty());
    assert_eq!(bench.machine.ignored(), 1);
    assert!(bench.announce(GATEWAY, Some("11.66.66.66"), 10));
    assert_eq!(bench.asks.len(), 5);
    bench.answer_all(OLD);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(OLD))), "the voters decide");
}

#[test]
fn an_announcement_leads_to_the_new_address_in_one_round() {
    let mut bench = Bench::settled();
    bench.pass(Duration::from_secs(100));
    bench.announce(GATEWAY, Some(NEW), 0);
    bench.answer_all(NEW);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(NEW))));
    assert_eq!(bench.changed_by(), "nat-pmp");
    let next = bench.next_deadline().unwrap();
    assert!(next > Duration::from_secs(400), "nothing is followed up: {next:?}");
}

/// FAULTS 24: the voters still see yesterday's address when the router has announced the new one.
#[test]
fn a_change_that_the_voters_do_not_see_yet_is_followed_up_three_times() {
    let mut bench = Bench::settled();
    bench.pass(Duration::from_secs(100));
    bench.announce(GATEWAY, Some(NEW), 0);
    let mut waits = Vec::new();
    for _ in 0..3 {
        bench.answer_all(OLD);
        waits.push(bench.next_deadline().unwrap().as_secs());
    }
    assert_eq!(waits, [1, 4, 16]);
    bench.answer_all(OLD);
    assert!(bench.next_deadline().unwrap() > Duration::from_secs(400));
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(OLD))));
}

/// RFC 6886 §3.2.1: a router announces up to ten times.
#[test]
fn an_announcement_that_is_repeated_asks_nobody() {
    let mut bench = Bench::settled();
    bench.pass(Duration::from_secs(100));
    bench.announce(GATEWAY, Some(NEW), 0);
    bench.answer_all(NEW);
    for second in 1..10 {
        bench.pass(Duration::from_secs(1));
        assert!(bench.announce(GATEWAY, Some(NEW), second));
        assert!(bench.asks.is_empty());
    }
    assert!(bench.announce(GATEWAY, Some(NEW), 0), "it has started anew");
    assert_eq!(bench.asks.len(), 5);
}

/// FAULTS 5, behind NAT: a storm of hints, or of forged announcements with the gateway's address, makes no storm of
/// questions.
#[test]
fn a_storm_of_hints_makes_few_rounds() {
    let mut bench = Bench::settled();
    bench.pass(Duration::from_secs(130));
    let mut rounds = 0;
    for _ in 0..6000 {
        bench.announce(GATEWAY, Some("11.66.66.66"), 0);
        rounds += usize::from(!bench.asks.is_empty());
        bench.answer_all(OLD);
        bench.pass(Duration::from_millis(10));
        rounds += usize::from(!bench.asks.is_empty());
        bench.answer_all(OLD);
    }
    assert!((4..=10).contains(&rounds), "{rounds} rounds in a minute");
}

#[test]
fn hints_during_a_round_are_answered_by_one_more() {
    let mut bench = Bench::settled();
    bench.pass(Duration::from_secs(130));
    bench.announce(GATEWAY, Some(NEW), 0);
    let first = std::mem::take(&mut bench.asks);
    bench.announce(GATEWAY, Some(NEW), 0);
    bench.announce(GATEWAY, Some(NEW), 0);
    assert!(bench.asks.is_empty());
    bench.asks = first;
    bench.answer_all(OLD);
    if bench.asks.is_empty() {
        assert!(bench.next_deadline().unwrap() <= Duration::from_secs(1));
    }
    assert_eq!(bench.asks.len(), 5);
    bench.answer_all(NEW);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(NEW))));
    assert!(bench.next_deadline().unwrap() > Duration::from_secs(400));
}

#[test]
fn a_round_ends_after_six_seconds_with_what_is_there() {
    let mut bench = Bench::new(options(&["a", "b", "c", "d"]));
    bench.host(snapshot(&[PRIVATE]));
    bench.answer(|name| ["a", "b"].contains(&name).then(|| Ok(ip(OLD))));
    assert_eq!(bench.discovered(), Some(Discovered::Asking), "two of four are no majority");
    assert_eq!(bench.next_deadline(), Some(poll::ROUND));
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(OLD))));
}

#[test]
fn an_answer_to_an_earlier_round_counts_no_more() {
    let mut bench = Bench::new(options(&["a", "b", "c"]));
    bench.host(snapshot(&[PRIVATE]));
    let late = bench.asks.clone();
    bench.asks.clear();
    bench.next_deadline();
    bench.next_deadline();
    assert_eq!(bench.asks.len(), 3);
    for ask in late {
        let orders = bench.machine.answered(bench.now, ask, Ok(ip(OLD)));
        bench.take(orders);
    }
    bench.answer_all(NEW);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(NEW))));
}

/// FAULTS 7.
#[test]
fn behind_carrier_grade_nat_nothing_is_published_and_the_reason_is_told() {
    let mut bench = Bench::new(options(&["a", "b", "router"]));
    bench.host(snapshot(&[PRIVATE]));
    bench.answer(|name| Some(Ok(ip(if name == "router" { "100.70.1.2" } else { OLD }))));
    assert_eq!(bench.discovered(), Some(Discovered::Refused(ip(OLD), Rejection::BehindCarrierGradeNat)));
    let nat = bench.last().nat.clone().unwrap();
    assert_eq!(nat.class, NatClass::CarrierGrade);
    assert!(nat.evidence.contains("100.70.1.2"), "{}", nat.evidence);
}

/// A router that is slower than the voters has said something about the address before.
#[test]
fn the_word_of_the_router_is_compared_within_one_round() {
    let mut bench = Bench::settled();
    bench.pass(Duration::from_secs(100));
    bench.announce(GATEWAY, Some(NEW), 0);
    bench.answer_all(NEW);
    let classes: Vec<_> = bench.events.iter().map(|event| event.nat.clone().unwrap().class).collect();
    assert!(!classes.contains(&NatClass::Mismatch), "{classes:?}");
    assert_eq!(bench.last().nat.clone().unwrap().class, NatClass::Nat);
}

/// The router is asked in every round that it can answer, also when it had no public address to tell.
#[test]
fn a_router_that_told_a_shared_address_is_asked_again() {
    let mut bench = Bench::new(options(&["a", "b", "router"]));
    bench.host(snapshot(&[PRIVATE]));
    bench.answer(|name| Some(Ok(ip(if name == "router" { "100.70.1.2" } else { OLD }))));
    bench.pass(Duration::from_secs(1));
    bench.announce(GATEWAY, Some(NEW), 10);
    assert_eq!(bench.asked(), ["a", "b", "router"]);
    bench.answer_all(NEW);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(NEW))));
}

/// The end of a provider's NAT: the router says so before the world does, and the provider's address is published at no
/// time in between.
#[test]
fn the_address_of_the_providers_nat_is_not_published_when_that_ends() {
    let mut bench = Bench::new(options(&["a", "b", "router"]));
    bench.host(snapshot(&[PRIVATE]));
    bench.answer(|name| Some(Ok(ip(if name == "router" { "100.70.1.2" } else { OLD }))));
    bench.pass(Duration::from_secs(100));
    bench.announce(GATEWAY, Some(NEW), 0);
    let asks = std::mem::take(&mut bench.asks);
    for ask in asks.into_iter().rev() {
        let orders = bench.machine.answered(bench.now, ask, Ok(ip(NEW)));
        bench.take(orders);
    }
    let published = bench.events.iter().filter_map(|event| match event.snapshot.discovered(Family::V4) {
        Some(Discovered::Address(address)) => Some(address),
        _ => None,
    });
    assert_eq!(published.collect::<BTreeSet<_>>(), BTreeSet::from([ip(NEW)]));
}

/// While the router rests, what it said before it rested proves nothing.
#[test]
fn the_word_of_a_router_that_rests_is_forgotten() {
    let mut bench = Bench::settled();
    bench.next_deadline();
    bench.answer(|name| (name == "router").then(|| Err(VoteError::TimedOut)).or(Some(Ok(ip(OLD)))));
    bench.pass(Duration::from_secs(1));
    let orders = bench.machine.look_again(bench.now);
    bench.take(orders);
    bench.answer(|name| Some(if name == "router" { Err(VoteError::TimedOut) } else { Ok(ip(NEW)) }));
    assert_eq!(bench.last().nat.clone().unwrap().class, NatClass::Nat);
}

/// A router that speaks is waited for, so that the address of the provider's NAT is not published in the meantime.
#[test]
fn a_majority_waits_for_the_word_of_the_router() {
    let mut bench = Bench::settled();
    bench.pass(Duration::from_secs(100));
    bench.announce(GATEWAY, Some("100.70.1.2"), 0);
    let router = bench.asks.pop().unwrap();
    bench.answer_all(NEW);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(OLD))));
    let orders = bench.machine.answered(bench.now, router, Ok(ip("100.70.1.2")));
    bench.take(orders);
    assert_eq!(bench.discovered(), Some(Discovered::Refused(ip(NEW), Rejection::BehindCarrierGradeNat)));
}

#[test]
fn behind_two_routers_the_address_is_published_and_the_state_is_named() {
    let mut bench = Bench::new(options(&["a", "b", "router"]));
    bench.host(snapshot(&[PRIVATE]));
    bench.answer(|name| Some(Ok(ip(if name == "router" { "10.0.0.2" } else { OLD }))));
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(OLD))));
    assert_eq!(bench.last().nat.clone().unwrap().class, NatClass::DoubleNat);
}

#[test]
fn with_auto_the_voters_are_asked_exactly_while_the_host_has_no_public_address() {
    let mut bench = Bench::new(Options { only_without_own: true, ..options(&["a", "b"]) });
    bench.host(snapshot(&[PRIVATE, OLD]));
    assert!(bench.asks.is_empty());
    assert_eq!(bench.machine.deadline(), None);
    assert_eq!(bench.discovered(), None, "the own addresses stand for themselves");
    bench.pass(Duration::from_secs(5));
    bench.host(snapshot(&[PRIVATE]));
    assert_eq!(bench.discovered(), Some(Discovered::Asking));
    bench.answer_all(NEW);
    assert_eq!(bench.discovered(), Some(Discovered::Address(ip(NEW))));
    bench.pass(Duration::from_secs(5));
    bench.host(snapshot(&[PRIVATE, OLD]));
    assert_eq!(bench.discovered(), None);
    assert_eq!(bench.machine.deadline(), None);
}

/// FAULTS 22: a host without any address of a family has nobody asked over it.
#[test]
fn a_family_that_the_host_does_not_have_is_not_asked_about() {
    let both = BTreeSet::from([Family::V4, Family::V6]);
    let mut bench = Bench::new(Options { families: both, ..options(&["a", "b"]) });
    bench.host(snapshot(&[PRIVATE, "fe80::1", "::1"]));
    assert!(bench.asks.iter().all(|ask| ask.family == Family::V4));
    bench.answer_all(OLD);
    bench.pass(Duration::from_secs(5));
    bench.host(snapshot(&[PRIVATE, "fe80::1", "2a00:1::5"]));
    assert!(bench.asks.iter().any(|ask| ask.family == Family::V6));
}

/// Trap 4, behind a source that asks: the world sees the privacy address that the kernel chose for the question.
#[test]
fn in_place_of_a_privacy_address_the_stable_one_beside_it_is_published() {
    let v6 = Options { families: BTreeSet::from([Family::V6]), ..options(&["a", "b"]) };
    let mut bench = Bench::new(v6.clone());
    bench.host(Snapshot::new(vec![held("2a00:1:2:3::5", false), held("2a00:1:2:3:aaaa::1", true)]));
    bench.answer_all("2a00:1:2:3:aaaa::1");
    let discovered = |bench: &Bench| bench.last().snapshot.discovered(Family::V6);
    assert_eq!(discovered(&bench), Some(Discovered::Address(ip("2a00:1:2:3::5"))));
    let mut alone = Bench::new(v6);
    alone.host(Snapshot::new(vec![held("2a00:1:2:3:aaaa::1", true)]));
    alone.answer_all("2a00:1:2:3:aaaa::1");
    let refused = Discovered::Refused(ip("2a00:1:2:3:aaaa::1"), Rejection::Temporary);
    assert_eq!(discovered(&alone), Some(refused));
}

#[test]
fn another_gateway_is_another_way_out_and_is_asked_through() {
    let mut bench = Bench::settled();
    bench.pass(Duration::from_secs(130));
    bench.gateway(GATEWAY);
    assert!(bench.asks.is_empty(), "the same one");
    bench.gateway("192.168.1.254");
    assert_eq!(bench.asks.len(), 5);
    bench.answer_all(NEW);
    assert_eq!(bench.changed_by(), "gateway");
}
