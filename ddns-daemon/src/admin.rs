use std::convert::Infallible;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ddns_core::driver::Handle;
use ddns_core::ports::Clock;
use ddns_linux::BootClock;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

use crate::wireguard::Tunnel;
use crate::{history, recover};

/// Connections at a time; further ones wait in the kernel's queue.
const AT_ONCE: usize = 8;
/// For a whole connection.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest request head, in octets.
const HEAD: usize = 8192;

/// The admin socket: a file that goes away with it.
pub(crate) struct Admin {
    listener: UnixListener,
    path: PathBuf,
}

/// Why the socket can't be had.
#[derive(Debug)]
pub(crate) enum AdminError {
    /// Another ddnsd answers on it.
    Taken,
    /// The system refuses.
    Refused(io::Error),
}

impl Admin {
    /// Listens at `path`, for the owner and the group. A socket that nobody listens on any more is replaced.
    pub(crate) fn bind(path: &Path) -> Result<Self, AdminError> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(AdminError::Refused)?;
        }
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            match BlockingUnixStream::connect(path) {
                Ok(_) => return Err(AdminError::Taken),
                Err(_) => std::fs::remove_file(path).map_err(AdminError::Refused)?,
            }
        }
        let listener = UnixListener::bind(path).map_err(AdminError::Refused)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(AdminError::Refused)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(&self, handle: Handle, tunnel: Option<Arc<Tunnel>>) -> Infallible {
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < AT_ONCE => match accepted {
                    Ok((stream, _)) => connections.push(connection(stream, handle.clone(), tunnel.clone())),
                    Err(error) => {
                        tracing::warn!(%error, "The admin socket can't accept");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                },
                Some(()) = connections.next() => {}
            }
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn connection(stream: UnixStream, handle: Handle, tunnel: Option<Arc<Tunnel>>) {
    let service = service_fn(|request| answer(request, handle.clone(), tunnel.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LIMIT)
        .max_buf_size(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off or dawdles is its own affair.
    let _ = timeout(LIMIT, served).await;
}

async fn answer(
    request: Request<Incoming>,
    handle: Handle,
    tunnel: Option<Arc<Tunnel>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(response);
    }
    let path = request.uri().path();
    if let Some(tunnel) = tunnel.filter(|_| path == "/wireguard") {
        return Ok(handshakes(&tunnel).await);
    }
    if path == "/v1/history" {
        let history = timeout(LIMIT / 2, handle.history()).await.ok().flatten();
        return Ok(json(history.map(|history| history::document(&history, BootClock.wall()))));
    }
    if !["/healthz", "/readyz", "/v1/recovery"].contains(&path) {
        return Ok(text(
            StatusCode::NOT_FOUND,
            "there are /healthz, /readyz, /v1/history and /v1/recovery, and /wireguard with DDNS_WIREGUARD_INTERFACE\n",
        ));
    }
    Ok(match timeout(LIMIT / 2, handle.status()).await.ok().flatten() {
        None => json(None),
        Some(status) if path == "/v1/recovery" => json(Some(recover::document(&status.recovery, BootClock.now()))),
        Some(_) if path == "/healthz" => text(StatusCode::OK, "ok\n"),
        Some(status) if status.ready() => text(StatusCode::OK, "ready\n"),
        Some(status) => {
            let right = status.records.iter().filter(|record| record.converged).count();
            let said = format!("{}; {right} of {} records verified\n", status.readiness, status.records.len());
            text(StatusCode::SERVICE_UNAVAILABLE, said)
        }
    })
}

/// Peer by peer, by the beginning of its public key: the seconds since its last handshake.
async fn handshakes(tunnel: &Tunnel) -> Response<Full<Bytes>> {
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

fn json(document: Option<Value>) -> Response<Full<Bytes>> {
    let Some(document) = document else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the loop does not answer\n");
    };
    let mut response = Response::new(Full::new(format!("{document}\n").into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
