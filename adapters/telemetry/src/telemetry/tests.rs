use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use ddns_core::address::{Family, Hint};
use ddns_core::discovery::{Nat, NatClass};
use ddns_core::driver::Connections;
use ddns_core::engine::{RecordStatus, SourceStatus, Stage, Status, Transition};
use ddns_core::ports::{
    HttpError, HttpRequest, HttpResponse, HttpTransport, LanReport, PathReport, TargetReport, UpdateKind,
};
use ddns_core::publish::State;
use ddns_core::readiness::Readiness;
use ddns_core::record::{RecordKey, RecordType};
use ddns_core::recovery::{RecoveryPhase, RecoveryStatus};
use ddns_core::state::SavedState;
use ddns_core::time::{Instant, Wall};

use super::*;
use crate::catalogue::{Kind, METRICS};
use crate::figures::TunnelFigures;

fn key() -> RecordKey {
    RecordKey { name: "vpn.example.com".parse().unwrap(), rtype: RecordType::A }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn figures() -> Figures {
    let saved = SavedState::decode(include_bytes!("../../../../ddns-core/tests/formats/2.json")).unwrap();
    let history = saved.history().clone();
    let wall = history.until.unwrap();
    let record = RecordStatus {
        key: key(),
        desired: Some(ip("11.0.0.2")),
        confirmed: Some(ip("11.0.0.2")),
        verified: Some(ip("11.0.0.2")),
        verified_at: Some(Wall::from_millis(1_800_000_000_500)),
        verified_by: Some(Stage::Resolvers),
        converged: true,
        proxied: false,
        state: State::Rest,
        error: Some("never a label".to_owned()),
        failures: 3,
        next: None,
    };
    let source = SourceStatus {
        name: "kernel".to_owned(),
        rung: Some("socket-filter"),
        error: None,
        elections: Vec::new(),
        nat: Some(Nat { class: NatClass::CarrierGrade, evidence: "never a label".to_owned() }),
    };
    let recovery = RecoveryStatus {
        allowed: true,
        phase: RecoveryPhase::Settling,
        why_not: None,
        plug_fails: None,
        attempts: 2,
        failures: 1,
        limited_until: None,
        intent: false,
    };
    let status = Status {
        readiness: Readiness::Ready,
        since: wall,
        started: wall,
        converged: true,
        records: vec![record],
        sources: vec![source],
        recovery,
        store_error: None,
        folded: 41,
        durable: true,
        line: None,
    };
    let peers = vec![("abcdefgh".to_owned(), Some(Duration::from_secs(7))), ("ijklmnop".to_owned(), None)];
    Figures {
        status,
        history,
        wall,
        attempts_limit: 4,
        plug: true,
        tunnel: Some(TunnelFigures { interface: "wg0".to_owned(), peers }),
    }
}

/// Everything that can be counted, once.
fn count_all(telemetry: &Telemetry) {
    let Instruments {
        address_changes,
        address_unavailable,
        events,
        looks,
        losses,
        address_answer,
        distress,
        suspends,
        convergence,
        checks,
        drifts,
        provider_calls,
        lookups,
        votes,
        discovery_votes,
        elections,
        probe_duration,
        probes,
        recovery_decisions,
        recovery_outcomes,
        plug_orders,
        store_operations,
        wireguard_return,
        hook_runs,
        admin_requests,
        loop_latency,
        exports,
        dropped_spans,
    } = &*telemetry.instruments;
    for count in [distress, suspends, dropped_spans] {
        count.one(&[]);
    }
    for count in [address_unavailable, checks, drifts, recovery_outcomes] {
        count.one(&["a"]);
    }
    for count in [events, losses, votes, elections, probes, recovery_decisions, hook_runs, admin_requests, exports] {
        count.one(&["a", "b"]);
    }
    for count in [address_changes, looks, discovery_votes] {
        count.one(&["a", "b", "c"]);
    }
    let took = Duration::from_millis(3);
    for spread in [probe_duration, loop_latency] {
        spread.took(took, &[]);
    }
    for spread in [address_answer, lookups, wireguard_return] {
        spread.took(took, &["a"]);
    }
    for spread in [convergence, plug_orders, store_operations] {
        spread.took(took, &["a", "b"]);
    }
    provider_calls.took(took, &["a", "b", "c"]);
    let lan = LanReport { carrier: Some(true), routers: vec![(ip("192.168.0.1"), None)] };
    let targets = vec![TargetReport::new("1.1.1.1:443", Some(Family::V4), None)];
    *telemetry.probe.lock().unwrap() = Some(PathReport { targets, lan: Some(lan) });
}

/// By family: its type, and the label names of its series.
fn families(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut families = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        families.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let stems = ["_bucket", "_sum", "_count", ""].map(|suffix| name.strip_suffix(suffix).unwrap_or(name));
        let stem = stems.into_iter().find(|stem| families.contains_key(*stem)).unwrap();
        let (_, names) = families.get_mut(stem).unwrap();
        let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
        names.extend(labels.map(|label| label.split('=').next().unwrap().to_owned()).filter(|name| name != "le"));
    }
    families
}

