use std::collections::BTreeMap;
use std::time::SystemTime;

use ddns_core::convergence::{Convergence, Convergences};
use ddns_core::driver::View;
use ddns_core::engine::{Status, Transition};
use ddns_core::record::RecordKey;
use ddns_core::time::Instant;
use opentelemetry::trace::{Span, SpanBuilder, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::telemetry::SCOPE;

/// Failures that a span tells at most.
const FAILURES: usize = 16;

/// A trace of each change: one span from the kernel's stamp to the proof, with one beneath it for each stage.
pub(crate) struct Traces {
    tracer: SdkTracer,
    convergences: Convergences,
    failures: BTreeMap<RecordKey, Vec<(Instant, String)>>,
}

impl Traces {
    pub(crate) fn new(provider: &SdkTracerProvider) -> Self {
        let failures = BTreeMap::new();
        Self { tracer: provider.tracer(SCOPE), convergences: Convergences::default(), failures }
    }

    fn tell(&self, now: Instant, convergence: &Convergence, failures: &[(Instant, String)]) {
        let Convergence { change, began, told, stages } = convergence;
        // The monotonic clock in terms of the wall clock, as it is set at this moment.
        let (wall, at_wall) = (SystemTime::now(), |at: Instant, wall: SystemTime| {
            wall.checked_sub(now.saturating_since(at)).unwrap_or(wall)
        });
        let mut about = vec![
            KeyValue::new("ddns.record", change.key.name.to_string()),
            KeyValue::new("ddns.type", change.key.rtype.to_string()),
            KeyValue::new("ddns.address", change.address.to_string()),
        ];
        about.extend(change.before.map(|before| KeyValue::new("ddns.address.before", before.to_string())));
        if let Some((source, hint)) = told {
            about.push(KeyValue::new("ddns.source", source.clone()));
            about.extend(hint.map(|hint| KeyValue::new("ddns.rung", hint.rung)));
            about.extend(hint.and_then(|hint| hint.by).map(|by| KeyValue::new("ddns.by", by.to_string())));
        }
        let builder = SpanBuilder::from_name("convergence");
        let builder = builder.with_start_time(at_wall(*began, wall)).with_attributes(about);
        let mut whole = self.tracer.build_with_context(builder, &Context::new());
        for (at, what) in failures {
            whole.add_event_with_timestamp("failed", at_wall(*at, wall), vec![KeyValue::new("error", what.clone())]);
        }
        let whole = Context::new().with_span(whole);
        let micros = std::time::Duration::from_micros;
        let stage = |name: &'static str, from: Option<u64>, to: Option<u64>| {
            let (Some(from), Some(to)) = (from, to) else { return };
            let (from, to) = (*began + micros(from), *began + micros(to));
            let builder = SpanBuilder::from_name(name).with_start_time(at_wall(from, wall));
            self.tracer.build_with_context(builder, &whole).end_with_timestamp(at_wall(to, wall));
        };
        stage("hear", stages.heard.map(|_| 0), stages.heard);
        stage("decide", stages.heard, stages.decided);
        stage("write", stages.written, stages.acknowledged);
        stage("name servers", stages.acknowledged, stages.served);
        stage("prove", stages.served.or(stages.acknowledged), stages.verified);
        whole.span().end_with_timestamp(wall);
    }
}

impl View for Traces {
    fn observe(&mut self, now: Instant, transition: &Transition, _status: &Status) {
        if let Transition::UpdateFailed { key, what, .. } = transition {
            let failures = self.failures.entry(key.clone()).or_default();
            if failures.len() < FAILURES {
                failures.push((now, what.clone()));
            }
        }
        let convergence = self.convergences.observe(now, transition);
        if let Transition::Verified { key, .. } = transition {
            let failures = self.failures.remove(key).unwrap_or_default();
            if let Some(convergence) = convergence {
                self.tell(now, &convergence, &failures);
            }
        }
    }
}
