//! TLS, HTTP and the thread on which they run.

use std::{
    convert::Infallible,
    future::pending,
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use http_body_util::{BodyExt, Limited};
use hyper::{HeaderMap, body::Incoming, header, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::ServerConfig;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use super::{
    answer::{ApiError, failure},
    body::Reply,
    dns::{Publisher, publish_all},
    fault::Fault,
    quota,
    route::{self, Request, decoded_query},
    state::Shared,
    transcript::Exchange,
};
use crate::{Namespace, clock::boottime_ns, namespace::spawn_thread};

const HANDSHAKE: Duration = Duration::from_secs(10);
const ERRAND: Duration = Duration::from_secs(30);
const LARGEST_REQUEST: usize = 1 << 20;

/// The thread with its listeners.
pub(super) struct Server {
    addresses: Vec<SocketAddr>,
    runtime: Handle,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// The connection ends without an answer.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a scripted end of the connection")
    }
}

impl std::error::Error for NoAnswer {}

struct Api {
    shared: Arc<Shared>,
    dns: Option<Arc<Publisher>>,
}

impl Server {
    pub(super) fn start(
        namespace: Option<&Namespace>,
        addresses: &[SocketAddr],
        tls: Arc<ServerConfig>,
        shared: Arc<Shared>,
        dns: Option<Arc<Publisher>>,
    ) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (started, starting) = mpsc::channel();
        let wanted = addresses.to_vec();
        let api = Arc::new(Api { shared, dns });
        let thread = spawn_thread(namespace, "cloudflare double", move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
            runtime.block_on(async {
                let listeners = listen(&wanted).await;
                let bound = listeners.as_ref().map_err(|error| anyhow!("{error:#}")).and_then(|listeners| {
                    listeners.iter().map(|listener| Ok(listener.local_addr()?)).collect::<Result<Vec<_>>>()
                });
                if started.send(bound.map(|bound| (bound, Handle::current()))).is_err() {
                    return;
                }
                for listener in listeners.into_iter().flatten() {
                    tokio::spawn(accept(listener, TlsAcceptor::from(Arc::clone(&tls)), Arc::clone(&api)));
                }
                // It only ever ends by the drop of the sender.
                drop(stopped.await);
            });
            runtime.shutdown_background();
        })?;
        match starting.recv() {
            Ok(Ok((addresses, runtime))) => Ok(Self { addresses, runtime, stop: Some(stop), thread: Some(thread) }),
            Ok(Err(error)) => Err(error).context("starting the Cloudflare double"),
            Err(_) => match thread.join() {
                Ok(Err(error)) => Err(error).context("starting the Cloudflare double"),
                Ok(Ok(())) | Err(_) => Err(anyhow!("the thread of the Cloudflare double ended at its start")),
            },
        }
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Runs `errand` on the server's thread, hence in its namespace, and waits for it.
    pub(super) fn run(&self, errand: impl Future<Output = Result<()>> + Send + 'static) -> Result<()> {
        let (done, waiting) = mpsc::channel();
        self.runtime.spawn(async move { done.send(errand.await) });
        waiting.recv_timeout(ERRAND).context("the thread of the Cloudflare double did not answer")?
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            eprintln!("testbed: the thread of the Cloudflare double panicked");
        }
    }
}

