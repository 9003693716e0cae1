use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use ddns_core::driver::Connections;
use ddns_core::ports::{Credentials, HttpRequest, HttpTransport, Method};
use futures_util::FutureExt;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, MetricExporter, Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, Temporality};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};

/// Where the collector's paths begin; the transport knows the host.
const NO_HOST: &str = "http://collector";

/// A collector that takes metrics and traces by OTLP over HTTP.
#[derive(Clone)]
pub struct Otlp {
    /// The way to it. It bounds each exchange in time.
    pub transport: Arc<dyn HttpTransport>,
    /// Who we are, if it asks.
    pub credentials: Option<Credentials>,
    /// Between two exports of the metrics.
    pub interval: Duration,
    /// The connections behind the transport: none is kept between two exports.
    pub connections: Arc<dyn Connections>,
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Otlp(every {:?})", self.interval)
    }
}

#[async_trait]
impl HttpClient for Otlp {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = HttpRequest {
            method: Method::Post,
            path: request.uri().path().to_owned(),
            credentials: self.credentials.clone(),
            accept: "application/x-protobuf",
            body: Some(("application/x-protobuf", request.into_body().to_vec())),
        };
        let answer = self.transport.exchange(request).await;
        self.connections.close_idle();
        let answer = answer?;
        Ok(Response::builder().status(answer.status).body(Bytes::from(answer.body))?)
    }
}

/// The two exporters over one way. They try once: between their own attempts they would put the whole thread to sleep. What goes wrong in one, a panic included, is an error and nothing else.
#[derive(Debug)]
pub(crate) struct Exporters {
    metrics: MetricExporter,
    spans: SpanExporter,
}

impl Exporters {
    pub(crate) fn new(otlp: &Otlp, resource: &Resource) -> Result<Self, ExporterBuildError> {
        let metrics = MetricExporter::builder()
            .with_http()
            .with_http_client(otlp.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_retry_policy(RetryPolicy::disabled())
            .with_endpoint(format!("{NO_HOST}/v1/metrics"))
            .build()?;
        let mut spans = SpanExporter::builder()
            .with_http()
            .with_http_client(otlp.clone())
            .with_protocol(Protocol::HttpBinary)
            .with_retry_policy(RetryPolicy::disabled())
            .with_endpoint(format!("{NO_HOST}/v1/traces"))
            .build()?;
        spans.set_resource(resource);
        Ok(Self { metrics, spans })
    }

    pub(crate) async fn metrics(&self, metrics: &ResourceMetrics) -> Result<(), String> {
        contained(self.metrics.export(metrics)).await
    }

    pub(crate) async fn spans(&self, batch: Vec<SpanData>) -> Result<(), String> {
        contained(self.spans.export(batch)).await
    }
}

async fn contained(export: impl Future<Output = OTelSdkResult>) -> Result<(), String> {
    match AssertUnwindSafe(export).catch_unwind().await {
        Ok(result) => result.map_err(|error| ddns_core::error_chain(&error)),
        Err(_) => Err("the exporter panicked".to_owned()),
    }
}

/// A reader that is asked by us, after it was given to the meters.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedReader(Arc<ManualReader>);

impl MetricReader for SharedReader {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}
