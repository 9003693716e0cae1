use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ddns_core::driver::{Ports, View};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use prometheus::{Registry, TextEncoder};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_metrics::TaskMonitor;

use crate::figures::{Figures, LastLook, Seen};
use crate::gauges;
use crate::instruments::Instruments;
use crate::metered::{LastProbe, metered};
use crate::otlp::{Exporters, Otlp, SharedReader};
use crate::process::Process;
use crate::runtime::Runtime;
use crate::span_queue::SpanQueue;
use crate::traces::Traces;
use crate::transitions::Transitions;

/// Who measures.
pub(crate) const SCOPE: &str = "ddnsd";
/// A poll that takes longer keeps all else from its turn.
const SLOW_POLL: Duration = Duration::from_millis(10);
/// The spans of one step of the engine go out together.
const GATHER: Duration = Duration::from_millis(100);
/// At the end, for what has not been exported yet.
const LAST: Duration = Duration::from_secs(2);

/// Why telemetry can't be had.
#[derive(Debug)]
pub struct TelemetryError(String);

impl fmt::Display for TelemetryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "telemetry can't be set up: {}", self.0)
    }
}

impl std::error::Error for TelemetryError {}

/// The instruments and their readers.
pub struct Telemetry {
    instruments: Arc<Instruments>,
    look: LastLook,
    probe: LastProbe,
    runtime: Mutex<Runtime>,
    tasks: Mutex<Vec<(&'static str, TaskMonitor)>>,
    registry: Registry,
    /// It feeds the instruments for as long as it lives.
    _meters: SdkMeterProvider,
    export: Option<Export>,
}

struct Export {
    exporters: Exporters,
    reader: SharedReader,
    tracing: SdkTracerProvider,
    spans: SpanQueue,
    interval: Duration,
}

impl Telemetry {
    /// The instruments of this process, within its runtime. `instance` tells this host from others; with `otlp` they are
    /// exported while [`Self::export`] runs.
    ///
    /// # Errors
    ///
    /// What the libraries say of their own set-up; nothing is opened here.
    pub fn new(version: &'static str, instance: &str, otlp: Option<&Otlp>) -> Result<Self, TelemetryError> {
        let wrong = |what: String| TelemetryError(what);
        let registry = Registry::new();
        let prometheus = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .without_target_info()
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        // Nothing is read from the environment: its variables are ours.
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", SCOPE),
                KeyValue::new("service.version", version),
                KeyValue::new("service.instance.id", instance.to_owned()),
            ])
            .build();
        let mut meters = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(prometheus);
        let reader = SharedReader::default();
        if otlp.is_some() {
            meters = meters.with_reader(reader.clone());
        }
        let meters = meters.build();
        let meter = meters.meter(SCOPE);
        let (instruments, look) = (Arc::new(Instruments::new(&meter)), LastLook::default());
        gauges::register(&meter, &look, version);
        let export = match otlp {
            None => None,
            Some(otlp) => {
                let spans = SpanQueue::new(Arc::clone(&instruments));
                let exporters = Exporters::new(otlp, &resource).map_err(|error| wrong(error.to_string()))?;
                let tracing = SdkTracerProvider::builder()
                    .with_sampler(Sampler::AlwaysOn)
                    .with_resource(resource)
                    .with_span_processor(spans.clone())
                    .build();
                Some(Export { exporters, reader, tracing, spans, interval: otlp.interval })
            }
        };
        Ok(Self {
            instruments,
            look,
            probe: LastProbe::default(),
            runtime: Mutex::new(Runtime::current()),
            tasks: Mutex::default(),
            registry,
            _meters: meters,
            export,
        })
    }

    /// What the engine is to tell its transitions.
    pub fn views(&self) -> Vec<Box<dyn View>> {
        let mut views: Vec<Box<dyn View>> = vec![Box::new(Transitions::new(Arc::clone(&self.instruments)))];
        if let Some(export) = &self.export {
            views.push(Box::new(Traces::new(&export.tracing)));
        }
        views
    }

    /// The ports, counted. `sources` are the names of the sources, in their order.
    pub fn metered(&self, ports: Ports, sources: &[String]) -> Ports {
        metered(ports, &self.instruments, sources, &self.probe)
    }

    /// The same future, whose polls are counted as those of `part`.
    pub fn part<F: Future>(&self, part: &'static str, future: F) -> impl Future<Output = F::Output> + use<F> {
        let monitor = TaskMonitor::with_slow_poll_threshold(SLOW_POLL);
        let counted = monitor.instrument(future);
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push((part, monitor));
        counted
    }

    /// A hook was run for a verified change: `program` or `webhook`.
    pub fn hook_run(&self, hook: &'static str, ok: bool) {
        self.instruments.hook_runs.one(&[hook, if ok { "ok" } else { "failed" }]);
    }

    /// A request was answered. `path` is one of those that exist, or `other`.
    pub fn admin_request(&self, path: &'static str, code: u16) {
        self.instruments.admin_requests.one(&[path, &code.to_string()]);
    }

    /// The engine's loop has answered.
    pub fn loop_answered(&self, after: Duration) {
        self.instruments.loop_latency.took(after, &[]);
    }

    /// A peer of this interface has come back after a change of the host's address.
    pub fn peer_returned(&self, interface: &str, after: Duration) {
        self.instruments.wireguard_return.took(after, &[interface]);
    }

    fn look(&self, figures: Figures) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).look();
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let tasks = tasks.iter().map(|(task, monitor)| (*task, monitor.cumulative())).collect();
        let probe = self.probe.lock().unwrap_or_else(PoisonError::into_inner).clone();
        *self.look.lock() = Seen { figures: Some(figures), probe, runtime, tasks, process: Process::look() };
    }

    /// Everything, in Prometheus's text format 0.0.4.
    pub fn text(&self, figures: Figures) -> String {
        self.look(figures);
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }

    /// Exports by OTLP until it is dropped; pending for ever without OTLP. `figures` asks the engine, which may have ended.
    pub async fn export<F: Future<Output = Option<Figures>>>(&self, figures: impl Fn() -> F) {
        let Some(export) = &self.export else { return std::future::pending().await };
        let mut ticks = interval(export.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, when there is nothing to tell yet.
        ticks.tick().await;
        let (mut metrics, mut traces) = (Health::of("metrics"), Health::of("traces"));
        loop {
            let due = tokio::select! {
                _ = ticks.tick() => true,
                // A collector that refuses is asked again with the metrics.
                () = export.spans.filled(), if traces.good => false,
            };
            if due && let Some(figures) = figures().await {
                self.look(figures);
                let result = export.metrics().await;
                metrics.judge(result, &self.instruments);
            }
            sleep(GATHER).await;
            if let Some(result) = export.traces().await {
                traces.judge(result, &self.instruments);
            }
        }
    }

    /// The last export, of what there is since the one before; bounded in time.
    pub async fn end(&self, figures: Option<Figures>) {
        let Some(export) = &self.export else { return };
        let last = async {
            let traces = export.traces().await;
            if let Some(figures) = figures {
                self.look(figures);
            }
            [traces, Some(export.metrics().await)].into_iter().flatten().find_map(Result::err)
        };
        match timeout(LAST, last).await {
            Ok(None) => {}
            Ok(Some(error)) => tracing::warn!(error, "The last export by OTLP failed"),
            Err(_) => tracing::warn!("The last export by OTLP takes too long, and is given up"),
        }
    }
}