async fn listen(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>> {
    let mut listeners = vec![];
    for address in addresses {
        listeners.push(TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?);
    }
    Ok(listeners)
}

async fn accept(listener: TcpListener, tls: TlsAcceptor, api: Arc<Api>) {
    while let Ok((stream, client)) = listener.accept().await {
        api.shared.lock().count_connection();
        tokio::spawn(serve(stream, client, tls.clone(), Arc::clone(&api)));
    }
}

async fn serve(stream: TcpStream, client: SocketAddr, tls: TlsAcceptor, api: Arc<Api>) {
    // Without it the last bytes of an answer may wait for an acknowledgement.
    drop(stream.set_nodelay(true));
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else {
        api.shared.lock().count_failed_handshake();
        return;
    };
    let service = service_fn(|request| {
        let api = Arc::clone(&api);
        async move { api.answer(client, request).await }
    });
    // A client that goes away, or is sent away by a script, is no event here: the transcript tells it.
    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
}

type Response = hyper::Response<Reply>;

impl Api {
    async fn answer(&self, client: SocketAddr, request: hyper::Request<Incoming>) -> Result<Response, NoAnswer> {
        let received_ns = boottime_ns();
        let version = format!("{:?}", request.version());
        let (head, body) = request.into_parts();
        let body = Limited::new(body, LARGEST_REQUEST).collect().await.map_err(|_| NoAnswer)?.to_bytes().to_vec();
        let request = Request {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            query: decoded_query(head.uri.query().unwrap_or_default()),
            authorization: text(&head.headers, &header::AUTHORIZATION),
            body,
        };
        let exchange = Exchange {
            received_ns,
            answered_ns: None,
            client,
            version,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            user_agent: text(&head.headers, &header::USER_AGENT),
            request_body: serde_json::from_slice(&request.body).ok(),
            status: None,
            response_body: None,
            faulted: false,
            wrote: false,
        };
        let (place, fault) = {
            let mut state = self.shared.lock();
            let fault = state.script_mut().take(&request.method, exchange.endpoint());
            (state.begin(Exchange { faulted: fault.is_some(), ..exchange }), fault)
        };
        match fault {
            None => Ok(self.perform(place, &request).await),
            Some(Fault::QuotaUsedUp(seconds)) => {
                self.shared.lock().exchange_mut(place).faulted = false;
                let mut response = self.perform(place, &request).await;
                quota::tell_used_up(response.headers_mut(), seconds);
                Ok(response)
            }
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                self.shared.lock().exchange_mut(place).faulted = false;
                Ok(self.perform(place, &request).await)
            }
            Some(Fault::ApplyThenDrop) => {
                drop(self.perform(place, &request).await);
                let mut state = self.shared.lock();
                let exchange = state.exchange_mut(place);
                (exchange.status, exchange.response_body) = (None, None);
                Err(NoAnswer)
            }
            Some(Fault::Drop) => Err(NoAnswer),
            Some(Fault::HangBeforeAnswer) => pending().await,
            Some(fault) => {
                let (response, body) = scripted(&fault);
                self.conclude(place, response.status().as_u16(), body);
                Ok(response)
            }
        }
    }

    /// Handles the request as the API does, DNS included.
    async fn perform(&self, place: usize, request: &Request) -> Response {
        let outcome = {
            let mut state = self.shared.lock();
            let outcome = route::answer(&mut state, request);
            state.exchange_mut(place).wrote = outcome.wrote.is_some();
            outcome
        };
        let mut answer = outcome.answer;
        if let (Some(dns), Some(keys)) = (&self.dns, outcome.wrote)
            && let Err(error) = publish_all(Arc::clone(dns), Arc::clone(&self.shared), keys).await
        {
            eprintln!("testbed: the write was not put into DNS: {error:#}");
            answer = ApiError::internal(&format!("the testbed's name server: {error:#}")).answer();
        }
        self.conclude(place, answer.status, Some(answer.body.clone()));
        let mut response = json(answer.status, &answer.body);
        quota::tell_used(response.headers_mut(), place);
        response
    }

    fn conclude(&self, place: usize, status: u16, body: Option<Value>) {
        let mut state = self.shared.lock();
        let exchange = state.exchange_mut(place);
        exchange.answered_ns = Some(boottime_ns());
        exchange.status = Some(status);
        exchange.response_body = body;
    }
}

/// The answer of a script, with its body if a client can read it as JSON.
fn scripted(fault: &Fault) -> (Response, Option<Value>) {
    const SHOWN: &str = r#"{"result":[{"id":"023e105f4ecef8ad9ca31a8372d0c353","name":"vpn.exa"#;
    match fault {
        Fault::Status { code, retry_after, body } => {
            let body = body.clone().unwrap_or_else(|| match code {
                429 => failure(971, "Please wait and consider throttling your request speed"),
                code => failure(10000, &format!("A scripted answer with status {code}")),
            });
            let mut response = json(*code, &body);
            if let Some(seconds) = retry_after.as_ref().filter(|_| *code == 429).and_then(|text| text.parse().ok()) {
                quota::tell_used_up(response.headers_mut(), seconds);
            }
            if let Some(value) = retry_after.as_ref().and_then(|text| header::HeaderValue::from_str(text).ok()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
            (response, Some(body))
        }
        Fault::SuccessFalse => {
            let body = failure(1000, "A scripted failure under status 200");
            (json(200, &body), Some(body))
        }
        Fault::Html => (response(200, "text/html", Reply::whole("<html><body>Please log in</body></html>")), None),
        Fault::Garbage => (response(200, "application/json", Reply::whole(&b"\xff\x00{]not json"[..])), None),
        Fault::Truncated => {
            let mut response = response(200, "application/json", Reply::broken(SHOWN));
            response.headers_mut().insert(header::CONTENT_LENGTH, header::HeaderValue::from_static("4096"));
            (response, None)
        }
        Fault::ResetMidBody => (response(200, "application/json", Reply::broken(SHOWN)), None),
        Fault::Huge(bytes) => {
            let reply =
                Reply::huge(r#"{"success":true,"errors":[],"messages":[],"result":[],"filler":""#, *bytes, r#""}"#);
            (response(200, "application/json", reply), None)
        }
        Fault::Redirect(url) => {
            let mut response = response(302, "text/html", Reply::whole(""));
            if let Ok(value) = header::HeaderValue::from_str(url) {
                response.headers_mut().insert(header::LOCATION, value);
            }
            (response, None)
        }
        Fault::QuotaUsedUp(_) | Fault::HangBeforeAnswer | Fault::Slow(_) | Fault::ApplyThenDrop | Fault::Drop => {
            unreachable!("these have no answer of their own")
        }
    }
}

fn json(status: u16, body: &Value) -> Response {
    response(status, "application/json", Reply::whole(body.to_string()))
}

fn response(status: u16, content_type: &'static str, body: Reply) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
