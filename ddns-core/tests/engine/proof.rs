//! What counts as proven.

use std::time::Duration;

use crate::bench::{Bench, Fails, NAME};
use crate::kinds::kinds;
use crate::{NEW, OLD, THIRD, settled};

/// A restart with an unchanged address that DNS shows makes no API call at all.
#[test]
fn a_restart_with_an_unchanged_address_makes_no_write() {
    let mut bench = settled();
    let saved = bench.saved.clone();
    bench.restart(saved);
    bench.forget();
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3500));
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

/// The proof was given up for another address, which then was never written.
#[test]
fn an_address_that_comes_back_before_another_was_written_is_proven_again() {
    let mut bench = settled();
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(5));
    bench.addresses(&[THIRD]);
    bench.run_for(Duration::from_secs(5));
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(5));
    assert_eq!(bench.writes(), [OLD, NEW]);
    assert!(bench.status().ready(), "{:?}", bench.status());
}

/// Trap 10: nor against what the provider was read to hold, be it somebody else's address.
#[test]
fn a_cached_answer_is_not_believed_against_what_the_provider_was_read_to_hold() {
    let mut bench = settled();
    bench.addresses(&[NEW]);
    let saved = bench.saved.clone();
    bench.api_holds(NAME, "A", THIRD);
    bench.restart(saved);
    bench.addresses(&[NEW]);
    assert_eq!(bench.writes(), [OLD, NEW], "the write waits for the interval's end");
    let saved = bench.saved.clone();
    bench.dns_shows(NAME, "A", &[NEW]);
    bench.restart(saved);
    bench.forget();
    bench.addresses(&[NEW]);
    assert!(!bench.status().converged, "the provider was read to hold {THIRD}");
    bench.run_for(Duration::from_secs(70));
    assert_eq!(bench.writes(), [NEW]);
    assert!(bench.status().ready(), "{:?}", bench.status());
}

/// A cached answer was believed for as long as the provider could not be read.
#[test]
fn a_cached_answer_is_asked_for_again_while_the_provider_cannot_be_read() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    bench.api_holds(NAME, "A", THIRD);
    bench.dns_shows(NAME, "A", &[OLD]);
    (bench.fails, bench.reads_fail) = (Some(Fails::Refused), true);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(200));
    bench.dns_shows(NAME, "A", &[THIRD]);
    bench.run_for(Duration::from_secs(200));
    assert!(!bench.status().converged, "the cache has expired");
}

/// Trap 16: DNS never shows the address of a proxied record, and a cache that still does proves nothing.
#[test]
fn dns_is_not_asked_about_a_record_that_is_known_to_be_proxied() {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    bench.proxied = true;
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.status().ready(), "{:?}", bench.status());
    bench.forget();
    let saved = bench.saved.clone();
    bench.restart(saved);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3600));
    assert_eq!((bench.resolved(), bench.reads()), (0, 1));
    assert!(bench.status().ready(), "{:?}", bench.status());
}
