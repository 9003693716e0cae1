use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use crate::catalogue::{self as metric, Kind, Metric};

/// A counter whose labels are those of the catalogue.
pub(crate) struct Count {
    metric: Metric,
    counter: Counter<u64>,
}

/// A distribution whose bounds and labels are those of the catalogue.
pub(crate) struct Spread {
    metric: Metric,
    histogram: Histogram<f64>,
}

impl Count {
    fn new(meter: &Meter, metric: Metric) -> Self {
        let counter = meter.u64_counter(metric.name).with_description(metric.help).with_unit(metric.unit).build();
        Self { metric, counter }
    }

    /// Once more; `values` in the order of the labels.
    pub(crate) fn one(&self, values: &[&str]) {
        self.add(1, values);
    }

    /// So many more.
    pub(crate) fn add(&self, more: u64, values: &[&str]) {
        self.counter.add(more, &attributes(&self.metric, values));
    }
}

impl Spread {
    fn new(meter: &Meter, metric: Metric) -> Self {
        let bounds = match metric.kind {
            Kind::Histogram(bounds) => bounds.to_vec(),
            Kind::Counter | Kind::Gauge => Vec::new(),
        };
        let histogram = meter.f64_histogram(metric.name).with_description(metric.help).with_unit(metric.unit);
        Self { metric, histogram: histogram.with_boundaries(bounds).build() }
    }

    /// One that took so long.
    pub(crate) fn took(&self, duration: Duration, values: &[&str]) {
        self.histogram.record(duration.as_secs_f64(), &attributes(&self.metric, values));
    }
}

/// The labels of one series.
pub(crate) fn attributes(metric: &Metric, values: &[&str]) -> Vec<KeyValue> {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    metric.labels.iter().zip(values).map(|(label, value)| KeyValue::new(*label, (*value).to_owned())).collect()
}

/// All that is counted while things happen; what can be looked at when somebody asks is in [`crate::gauges`].
pub(crate) struct Instruments {
    pub(crate) address_changes: Count,
    pub(crate) address_unavailable: Count,
    pub(crate) events: Count,
    pub(crate) looks: Count,
    pub(crate) losses: Count,
    pub(crate) address_answer: Spread,
    pub(crate) distress: Count,
    pub(crate) suspends: Count,
    pub(crate) convergence: Spread,
    pub(crate) checks: Count,
    pub(crate) drifts: Count,
    pub(crate) provider_calls: Spread,
    pub(crate) lookups: Spread,
    pub(crate) votes: Count,
    pub(crate) discovery_votes: Count,
    pub(crate) elections: Count,
    pub(crate) probe_duration: Spread,
    pub(crate) probes: Count,
    pub(crate) recovery_decisions: Count,
    pub(crate) recovery_outcomes: Count,
    pub(crate) plug_orders: Spread,
    pub(crate) store_operations: Spread,
    pub(crate) wireguard_return: Spread,
    pub(crate) hook_runs: Count,
    pub(crate) admin_requests: Count,
    pub(crate) loop_latency: Spread,
    pub(crate) exports: Count,
    pub(crate) dropped_spans: Count,
}

impl Instruments {
    pub(crate) fn new(meter: &Meter) -> Self {
        let instruments = Self::unused(meter);
        instruments.begin_at_zero();
        instruments
    }

    /// Series that are known before their first event begin with zero: what rises from nothing is not seen to rise.
    fn begin_at_zero(&self) {
        for count in [&self.distress, &self.suspends, &self.dropped_spans] {
            count.add(0, &[]);
        }
        let one_label: [(&Count, &[&str]); 4] = [
            (&self.address_unavailable, &["IPv4", "IPv6"]),
            (&self.checks, &["right", "different", "undecided"]),
            (&self.drifts, &["repair", "report", "contested"]),
            (&self.recovery_outcomes, &["helped", "not-helped"]),
        ];
        for (count, values) in one_label {
            values.iter().for_each(|value| count.add(0, &[value]));
        }
        self.recovery_decisions.add(0, &["cycle", "line-dead"]);
    }

    fn unused(meter: &Meter) -> Self {
        let (count, spread) = (|metric| Count::new(meter, metric), |metric| Spread::new(meter, metric));
        Self {
            address_changes: count(metric::ADDRESS_CHANGES),
            address_unavailable: count(metric::ADDRESS_UNAVAILABLE),
            events: count(metric::EVENTS),
            looks: count(metric::LOOKS),
            losses: count(metric::LOSSES),
            address_answer: spread(metric::ADDRESS_ANSWER),
            distress: count(metric::DISTRESS),
            suspends: count(metric::SUSPENDS),
            convergence: spread(metric::CONVERGENCE),
            checks: count(metric::CHECKS),
            drifts: count(metric::DRIFTS),
            provider_calls: spread(metric::PROVIDER_CALLS),
            lookups: spread(metric::LOOKUPS),
            votes: count(metric::VOTES),
            discovery_votes: count(metric::DISCOVERY_VOTES),
            elections: count(metric::ELECTIONS),
            probe_duration: spread(metric::PROBE_DURATION),
            probes: count(metric::PROBES),
            recovery_decisions: count(metric::RECOVERY_DECISIONS),
            recovery_outcomes: count(metric::RECOVERY_OUTCOMES),
            plug_orders: spread(metric::PLUG_ORDERS),
            store_operations: spread(metric::STORE_OPERATIONS),
            wireguard_return: spread(metric::WIREGUARD_RETURN),
            hook_runs: count(metric::HOOK_RUNS),
            admin_requests: count(metric::ADMIN_REQUESTS),
            loop_latency: spread(metric::LOOP_LATENCY),
            exports: count(metric::EXPORTS),
            dropped_spans: count(metric::DROPPED_SPANS),
        }
    }
}
