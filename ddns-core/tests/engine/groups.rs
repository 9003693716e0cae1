//! Records with a source, an interface, a suffix or a provider of their own.

use std::time::Duration;

use ddns_core::config::{ProviderId, SourceId};
use ddns_core::engine::RecordStatus;
use ddns_core::publish::{State, Why};
use ddns_core::state::SavedState;

use super::bench::{Bench, Fails};
use super::{NEW, OLD, THIRD};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_record_with_an_interface_follows_that_interface_alone() {
    let mut bench = Bench::new(&[
        ("DDNS_RECORDS", "a.example.com:A"),
        ("DDNS_IP_SOURCE_INTERFACE", "wan0"),
        ("DDNS_RECORD_1_NAME", "b.example.com"),
        ("DDNS_RECORD_1_TYPE", "A"),
        ("DDNS_RECORD_1_INTERFACE", "wan1"),
    ]);
    let source = SourceId(0);
    bench.told(source, &[("wan0", "11.0.0.1"), ("wan1", "11.1.0.1")]);
    bench.run_for(HOUR);
    assert_eq!(
        (bench.api("a.example.com", "A"), bench.api("b.example.com", "A")),
        (vec!["11.0.0.1".into()], vec!["11.1.0.1".into()])
    );
    bench.forget();
    bench.told(source, &[("wan0", "11.0.0.1"), ("wan1", "11.1.0.2")]);
    bench.run_for(HOUR);
    assert_eq!(bench.writes(), ["11.1.0.2"]);
    assert_eq!(bench.written_names(), ["b.example.com"]);
    assert!(bench.status().converged);
    bench.told(source, &[("wan0", "11.0.0.1")]);
    assert!(!bench.status().converged, "the address of wan0 is none for b");
}

/// The dynamic prefix of a household, and a server in it.
#[test]
fn a_record_with_a_suffix_follows_the_prefix_and_nothing_else() {
    let mut bench = Bench::new(&[
        ("DDNS_RECORD_1_NAME", "nas.example.com"),
        ("DDNS_RECORD_1_TYPE", "AAAA"),
        ("DDNS_RECORD_1_SUFFIX", "34:56:78:9a:bc:de"),
        ("DDNS_RECORD_2_NAME", "far.example.com"),
        ("DDNS_RECORD_2_TYPE", "AAAA"),
        ("DDNS_RECORD_2_SUFFIX", "::2:0:0:0:5/56"),
    ]);
    bench.addresses(&["2a00:1:2:301::9"]);
    bench.run_for(HOUR);
    assert_eq!(bench.writes(), ["2a00:1:2:301:3656:78ff:fe9a:bcde", "2a00:1:2:302::5"]);
    assert!(bench.status().ready());
    bench.forget();
    bench.addresses(&["2a00:1:2:301::77"]);
    bench.run_for(HOUR);
    assert_eq!(bench.writes(), [""; 0], "this host's own part is not theirs");
    assert!(bench.status().ready());
    bench.addresses(&["2a00:1:5:101::77"]);
    bench.run_for(HOUR);
    assert_eq!(bench.writes(), ["2a00:1:5:101:3656:78ff:fe9a:bcde", "2a00:1:5:102::5"]);
}

#[test]
fn each_record_hears_of_its_own_source_and_one_that_fails_stops_no_other() {
    let mut bench = Bench::new(&[
        ("DDNS_RECORDS", "a.example.com:A"),
        ("DDNS_RECORD_1_NAME", "b.example.com"),
        ("DDNS_RECORD_1_TYPE", "A"),
        ("DDNS_RECORD_1_SOURCE", "model"),
    ]);
    bench.told(SourceId(0), &[("wan0", "11.0.0.1")]);
    bench.told(SourceId(1), &[("", "11.1.0.1")]);
    bench.run_for(HOUR);
    assert_eq!(bench.writes(), ["11.0.0.1", "11.1.0.1"]);
    bench.source_ends(SourceId(1));
    assert_eq!(bench.status().source_error(), Some("the end"));
    bench.told(SourceId(0), &[("wan0", "11.0.0.2")]);
    assert_eq!(bench.api("a.example.com", "A"), ["11.0.0.2"]);
    assert_eq!(bench.api("b.example.com", "A"), ["11.1.0.1"]);
    bench.told(SourceId(1), &[("", "11.1.0.2")]);
    assert_eq!(bench.status().source_error(), None);
    assert_eq!(bench.api("b.example.com", "A"), ["11.1.0.2"]);
}