#[tokio::test]
async fn every_metric_of_the_catalogue_is_there_as_it_says_and_no_other() {
    let telemetry = Telemetry::new("0.1.0", "host", None).unwrap();
    telemetry.part("engine", async {}).await;
    count_all(&telemetry);
    let text = telemetry.text(figures());
    let mut seen = families(&text);
    for metric in METRICS {
        let name = metric.prometheus_name();
        let (kind, labels) = seen.remove(&name).unwrap_or_else(|| panic!("{name} is not there: {text}"));
        let expected = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        assert_eq!(kind, expected, "{name}");
        assert_eq!(labels, metric.labels.iter().map(|label| (*label).to_owned()).collect(), "{name}");
    }
    assert_eq!(seen.keys().collect::<Vec<_>>(), Vec::<&String>::new(), "undocumented");
}

#[tokio::test]
async fn gauges_are_what_the_engine_says() {
    let telemetry = Telemetry::new("0.1.0", "host", None).unwrap();
    let text = telemetry.text(figures());
    for line in [
        "ddns_ready 1",
        r#"ddns_readiness{state="ready"} 1"#,
        r#"ddns_readiness{state="not-ready"} 0"#,
        r#"ddns_record_converged{record="vpn.example.com",type="A"} 1"#,
        r#"ddns_record_verified_timestamp_seconds{record="vpn.example.com",type="A"} 1800000000.5"#,
        r#"ddns_record_failures{record="vpn.example.com",type="A"} 3"#,
        r#"ddns_source_up{rung="socket-filter",source="kernel"} 1"#,
        r#"ddns_nat_info{class="carrier-grade-nat",source="kernel"} 1"#,
        "ddns_address_events_folded_total 41",
        r#"ddns_recovery_phase{phase="settling"} 1"#,
        r#"ddns_recovery_phase{phase="off"} 0"#,
        "ddns_recovery_attempts 2",
        "ddns_recovery_attempts_limit 4",
        "ddns_plug_up 1",
        "ddns_store_durable 1",
        r#"ddns_loops_total{outcome="up"} 98"#,
        r#"ddns_loops_total{outcome="down"} 2"#,
        r#"ddns_wireguard_handshake_age_seconds{interface="wg0",peer="abcdefgh"} 7"#,
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(!text.contains("never a label") && !text.contains("ijklmnop") && !text.contains("11.0.0.2"), "{text}");
    let mut worse = figures();
    (worse.status.store_error, worse.status.converged) = (Some("disk full".to_owned()), false);
    worse.status.sources[0].rung = Some("netlink");
    let text = telemetry.text(worse);
    assert!(text.contains("\nddns_store_durable 0\n") && text.contains("\nddns_ready 0\n"), "{text}");
    assert!(!text.contains("socket-filter"), "what was is not told: {text}");
}

/// A collector that counts, and answers as it is told to.
struct Collector {
    asked: AtomicUsize,
    answer: fn() -> Result<HttpResponse, HttpError>,
}

#[async_trait]
impl HttpTransport for Collector {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        assert!(["/v1/metrics", "/v1/traces"].contains(&request.path.as_str()), "{}", request.path);
        let (content_type, body) = request.body.unwrap();
        assert!(content_type == "application/x-protobuf" && !body.is_empty());
        self.asked.fetch_add(1, Ordering::Relaxed);
        (self.answer)()
    }
}

struct NoConnections;

impl Connections for NoConnections {
    fn addresses_held(&self, _held: &[IpAddr]) {}
    fn close_idle(&self) {}
}

fn pushing(answer: fn() -> Result<HttpResponse, HttpError>) -> (Telemetry, Arc<Collector>) {
    let collector = Arc::new(Collector { asked: AtomicUsize::new(0), answer });
    let transport: Arc<dyn HttpTransport> = Arc::clone(&collector) as _;
    let connections = Arc::new(NoConnections);
    let otlp = Otlp { transport, credentials: None, interval: Duration::from_secs(60), connections };
    (Telemetry::new("0.1.0", "host", Some(&otlp)).unwrap(), collector)
}

