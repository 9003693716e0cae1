use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use data_encoding::BASE64;
use ddns_core::address::Family;
use ddns_core::config::Endpoint;
use ddns_core::ports::{Credentials, HttpError, HttpRequest, HttpResponse, HttpTransport, Method, Phase};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use rustls::ClientConfig;
use secrecy::ExposeSecret;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use crate::connection::{Connection, ExchangeError, handshake};
use crate::dial::dial;
use crate::tls;

/// The addresses that the host holds, as far as it has been told.
pub(crate) type Held = Option<Arc<[IpAddr]>>;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// However long a server says that it takes no requests: after this it is asked again.
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);
/// Exchanges of one transport at a time; further ones wait.
const AT_ONCE: usize = 4;

/// The bounds of one exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// For looking the name up and connecting.
    pub connect: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the request's first octet to the answer's last.
    pub answer: Duration,
    /// The longest body, in octets.
    pub body: usize,
}

/// An [`HttpTransport`] bound to one endpoint.
pub struct HyperTransport {
    endpoint: Endpoint,
    /// Only over this family, and no connection is kept: what is asked so rarely would find it dead.
    pinned: Option<Family>,
    tls: Arc<ClientConfig>,
    limits: Limits,
    idle: Mutex<Vec<Connection>>,
    held: watch::Receiver<Held>,
    turns: Semaphore,
    /// When the server's window ends in which no request is left.
    closed_until: Mutex<Option<Instant>>,
}

impl HyperTransport {
    pub(crate) fn new(
        endpoint: Endpoint,
        pinned: Option<Family>,
        tls: Arc<ClientConfig>,
        limits: Limits,
        held: watch::Receiver<Held>,
    ) -> Self {
        Self {
            endpoint,
            pinned,
            tls,
            limits,
            idle: Mutex::default(),
            held,
            turns: Semaphore::new(AT_ONCE),
            closed_until: Mutex::default(),
        }
    }

    /// Drops the connections that nobody uses and that `keep` doesn't want.
    pub(crate) fn drop_idle(&self, keep: impl Fn(IpAddr) -> bool) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).retain(|connection| keep(connection.local));
    }

    fn take_idle(&self) -> Option<Connection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn still_closed(&self) -> Option<Duration> {
        let until = (*self.closed_until.lock().unwrap_or_else(PoisonError::into_inner))?;
        Some(until.saturating_duration_since(Instant::now())).filter(|wait| !wait.is_zero())
    }

    fn heed(&self, response: &HttpResponse) {
        let until = response.used_up().map(|wait| Instant::now() + wait.min(LONGEST_WINDOW));
        *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn origin(&self) -> String {
        let scheme = if self.endpoint.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.endpoint.authority())
    }

    async fn connect(&self) -> Result<Connection, HttpError> {
        let Endpoint { host, port, secure, .. } = &self.endpoint;
        let unconnected = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::TimedOut => HttpError::Timeout { origin: self.origin(), phase: Phase::Connect },
            _ => HttpError::Connect { origin: self.origin(), cause: error.into() },
        };
        let tcp = dial(host, *port, self.pinned, self.limits.connect).await.map_err(unconnected)?;
        tcp.set_nodelay(true).map_err(unconnected)?;
        if !secure {
            return Connection::in_the_clear(tcp).await.map_err(unconnected);
        }
        let untrusted = |error: std::io::Error| HttpError::Tls {
            origin: self.origin(),
            remedy: tls::remedy(&error),
            cause: error.into(),
        };
        let secured = timeout(self.limits.handshake, handshake(tcp, host, Arc::clone(&self.tls)));
        let timed_out = |_| HttpError::Timeout { origin: self.origin(), phase: Phase::Handshake };
        let stream = secured.await.map_err(timed_out)?.map_err(untrusted)?;
        Connection::over_tls(stream).await.map_err(untrusted)
    }

    fn request(&self, request: &HttpRequest, whole_uri: bool) -> Result<Request<Full<Bytes>>, HttpError> {
        let mut path = format!("{}{}", self.endpoint.path, request.path);
        if path.is_empty() {
            path.push('/');
        }
        if let Some(Credentials::Query(parameters)) = &request.credentials {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(parameters.expose_secret());
        }
        let broken = |cause: ddns_core::ports::Cause| HttpError::Connect { origin: self.origin(), cause };
        let uri = if whole_uri { format!("{}{path}", self.origin()) } else { path };
        let uri: Uri = uri.parse().map_err(|error: hyper::http::uri::InvalidUri| broken(error.into()))?;
        let method = match request.method {
            Method::Get => hyper::Method::GET,
            Method::Post => hyper::Method::POST,
            Method::Patch => hyper::Method::PATCH,
            Method::Delete => hyper::Method::DELETE,
        };
        let (content_type, body) = request.body.clone().unwrap_or_default();
        let mut built = Request::new(Full::new(Bytes::from(body)));
        *built.method_mut() = method;
        *built.uri_mut() = uri;
        let headers = built.headers_mut();
        let mut put = |name, value: &str, sensitive| -> Result<(), HttpError> {
            let mut value = HeaderValue::from_str(value).map_err(|error| broken(error.into()))?;
            value.set_sensitive(sensitive);
            headers.insert(name, value);
            Ok(())
        };
        if !whole_uri {
            put(header::HOST, &self.host(), false)?;
        }
        put(header::USER_AGENT, concat!("ddnsd/", env!("CARGO_PKG_VERSION")), false)?;
        put(header::ACCEPT, request.accept, false)?;
        if !content_type.is_empty() {
            put(header::CONTENT_TYPE, content_type, false)?;
        }
        if let Some(authorization) = request.credentials.as_ref().and_then(authorization) {
            put(header::AUTHORIZATION, &authorization, true)?;
        }
        Ok(built)
    }

    /// The `Host` field: the port is left out where it is the scheme's own.
    fn host(&self) -> String {
        let authority = self.endpoint.authority();
        let default = if self.endpoint.secure { ":443" } else { ":80" };
        authority.strip_suffix(default).map_or(authority.clone(), ToOwned::to_owned)
    }

    async fn answer(&self, connection: &mut Connection, request: Request<Full<Bytes>>) -> Result<HttpResponse, Failed> {
        let response = connection.send(request).await.map_err(|error| match error {
            ExchangeError::NotSent => Failed::NotSent,
            ExchangeError::Sent(error) => Failed::With(self.broken(error.into())),
        })?;
        let (head, body) = response.into_parts();
        let limited = Limited::new(body, self.limits.body);
        let body = connection.drive(limited.collect()).await.map_err(|error| {
            Failed::With(if error.is::<LengthLimitError>() {
                HttpError::TooLarge { origin: self.origin(), limit: self.limits.body }
            } else {
                self.broken(error)
            })
        })?;
        Ok(HttpResponse {
            status: head.status.as_u16(),
            content_type: text(&head.headers, &header::CONTENT_TYPE).unwrap_or_default(),
            authenticate: texts(&head.headers, &header::WWW_AUTHENTICATE),
            retry_after: text(&head.headers, &header::RETRY_AFTER),
            rate_limit: text(&head.headers, &RATE_LIMIT),
            body: body.to_bytes().into(),
        })
    }

    fn broken(&self, cause: ddns_core::ports::Cause) -> HttpError {
        HttpError::Broken { origin: self.origin(), cause }
    }
}