/// FAULTS 38: what was refused is not asked for again because this host's own part of the address has changed.
#[test]
fn another_host_of_the_prefix_hears_nothing_of_this_hosts_own_part() {
    let mut bench = Bench::new(&[
        ("DDNS_RECORD_1_NAME", "nas.example.com"),
        ("DDNS_RECORD_1_TYPE", "AAAA"),
        ("DDNS_RECORD_1_SUFFIX", "::5"),
    ]);
    bench.fails = Some(Fails::Refused);
    bench.addresses(&["2a00:1:2:301::9"]);
    bench.run_for(MINUTE);
    bench.forget();
    bench.addresses(&["2a00:1:2:301::77"]);
    bench.run_for(30 * MINUTE);
    assert_eq!((bench.reads(), bench.attempts()), (0, 0), "it is the same address as before");
}

/// Two records at the provider without a name, one at another, in that order.
fn two_providers(more: &[(&str, &str)]) -> Bench {
    let groups = [
        ("DDNS_RECORDS", "a.example.com:A,b.example.com:A"),
        ("DDNS_PROVIDER_BIND_TYPE", "model"),
        ("DDNS_PROVIDER_BIND_SERVER", "ns1"),
        ("DDNS_RECORD_7_NAME", "c.example.com"),
        ("DDNS_RECORD_7_TYPE", "A"),
        ("DDNS_RECORD_7_PROVIDER", "bind"),
    ];
    Bench::new(&[&groups, more].concat())
}

#[test]
fn a_provider_that_hangs_holds_up_its_own_records_only() {
    let mut bench = two_providers(&[]);
    bench.hangs = Some(ProviderId(0));
    bench.addresses(&[OLD]);
    bench.run_for(MINUTE);
    assert_eq!(bench.written_names(), ["c.example.com"]);
    let mut bench = two_providers(&[]);
    bench.hangs = Some(ProviderId(1));
    bench.addresses(&[OLD]);
    bench.run_for(MINUTE);
    assert_eq!(bench.written_names(), ["a.example.com", "b.example.com"]);
    assert_eq!(bench.most_provider_calls_at_once, 1, "the records of one provider go one after another");
}

/// FAULTS 36: the limit is the account's, not the record's.
#[test]
fn a_provider_that_asks_for_patience_is_asked_nothing_for_any_of_its_records_but_another_one_is() {
    let mut bench = two_providers(&[("DDNS_MIN_UPDATE_INTERVAL_SECS", "0")]);
    bench.addresses(&[OLD]);
    bench.run_for(HOUR);
    bench.forget();
    (bench.fails, bench.fail_name) = (Some(Fails::Unavailable(Some(900))), Some("a.example.com".into()));
    bench.addresses(&[NEW]);
    assert_eq!(bench.written_names(), ["c.example.com"]);
    bench.fails = None;
    bench.run_for(Duration::from_secs(890));
    assert_eq!((bench.written_names(), bench.attempts()), (vec!["c.example.com".into()], 2));
    bench.run_for(Duration::from_secs(400));
    assert_eq!(bench.written_names(), ["c.example.com", "a.example.com", "b.example.com"]);
}

