//! The admin socket and its limits; what it answers is a matter of [`routes`].

pub(crate) mod routes;

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingUnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tokio::time::timeout;

/// Connections at a time; further ones wait in the kernel's queue.
const AT_ONCE: usize = 8;
/// For a whole connection.
pub(crate) const LIMIT: Duration = Duration::from_secs(5);
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
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path).map_err(AdminError::Refused)?;
                }
                // Somebody may answer whom this user may not ask.
                Err(error) => return Err(AdminError::Refused(error)),
            }
        }
        let listener = UnixListener::bind(path).map_err(AdminError::Refused)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660)).map_err(AdminError::Refused)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers until it is dropped.
    pub(crate) async fn serve(&self, answers: impl Answers) -> Infallible {
        serve(async || self.listener.accept().await.map(|(stream, _)| stream), answers).await
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What answers requests.
pub(crate) trait Answers: Clone {
    /// The whole answer to a request without a body.
    fn answer(&self, request: &Parts) -> impl Future<Output = Response<Full<Bytes>>>;
}

/// Answers whoever `accept` lets in, within the limits of this module.
pub(crate) async fn serve<S>(accept: impl AsyncFn() -> io::Result<S>, answers: impl Answers) -> Infallible
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = accept(), if connections.len() < AT_ONCE => match accepted {
                Ok(stream) => connections.push(connection(stream, &answers)),
                Err(error) => {
                    tracing::warn!(%error, "No connection can be accepted");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            },
            Some(()) = connections.next() => {}
        }
    }
}

async fn connection<S>(stream: S, answers: &impl Answers)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(async |request: Request<Incoming>| {
        let (request, body) = request.into_parts();
        // Nothing that is asked here needs a body, so that none is read.
        let response = if body.is_end_stream() {
            answers.answer(&request).await
        } else {
            routes::text(StatusCode::PAYLOAD_TOO_LARGE, "a request has no body here\n")
        };
        Ok::<_, Infallible>(response)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LIMIT)
        .max_buf_size(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off or dawdles is its own affair.
    let _ = timeout(LIMIT, served).await;
}