/// One change that is proven, told to all views.
fn change(views: &mut [Box<dyn View>], to: &str) {
    let status = figures().status;
    let at = |millis| Instant::since_boot(Duration::from_millis(millis));
    let (family, source, interface) = (Family::V4, "kernel".to_owned(), "wan0".to_owned());
    let hint = Some(Hint { kernel_at: Some(at(100)), ..Hint::new("socket-filter", at(101), 1) });
    let course = [
        (102, Transition::AddressChanged { family, source, from: None, to: ip(to), interface, hint }),
        (103, Transition::UpdateStarted { key: key(), from: None, to: ip(to) }),
        (110, Transition::Updated { key: key(), address: ip(to), kind: UpdateKind::Changed }),
        (120, Transition::Verified { key: key(), address: ip(to), stage: Stage::Resolvers }),
    ];
    for (millis, transition) in course {
        views.iter_mut().for_each(|view| view.observe(at(millis), &transition, &status));
    }
}

#[tokio::test]
async fn a_change_is_counted_stage_by_stage_from_the_kernels_stamp() {
    let telemetry = Telemetry::new("0.1.0", "host", None).unwrap();
    change(&mut telemetry.views(), "11.0.0.2");
    let text = telemetry.text(figures());
    for line in [
        r#"ddns_convergence_seconds_sum{stage="verified",type="A"} 0.02"#,
        r#"ddns_convergence_seconds_bucket{stage="verified",type="A",le="0.01"} 0"#,
        r#"ddns_convergence_seconds_bucket{stage="verified",type="A",le="0.025"} 1"#,
        r#"ddns_convergence_seconds_count{stage="acknowledged",type="A"} 1"#,
        r#"ddns_address_changes_total{family="IPv4",rung="socket-filter",source="kernel"} 1"#,
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(!text.contains(r#"stage="served""#), "a stage that was left out is not counted: {text}");
}

#[tokio::test(start_paused = true)]
async fn a_collector_gets_each_trace_at_once_and_the_metrics_at_their_interval() {
    let (telemetry, collector) = pushing(|| Ok(HttpResponse { status: 200, ..HttpResponse::default() }));
    let mut views = telemetry.views();
    let asked = || collector.asked.load(Ordering::Relaxed);
    let course = async {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(asked(), 0);
        change(&mut views, "11.0.0.2");
        sleep(Duration::from_secs(1)).await;
        assert_eq!(asked(), 1, "the trace");
        sleep(Duration::from_secs(60)).await;
        assert_eq!(asked(), 2, "the metrics");
    };
    tokio::select! {
        () = telemetry.export(async || Some(figures())) => unreachable!(),
        () = course => {}
    }
    assert!(telemetry.text(figures()).contains(r#"ddns_telemetry_exports_total{outcome="ok",signal="traces"} 1"#));
}

/// FAULTS 76.
#[tokio::test(start_paused = true)]
async fn a_collector_that_fails_or_an_exporter_that_panics_costs_the_oldest_spans_and_they_are_counted() {
    let refusing: fn() -> Result<HttpResponse, HttpError> =
        || Ok(HttpResponse { status: 503, ..HttpResponse::default() });
    let panicking: fn() -> Result<HttpResponse, HttpError> = || panic!("an exporter's own affair");
    for answer in [refusing, panicking] {
        let (telemetry, collector) = pushing(answer);
        let mut views = telemetry.views();
        let course = async {
            for number in 0..200_u8 {
                change(&mut views, &format!("11.0.0.{number}"));
                sleep(Duration::from_secs(1)).await;
            }
            sleep(Duration::from_secs(60)).await;
        };
        tokio::select! {
            () = telemetry.export(async || Some(figures())) => unreachable!(),
            () = course => {}
        }
        let asked = collector.asked.load(Ordering::Relaxed);
        assert!((6..=14).contains(&asked), "it is asked again at the interval, not at each trace: {asked}");
        let text = telemetry.text(figures());
        let dropped = text.lines().find_map(|line| line.strip_prefix("ddns_telemetry_dropped_spans_total "));
        // The whole, hear, decide, write and prove: five spans for each change; 600 of 1,000 wait.
        assert_eq!(dropped, Some("400"), "{text}");
        assert!(text.contains(r#"ddns_telemetry_exports_total{outcome="failed",signal="metrics"}"#), "{text}");
    }
}