impl Export {
    async fn metrics(&self) -> Result<(), String> {
        let mut collected = ResourceMetrics::default();
        self.reader.collect(&mut collected).map_err(|error| error.to_string())?;
        self.exporters.metrics(&collected).await
    }

    /// `None` if there are none.
    async fn traces(&self) -> Option<Result<(), String>> {
        let batch = self.spans.take();
        if batch.is_empty() {
            return None;
        }
        let result = self.exporters.spans(batch.clone()).await;
        if result.is_err() {
            self.spans.put_back(batch);
        }
        Some(result)
    }
}

/// Whether the collector takes one kind of telemetry: its changes are logged, not each failure.
struct Health {
    signal: &'static str,
    good: bool,
}

impl Health {
    const fn of(signal: &'static str) -> Self {
        Self { signal, good: true }
    }

    fn judge(&mut self, result: Result<(), String>, instruments: &Instruments) {
        let signal = self.signal;
        instruments.exports.one(&[signal, if result.is_ok() { "ok" } else { "failed" }]);
        let good = std::mem::replace(&mut self.good, result.is_ok());
        match result {
            Ok(()) if !good => tracing::info!(signal, "The OTLP collector takes telemetry again"),
            Ok(()) => {}
            Err(error) if good => tracing::warn!(signal, error, "The OTLP collector takes no telemetry; trying again"),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
