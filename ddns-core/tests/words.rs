//! Words that operators and log readers rely on.

use std::collections::BTreeSet;

use ddns_core::address::Family;
use ddns_core::engine::Stage;
use ddns_core::error_chain;
use ddns_core::ports::{HttpError, LoadError, Phase};
use ddns_core::readiness::Readiness;
use ddns_core::selection::{Rejection, Scope};

/// FAULTS 7: every reason not to publish an address has words of its own; NAT and carrier-grade NAT are told apart.
#[test]
fn every_reason_not_to_publish_has_words_of_its_own() {
    use Scope::*;
    let scopes =
        [Private, CarrierGradeNat, UniqueLocal, LinkLocal, Loopback, Documentation, Benchmarking, Multicast, Reserved];
    let mut all: Vec<Rejection> = scopes.into_iter().map(Rejection::NotPublic).collect();
    all.extend([
        Rejection::OtherInterface,
        Rejection::LinkDown,
        Rejection::Tentative,
        Rejection::Duplicate,
        Rejection::Deprecated,
        Rejection::Temporary,
    ]);
    let words: BTreeSet<String> = all.iter().map(ToString::to_string).collect();
    assert_eq!(words.len(), all.len(), "{words:?}");
    assert!(Rejection::NotPublic(Private).to_string().contains("NAT"));
    assert!(Rejection::NotPublic(CarrierGradeNat).to_string().contains("carrier-grade NAT"));
}

/// They are fields of the log.
#[test]
fn states_stages_and_families_are_told_in_fixed_words() {
    let states = [Readiness::Init, Readiness::Probing, Readiness::Ready, Readiness::NotReady];
    assert_eq!(states.map(|state| state.to_string()), ["init", "probing", "ready", "not-ready"]);
    assert_eq!([Stage::Resolvers, Stage::Provider].map(Stage::as_str), ["resolvers", "provider"]);
    assert_eq!(Family::ALL.map(|family| family.to_string()), ["IPv4", "IPv6"]);
}

/// What never left the host needs no read before the next write; all else does.
#[test]
fn only_what_did_not_leave_the_host_counts_as_not_sent() {
    let origin = || "https://api.example.com".to_owned();
    let timeout = |phase| HttpError::Timeout { origin: origin(), phase };
    let unsent = [
        HttpError::Connect { origin: origin(), cause: "no route".into() },
        HttpError::Tls { origin: origin(), remedy: "set the clock", cause: "not valid yet".into() },
        timeout(Phase::Connect),
        timeout(Phase::Handshake),
    ];
    let sent = [
        timeout(Phase::Answer),
        HttpError::TooLarge { origin: origin(), limit: 7 },
        HttpError::Broken { origin: origin(), cause: "reset".into() },
    ];
    assert!(unsent.iter().all(|error| !error.sent()) && sent.iter().all(HttpError::sent));
}

/// FAULTS 73: an error is one line, whatever a server has put into it, and says nothing twice.
#[test]
fn a_chain_of_errors_is_one_line_without_control_characters() {
    let cause = std::io::Error::other("disk\n2026-01-01 ERROR all is lost\u{1b}[2J");
    let chain = error_chain(&LoadError::Inaccessible { what: "the state".into(), cause: cause.into() });
    assert_eq!(chain, "the state: disk\\n2026-01-01 ERROR all is lost\\u{1b}[2J");
    let twice = std::io::Error::other("the state");
    assert_eq!(error_chain(&LoadError::Inaccessible { what: "the state".into(), cause: twice.into() }), "the state");
    assert!(!chain.chars().any(char::is_control));
    let last = chain.rsplit(' ').next().unwrap();
    assert!(last.ends_with("[2J"));
}
