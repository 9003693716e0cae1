//! Every metric there is: instruments, documentation and tests are made of this one list.

use std::fmt::Write;

/// How a metric is read.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    /// It only rises, from zero at the start.
    Counter,
    /// It is what it is at this moment.
    Gauge,
    /// A distribution over these upper bounds.
    Histogram(&'static [f64]),
}

/// One metric, under its OpenTelemetry name.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it is read.
    pub kind: Kind,
    /// Its unit by UCUM: `s`, `By`, `1` for a share, or nothing for a number.
    pub unit: &'static str,
    /// What tells its series apart.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

impl Metric {
    /// The name under which Prometheus knows it: with the unit, and `_total` for a counter.
    pub fn prometheus_name(&self) -> String {
        let unit = match self.unit {
            "s" => "_seconds",
            "By" => "_bytes",
            "1" => "_ratio",
            _ => "",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", self.name.replace('.', "_"))
    }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, unit: "", labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: "", labels, help }
}

const fn histogram(
    name: &'static str,
    bounds: &'static [f64],
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric { name, kind: Kind::Histogram(bounds), unit: "s", labels, help }
}

const fn of(unit: &'static str, metric: Metric) -> Metric {
    Metric { unit, ..metric }
}

/// From a fraction of a millisecond, which a decision takes, to the ten minutes that a cached answer may live.
const CHANGE: &[f64] = &[
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0, 600.0,
];
/// A question to somebody else.
const CALL: &[f64] = &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// A question to ourselves; the objective is 100 ms.
const ANSWER: &[f64] =
    &[0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// A peer comes back: it asks every two minutes at the latest.
const RETURN: &[f64] = &[0.1, 0.5, 1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 180.0, 300.0];

macro_rules! metrics {
    ($($(#[$group:meta])* $name:ident = $metric:expr;)*) => {
        $($(#[$group])* pub(crate) const $name: Metric = $metric;)*
        /// All of them.
        pub const METRICS: &[Metric] = &[$($name),*];
    };
}

metrics! {
    BUILD_INFO = gauge("ddns.build.info", &["version"], "Always 1; the version that runs.");
    READY = gauge("ddns.ready", &[], "1 while the way to the Internet is open and every record is proven: what /readyz tells.");
    READINESS = gauge("ddns.readiness", &["state"], "1 for the state that the way to the Internet is in, 0 for the others: init, probing, ready, not-ready.");
    CONVERGED = gauge("ddns.record.converged", &["record", "type"], "1 while the record is proven to hold the address that it shall hold.");
    VERIFIED_AT = of("s", gauge("ddns.record.verified.timestamp", &["record", "type"], "When the record was last proven, in seconds since the Unix epoch. `time() - x` is the age of what is known."));
    FAILURES = gauge("ddns.record.failures", &["record", "type"], "Reads and writes of the record that failed in a row.");
    SOURCE_UP = gauge("ddns.source.up", &["source", "rung"], "1 while addresses are watched, and by which rung; 0 while that fails.");
    NAT_INFO = gauge("ddns.nat.info", &["source", "class"], "Always 1; what stands between the host and the Internet: unknown, direct, nat, double-nat, carrier-grade-nat, mismatch.");
    ADDRESS_CHANGES = counter("ddns.address.changes", &["family", "source", "rung"], "Addresses to be published that took the place of another, or are the first, by how that was learned.");
    ADDRESS_UNAVAILABLE = counter("ddns.address.unavailable", &["family"], "Times at which no address was publishable any more.");
    EVENTS = counter("ddns.address.events", &["source", "rung"], "Announcements of changes that were heard.");
    LOOKS = counter("ddns.address.looks", &["source", "rung", "outcome"], "Looks at the addresses, after announcements or of our own accord: changed or unchanged.");
    FOLDED = counter("ddns.address.events.folded", &[], "Announcements that shared a look with others. None is lost: each look sees the whole truth.");
    LOSSES = counter("ddns.address.event.losses", &["source", "rung"], "Times at which announcements were lost (a full ring, ENOBUFS) and a look made up for them.");
    ADDRESS_ANSWER = histogram("ddns.address.answer", ANSWER, &["source"], "From the moment at which a source was told or asked to the whole answer: which addresses the host has. The objective is less than 100 ms for 99.9 %.");
    DISTRESS = counter("ddns.connection.distress", &[], "Times at which connections made no progress, so that the way to the Internet was looked at.");
    SUSPENDS = counter("ddns.suspends", &[], "Times at which the host slept.");
    CONVERGENCE = histogram("ddns.convergence", CHANGE, &["stage", "type"], "From the kernel's stamp of a change, or as early as it was heard of, to each stage: heard, decided, written, acknowledged, served (by the zone's name servers), verified (by resolvers or the provider).");
    CHECKS = counter("ddns.checks", &["outcome"], "Questions to DNS whether a write is needed: right (nothing to do, a hit), different, undecided.");
    DRIFTS = counter("ddns.drifts", &["policy"], "Records that somebody else had changed, and what followed: repair, report, contested.");
    PROVIDER_CALLS = histogram("ddns.provider.call.duration", CALL, &["provider", "call", "outcome"], "Calls of a provider (read, update) by outcome: read, created, changed, unchanged; unreachable, unavailable, unauthorized, refused, unknown, unreadable, stale.");
    LOOKUPS = histogram("ddns.lookup.duration", CALL, &["whom"], "Questions to all authorities or resolvers, until enough of them agreed.");
    VOTES = counter("ddns.votes", &["whom", "outcome"], "What each of the authorities and resolvers said: answer, no-answer, status (HTTP), rcode (SERVFAIL and others), garbage.");
    DISCOVERY_VOTES = counter("ddns.discovery.votes", &["voter", "family", "outcome"], "What became of each voter's answer about the address outside: counted, timeout, not-awaited, failed, captive-portal, garbage, wrong-family, bogon, contradiction, dissent.");
    ELECTIONS = counter("ddns.discovery.elections", &["family", "outcome"], "Rounds of questions: elected, or held (no quorum; the last good address stays).");
    PROBE_DURATION = histogram("ddns.probe.duration", CALL, &[], "Rounds of probes of the way to the Internet.");
    PROBE_TARGET_UP = gauge("ddns.probe.target.up", &["target"], "1 if the target was reached in the last round.");
    PROBES = counter("ddns.probes", &["target", "outcome"], "Probes by outcome: reached, silent, untrusted.");
    ROUTER_UP = gauge("ddns.router.up", &[], "1 if the router answered in the last round that asked it; absent if it was not asked.");
    CARRIER_UP = gauge("ddns.carrier.up", &[], "1 if the host's cable was in in the last round that looked; absent if that is not known.");
    RECOVERY_ALLOWED = gauge("ddns.recovery.allowed", &[], "1 if the router may be power-cycled.");
    RECOVERY_PHASE = gauge("ddns.recovery.phase", &["phase"], "1 for the phase that recovery is in, 0 for the others: watching, preparing, off, restoring, settling.");
    RECOVERY_ATTEMPTS = gauge("ddns.recovery.attempts", &[], "Power cycles within the last 24 hours.");
    RECOVERY_LIMIT = gauge("ddns.recovery.attempts.limit", &[], "Power cycles that there may be within 24 hours.");
    RECOVERY_FAILURES = gauge("ddns.recovery.failures", &[], "Power cycles in a row that did not help; one that is under way counts until it has helped.");
    RECOVERY_DECISIONS = counter("ddns.recovery.decisions", &["decision", "reason"], "Decisions about a closed way: cycle, or hold with the reason.");
    RECOVERY_OUTCOMES = counter("ddns.recovery.outcomes", &["outcome"], "What power cycles came to: helped, not-helped.");
    PLUG_UP = gauge("ddns.plug.up", &[], "0 while something is wrong with the plug that feeds the router; absent without one.");
    PLUG_ORDERS = histogram("ddns.plug.order.duration", CALL, &["order", "outcome"], "Orders to the plug (look, off, on) by outcome: on, off, unreachable, unconfirmed, refused.");
    AVAILABILITY = of("1", gauge("ddns.availability", &["window"], "Ready time over known time of the last 24h, 7d, 30d and 365d, over restarts; absent while nothing is known."));
    OUTAGES = gauge("ddns.outages", &["window"], "Outages of the last 24h, 7d, 30d and 365d, over restarts.");
    LOOPS = counter("ddns.loops", &["outcome"], "Judgements of readiness since the state was begun: up, down.");
    STORE_DURABLE = gauge("ddns.store.durable", &[], "1 while state can be kept; 0: degraded, a restart would forget.");
    STORE_OPERATIONS = histogram("ddns.store.operation.duration", CALL, &["operation", "outcome"], "Loads and saves of the state: ok, error.");
    HANDSHAKE_AGE = of("s", gauge("ddns.wireguard.handshake.age", &["interface", "peer"], "Since the last handshake of each WireGuard peer that had one, by the beginning of its public key."));
    WIREGUARD_RETURN = histogram("ddns.wireguard.return", RETURN, &["interface"], "From a change of the host's address to the next handshake of each peer.");
    HOOK_RUNS = counter("ddns.hook.runs", &["hook", "outcome"], "Verified changes that were told: program or webhook; ok, failed.");
    ADMIN_REQUESTS = counter("ddns.admin.requests", &["path", "code"], "Requests that were answered.");
    LOOP_LATENCY = histogram("ddns.loop.latency", ANSWER, &[], "From a question to the engine's loop to its answer: at each reading of health, status and metrics, and for systemd's watchdog.");
    EXPORTS = counter("ddns.telemetry.exports", &["signal", "outcome"], "Exports by OTLP: metrics, traces; ok, failed.");
    DROPPED_SPANS = counter("ddns.telemetry.dropped.spans", &[], "Spans that were given up, since the collector took none for too long.");
    TOKIO_TASKS = gauge("tokio.alive_tasks", &[], "Tasks of the runtime that live.");
    TOKIO_BUSY = of("s", counter("tokio.busy", &[], "Time that the runtime's worker was busy."));
    TOKIO_PARKS = counter("tokio.parks", &[], "Times at which the runtime's worker went to sleep: it woke as often.");
    TASK_POLLS = counter("tokio.task.polls", &["task"], "Polls of each part of the daemon.");
    TASK_POLL_TIME = of("s", counter("tokio.task.poll", &["task"], "Time that each part spent in polls."));
    TASK_SLOW_POLLS = counter("tokio.task.slow_polls", &["task"], "Polls that took more than 10 ms, in which nothing else had its turn.");
    TASK_SCHEDULED = of("s", counter("tokio.task.scheduled", &["task"], "Time that each part waited for its turn after it was woken."));
    PROCESS_CPU = of("s", counter("process.cpu", &[], "User and system time."));
    PROCESS_MEMORY = of("By", gauge("process.resident_memory", &[], "Resident memory."));
    PROCESS_FDS = gauge("process.open_fds", &[], "Open file descriptors.");
    PROCESS_THREADS = gauge("process.threads", &[], "Threads.");
    PROCESS_START = of("s", gauge("process.start_time", &[], "When the process started, in seconds since the Unix epoch."));
}

/// The table of all metrics.
pub fn markdown() -> String {
    let mut text = String::from("| metric | kind | labels | meaning |\n| --- | --- | --- | --- |\n");
    for metric in METRICS {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | {kind} | {} | {} |",
            metric.prometheus_name(),
            labels.join(", "),
            metric.help.replace('|', "\\|")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_ones_that_prometheus_makes_of_them() {
        assert_eq!(VERIFIED_AT.prometheus_name(), "ddns_record_verified_timestamp_seconds");
        assert_eq!(TASK_POLL_TIME.prometheus_name(), "tokio_task_poll_seconds_total");
        assert_eq!(AVAILABILITY.prometheus_name(), "ddns_availability_ratio");
        assert_eq!(EVENTS.prometheus_name(), "ddns_address_events_total");
    }

    #[test]
    fn bounds_rise() {
        for metric in METRICS {
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(bounds.is_sorted_by(|a, b| a < b), "{}", metric.name);
            }
        }
    }
}
