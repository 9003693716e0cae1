//! A double of the services that answer with the address they were asked from, over real TLS.

use std::{
    convert::Infallible,
    future::pending,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, header, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use crate::{Namespace, namespace::spawn_thread};

const HANDSHAKE: Duration = Duration::from_secs(10);
/// Where it listens; on loopback the port is any free one.
pub const ECHO_PORT: u16 = 443;

/// What it answers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum EchoMode {
    /// The client's address and a line feed.
    #[default]
    Right,
    /// The client's address as Cloudflare's trace gives it.
    Trace,
    /// This address: a wrong one, one of the other family, a bogon.
    Fixed(IpAddr),
    /// A page with the client's address in it.
    Page,
    /// A redirect to this URL.
    Redirect(String),
    /// This status, with the client's address as body.
    Status(u16),
    /// This body.
    Body(Vec<u8>),
    /// Nothing, for ever.
    Hang,
}

struct State {
    tls: Arc<ServerConfig>,
    mode: EchoMode,
    clients: Vec<IpAddr>,
    bodies: Vec<Bytes>,
}

/// A running double. It ends when dropped.
pub struct EchoServer {
    state: Arc<Mutex<State>>,
    addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl EchoServer {
    /// Starts it inside `namespace` on all of `addresses`, port [`ECHO_PORT`]. What certificate it shows is the caller's
    /// choice.
    pub fn start(namespace: &Namespace, addresses: &[IpAddr], tls: Arc<ServerConfig>) -> Result<Self> {
        let wanted = addresses.iter().map(|&address| SocketAddr::new(address, ECHO_PORT)).collect();
        Self::launch(Some(namespace), wanted, tls)
    }

    /// Starts it on a free port of 127.0.0.1; needs no root.
    pub fn start_on_loopback(tls: Arc<ServerConfig>) -> Result<Self> {
        Self::launch(None, vec![SocketAddr::from(([127, 0, 0, 1], 0))], tls)
    }

    fn launch(namespace: Option<&Namespace>, wanted: Vec<SocketAddr>, tls: Arc<ServerConfig>) -> Result<Self> {
        let state = Arc::new(Mutex::new(State { tls, mode: EchoMode::default(), clients: vec![], bodies: vec![] }));
        let (stop, stopped) = oneshot::channel();
        let (started, starting) = mpsc::channel();
        let shared = Arc::clone(&state);
        let thread = spawn_thread(namespace, "echo double", move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
            runtime.block_on(async {
                let bound = listen(&wanted).await;
                let (bound, listeners) = match bound {
                    Ok((bound, listeners)) => (Ok(bound), listeners),
                    Err(error) => (Err(error), vec![]),
                };
                if started.send(bound).is_err() {
                    return;
                }
                for listener in listeners {
                    tokio::spawn(accept(listener, Arc::clone(&shared)));
                }
                // It only ever ends by the drop of the sender.
                drop(stopped.await);
            });
            runtime.shutdown_background();
        })?;
        let addresses = starting.recv().map_err(|_| anyhow!("the thread of the echo double ended at its start"))?;
        let addresses = addresses.context("starting the echo double")?;
        Ok(Self { state, addresses, stop: Some(stop), thread: Some(thread) })
    }

    /// What it answers from here on.
    pub fn set(&self, mode: EchoMode) {
        lock(&self.state).mode = mode;
    }

    /// As whom it presents itself on connections from here on.
    pub fn present(&self, tls: Arc<ServerConfig>) {
        lock(&self.state).tls = tls;
    }

    /// Who has asked, in order.
    pub fn clients(&self) -> Vec<IpAddr> {
        lock(&self.state).clients.clone()
    }

    /// What was sent to it, request by request, in order.
    pub fn bodies(&self) -> Vec<Bytes> {
        lock(&self.state).bodies.clone()
    }

    /// Where it listens, in the order in which the addresses were given.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Its URLs, in the same order.
    pub fn urls(&self) -> Vec<String> {
        self.addresses.iter().map(|address| format!("https://{address}/ip")).collect()
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            eprintln!("testbed: the thread of the echo double panicked");
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen(wanted: &[SocketAddr]) -> Result<(Vec<SocketAddr>, Vec<TcpListener>)> {
    let (mut bound, mut listeners) = (vec![], vec![]);
    for address in wanted {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        bound.push(listener.local_addr()?);
        listeners.push(listener);
    }
    Ok((bound, listeners))
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, client)) = listener.accept().await {
        let tls = TlsAcceptor::from(Arc::clone(&lock(&state).tls));
        tokio::spawn(serve(stream, client.ip(), tls, Arc::clone(&state)));
    }
}

async fn serve(stream: TcpStream, client: IpAddr, tls: TlsAcceptor, state: Arc<Mutex<State>>) {
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await else { return };
    let service = service_fn(|request: Request<Incoming>| {
        let state = Arc::clone(&state);
        async move {
            // A body that breaks off counts for none.
            let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let mode = {
                let mut state = lock(&state);
                state.clients.push(client);
                state.bodies.push(body);
                state.mode.clone()
            };
            if mode == EchoMode::Hang {
                pending::<()>().await;
            }
            answer(&mode, client)
        }
    });
    // A client that goes away is no event here.
    drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
}

fn answer(mode: &EchoMode, client: IpAddr) -> hyper::http::Result<Response<Full<Bytes>>> {
    let builder = Response::builder();
    let (builder, body) = match mode {
        EchoMode::Right | EchoMode::Hang => (builder, format!("{client}\n").into()),
        EchoMode::Trace => (builder, format!("fl=123f45\nh=one.one.one.one\nip={client}\nts=1700000000.1\n").into()),
        EchoMode::Fixed(address) => (builder, format!("{address}\n").into()),
        EchoMode::Page => (
            builder.header(header::CONTENT_TYPE, "text/html"),
            format!("<!DOCTYPE html><p>Log in. You are {client}").into(),
        ),
        EchoMode::Redirect(url) => (builder.status(302).header(header::LOCATION, url), Bytes::new()),
        EchoMode::Status(status) => (builder.status(*status), format!("{client}\n").into()),
        EchoMode::Body(body) => (builder, body.clone().into()),
    };
    builder.body(Full::new(body))
}
