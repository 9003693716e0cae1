//! What is answered, path by path. docs/admin-api.md describes it.

use std::sync::Arc;

use bytes::Bytes;
use ddns_core::ports::Clock;
use ddns_core::time::Wall;
use ddns_linux::BootClock;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::time::timeout;

use super::{Answers, LIMIT};
use crate::measure::{Asker, Measure};
use crate::sandbox::Sandbox;
use crate::status::document;
use crate::wireguard::Tunnel;
use crate::{history, recover};

/// Everything that the admin socket answers.
#[derive(Clone)]
pub(crate) struct Routes {
    pub(crate) asker: Asker,
    pub(crate) measure: Option<Measure>,
    pub(crate) tunnel: Option<Arc<Tunnel>>,
    /// The store outlives the process.
    pub(crate) keeps_state: bool,
    pub(crate) sandbox: Sandbox,
}

/// What is answered to whoever reaches the port of `DDNS_METRICS_LISTEN`.
#[derive(Clone)]
pub(crate) struct Public(pub(crate) Routes);

/// Prometheus's text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Clone, Copy)]
enum Route {
    Healthz,
    Readyz,
    Metrics,
    Status,
    History,
    Recovery,
    WireGuard,
}

const ROUTES: [(&str, Route); 7] = [
    ("/healthz", Route::Healthz),
    ("/readyz", Route::Readyz),
    ("/metrics", Route::Metrics),
    ("/v1/status", Route::Status),
    ("/v1/history", Route::History),
    ("/v1/recovery", Route::Recovery),
    ("/wireguard", Route::WireGuard),
];

const PUBLIC: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

impl Answers for Public {
    async fn answer(&self, request: &Parts) -> Response<Full<Bytes>> {
        if PUBLIC.contains(&request.uri.path()) {
            return self.0.answer(request).await;
        }
        text(StatusCode::NOT_FOUND, format!("there are {}\n", PUBLIC.join(", ")))
    }
}

impl Answers for Routes {
    async fn answer(&self, request: &Parts) -> Response<Full<Bytes>> {
        let response = self.routed(request).await;
        if let Some(Measure { telemetry, .. }) = &self.measure {
            let path = ROUTES.iter().map(|(path, _)| *path).find(|path| *path == request.uri.path());
            telemetry.admin_request(path.unwrap_or("other"), response.status().as_u16());
        }
        response
    }
}

impl Routes {
    async fn routed(&self, request: &Parts) -> Response<Full<Bytes>> {
        if request.method != Method::GET && request.method != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let Some((_, route)) = ROUTES.iter().find(|(path, _)| *path == request.uri.path()) else {
            let paths = ROUTES.map(|(path, _)| path).join(", ");
            return text(StatusCode::NOT_FOUND, format!("there are {paths}\n"));
        };
        match route {
            Route::Healthz => self.healthz().await,
            Route::Readyz => self.readyz().await,
            Route::Metrics => self.metrics().await,
            Route::Status => json(self.status().await),
            Route::History => self.history(request.uri.query()).await,
            Route::Recovery => {
                let status = in_time(self.asker.status()).await;
                json(status.map(|status| recover::document(&status.recovery, BootClock.now())))
            }
            Route::WireGuard => self.wireguard().await,
        }
    }

    async fn healthz(&self) -> Response<Full<Bytes>> {
        match in_time(self.asker.status()).await {
            Some(_) => text(StatusCode::OK, "ok\n"),
            None => silent(),
        }
    }

    async fn readyz(&self) -> Response<Full<Bytes>> {
        match in_time(self.asker.status()).await {
            None => silent(),
            Some(status) if status.ready() => text(StatusCode::OK, "ready\n"),
            Some(status) => {
                let right = status.records.iter().filter(|record| record.converged).count();
                let said = format!("{}; {right} of {} records verified\n", status.readiness, status.records.len());
                text(StatusCode::SERVICE_UNAVAILABLE, said)
            }
        }
    }

    async fn metrics(&self) -> Response<Full<Bytes>> {
        let Some(measure) = &self.measure else {
            return text(StatusCode::NOT_FOUND, "metrics are off: set DDNS_METRICS=true, or DDNS_METRICS_LISTEN\n");
        };
        let Some(figures) = in_time(measure.figures()).await else { return silent() };
        let mut response = text(StatusCode::OK, measure.telemetry.text(figures));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROMETHEUS));
        response
    }

    async fn status(&self) -> Option<Value> {
        // The history first: it steps the engine, and the status is that after the step.
        let history = in_time(self.asker.history()).await?;
        let status = in_time(self.asker.status()).await?;
        let tunnel = match &self.tunnel {
            Some(tunnel) => Some(peers(tunnel).await),
            None => None,
        };
        let clocks = (BootClock.now(), BootClock.wall());
        Some(document::document(&status, &history, tunnel, self.keeps_state, &self.sandbox, clocks))
    }

    async fn history(&self, query: Option<&str>) -> Response<Full<Bytes>> {
        let since = match query.map(|query| query.strip_prefix("since_ms=").and_then(|since| since.parse().ok())) {
            None => None,
            Some(Some(since)) => Some(Wall::from_millis(since)),
            Some(None) => {
                return text(StatusCode::BAD_REQUEST, "only ?since_ms=MILLISECONDS, counted from the Unix epoch\n");
            }
        };
        let history = in_time(self.asker.history()).await;
        json(history.map(|history| history::document(&history, since, BootClock.wall())))
    }

    /// Peer by peer, by the beginning of its public key: the seconds since its last handshake.
    async fn wireguard(&self) -> Response<Full<Bytes>> {
        let Some(tunnel) = &self.tunnel else {
            return text(StatusCode::NOT_FOUND, "no tunnel is looked at: set DDNS_WIREGUARD_INTERFACE\n");
        };
        if let Err(error) = tunnel.look().await {
            return text(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", ddns_core::error_chain(&error)));
        }
        let mut lines = String::new();
        for (peer, age) in tunnel.handshake_ages() {
            let age = age.map_or_else(|| "never".to_owned(), |age| age.as_secs().to_string());
            lines.push_str(&format!("{peer} {age}\n"));
        }
        text(StatusCode::OK, lines)
    }
}

async fn peers(tunnel: &Tunnel) -> Value {
    let error = match timeout(LIMIT / 4, tunnel.look()).await {
        Ok(looked) => looked.err().map(|error| ddns_core::error_chain(&error)),
        Err(_) => Some("the interface can't be read in time".to_owned()),
    };
    document::peers(tunnel.interface(), &tunnel.handshake_ages(), error)
}

/// A loop that turns answers at once; what asks it twice stays within the limit of the connection.
async fn in_time<T>(answer: impl Future<Output = Option<T>>) -> Option<T> {
    timeout(LIMIT / 4, answer).await.ok().flatten()
}

fn silent() -> Response<Full<Bytes>> {
    text(StatusCode::SERVICE_UNAVAILABLE, "the loop does not answer\n")
}

fn json(document: Option<Value>) -> Response<Full<Bytes>> {
    let Some(document) = document else { return silent() };
    let mut response = Response::new(Full::new(format!("{document}\n").into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer for people.
pub(super) fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