/// Two records that failed, each tried again by itself; now the provider asks for patience with the one that comes first.
fn one_asks_for_patience(fails: Fails, patience: u64) -> (Bench, usize) {
    let pace = [("DDNS_RECORDS", "a.example.com:A,b.example.com:A"), ("DDNS_MIN_UPDATE_INTERVAL_SECS", "0")];
    let mut bench = Bench::new(&pace);
    bench.addresses(&[OLD]);
    bench.run_for(HOUR);
    bench.fails = Some(fails);
    bench.addresses(&[NEW]);
    bench.run_for(HOUR / 2);
    let due = |record: &RecordStatus| match record.state {
        State::Due { at, .. } => at,
        state => panic!("{state:?}"),
    };
    let records = bench.status().records;
    let first = usize::from(due(&records[1]) < due(&records[0]));
    (bench.fails, bench.fail_name) =
        (Some(Fails::Unavailable(Some(patience))), Some(records[first].key.name.to_string()));
    bench.forget();
    while bench.attempts() == 0 && bench.reads() == 0 {
        bench.run_for(Duration::from_millis(50));
    }
    bench.fails = None;
    bench.forget();
    (bench, 1 - first)
}

/// FAULTS 36: a change of the network brings nothing forward that the provider asked to wait for.
#[test]
fn a_nudge_does_not_cut_short_what_a_provider_asked_for() {
    let (mut bench, other) = one_asks_for_patience(Fails::Unreachable, 2);
    assert!(matches!(bench.status().records[other].state, State::Due { why: Why::Unreachable, .. }));
    bench.addresses(&[NEW, "fd00::1"]);
    bench.run_for(Duration::from_millis(1800));
    assert_eq!((bench.reads(), bench.attempts()), (0, 0));
    bench.run_for(MINUTE);
    assert!(bench.attempts() + bench.reads() > 0, "then it is tried at once");
}

/// FAULTS 36: nor does another address, which may be accepted where the one before was refused.
#[test]
fn another_address_does_not_cut_short_what_a_provider_asked_for() {
    let (mut bench, other) = one_asks_for_patience(Fails::Refused, 60);
    assert!(matches!(bench.status().records[other].state, State::Due { why: Why::Refused, .. }));
    bench.addresses(&[THIRD]);
    bench.run_for(Duration::from_secs(58));
    assert_eq!((bench.reads(), bench.attempts()), (0, 0));
    bench.run_for(MINUTE);
    assert_eq!(bench.written_names().len(), 2);
}

/// FAULTS 36 and 57: a restart doesn't forget what the provider asked for, and believes no clock beyond an hour.
#[test]
fn what_a_provider_asked_for_outlives_a_restart() {
    let mut bench = two_providers(&[]);
    bench.addresses(&[OLD]);
    bench.run_for(HOUR);
    (bench.fails, bench.fail_name) = (Some(Fails::Unavailable(Some(900))), Some("a.example.com".into()));
    bench.addresses(&[NEW]);
    bench.fails = None;
    bench.run_for(MINUTE);
    let saved = bench.saved.clone().map(|state| SavedState::decode(&state.encode()).unwrap());
    bench.forget();
    bench.restart(saved.clone());
    bench.addresses(&[NEW]);
    bench.run_for(Duration::from_secs(830));
    assert_eq!((bench.reads(), bench.attempts()), (0, 0));
    bench.run_for(Duration::from_secs(400));
    assert_eq!(bench.written_names(), ["a.example.com", "b.example.com"]);
    // The same restart by a clock that was set back by more than that.
    let mut late = two_providers(&[]);
    late.run_for(Duration::from_secs(1));
    late.restart(saved);
    late.addresses(&[NEW]);
    late.run_for(Duration::from_secs(3700));
    assert_eq!(late.written_names(), ["c.example.com", "a.example.com", "b.example.com"]);
}

#[test]
fn the_time_to_live_of_a_group_goes_with_its_writes() {
    let mut bench = Bench::new(&[
        ("DDNS_RECORDS", "a.example.com:A"),
        ("DDNS_RECORD_1_NAME", "b.example.com"),
        ("DDNS_RECORD_1_TYPE", "A"),
        ("DDNS_RECORD_1_TTL", "300"),
    ]);
    bench.addresses(&[OLD]);
    assert_eq!(bench.ttls, [None, Some(300)]);
}