/// The content of an `Authorization` field, if these credentials go there.
fn authorization(credentials: &Credentials) -> Option<String> {
    match credentials {
        Credentials::Bearer(token) => Some(format!("Bearer {}", token.expose_secret())),
        Credentials::Basic { user, password } => {
            Some(format!("Basic {}", BASE64.encode(format!("{user}:{}", password.expose_secret()).as_bytes())))
        }
        Credentials::Digest(answer) => Some(format!("Digest {}", answer.expose_secret())),
        Credentials::Query(_) => None,
    }
}

/// Completes when the host has lost `local`.
pub(crate) async fn lost(mut held: watch::Receiver<Held>, local: IpAddr) {
    held.mark_unchanged();
    loop {
        if held.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        if held.borrow_and_update().as_ref().is_some_and(|held| !holds(held, local)) {
            return;
        }
    }
}

enum Failed {
    NotSent,
    With(HttpError),
}

/// Whether a connection from `local` can still live.
pub(crate) fn holds(held: &[IpAddr], local: IpAddr) -> bool {
    local.is_loopback() || held.contains(&local.to_canonical())
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned)
}

fn texts(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let texts: Vec<_> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

#[async_trait]
impl HttpTransport for HyperTransport {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let _turn = self.turns.acquire().await.map_err(|error| self.broken(error.into()))?;
        if let Some(wait) = self.still_closed() {
            return Err(HttpError::UsedUp { origin: self.origin(), wait });
        }
        loop {
            let kept = self.take_idle();
            let reused = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            let local = connection.local;
            let built = self.request(&request, connection.wants_whole_uri())?;
            let outcome = tokio::select! {
                biased;
                outcome = timeout(self.limits.answer, self.answer(&mut connection, built)) => outcome,
                () = lost(self.held.clone(), local) => return Err(self.broken(format!("the host has lost {local}").into())),
            };
            match outcome {
                Ok(Ok(response)) => {
                    self.heed(&response);
                    let kept = self.pinned.is_none();
                    if kept && timeout(Duration::from_millis(1), connection.reusable()).await.unwrap_or(false) {
                        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
                    }
                    return Ok(response);
                }
                Ok(Err(Failed::NotSent)) if reused => {}
                Ok(Err(Failed::NotSent)) => {
                    let cause = "the server closed the connection at once".into();
                    return Err(HttpError::Connect { origin: self.origin(), cause });
                }
                Ok(Err(Failed::With(error))) => return Err(error),
                Err(_) => return Err(HttpError::Timeout { origin: self.origin(), phase: Phase::Answer }),
            }
        }
    }
}
