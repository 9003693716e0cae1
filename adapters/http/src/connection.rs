use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type Body = Full<Bytes>;

/// An open connection. Nothing runs beside it: it moves only while an exchange polls it.
pub(crate) struct Connection {
    sender: Sender,
    driver: BoxFuture<'static, hyper::Result<()>>,
    /// The host's address at its near end.
    pub(crate) local: IpAddr,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// How an exchange on a connection failed.
pub(crate) enum ExchangeError {
    /// The connection had been closed by the server before the request left.
    NotSent,
    /// Something of the request may have left.
    Sent(hyper::Error),
}

/// The TLS handshake.
pub(crate) async fn handshake(tcp: TcpStream, host: &str, tls: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    TlsConnector::from(tls).connect(name, tcp).await
}

impl Connection {
    /// Speaks HTTP over TLS, in the version that the handshake chose.
    pub(crate) async fn over_tls(stream: TlsStream<TcpStream>) -> io::Result<Self> {
        let local = stream.get_ref().0.local_addr()?.ip();
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Self::over(stream, local, http2).await
    }

    /// Speaks HTTP/1.1 in the clear.
    pub(crate) async fn in_the_clear(stream: TcpStream) -> io::Result<Self> {
        let local = stream.local_addr()?.ip();
        Self::over(stream, local, false).await
    }

    async fn over(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        local: IpAddr,
        http2: bool,
    ) -> io::Result<Self> {
        let io = TokioIo::new(stream);
        let (sender, driver) = if http2 {
            let (sender, driver) = http2::handshake(TokioExecutor::new(), io).await.map_err(io::Error::other)?;
            (Sender::Http2(sender), driver.boxed())
        } else {
            let (sender, driver) = http1::handshake(io).await.map_err(io::Error::other)?;
            (Sender::Http1(sender), driver.boxed())
        };
        Ok(Self { sender, driver, local })
    }

    /// Whether requests name the whole URI (HTTP/2) or the path alone.
    pub(crate) const fn wants_whole_uri(&self) -> bool {
        matches!(self.sender, Sender::Http2(_))
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, ExchangeError> {
        let answer = match &mut self.sender {
            Sender::Http1(sender) => sender.try_send_request(request).boxed(),
            Sender::Http2(sender) => sender.try_send_request(request).boxed(),
        };
        let result = drive(&mut self.driver, answer).await;
        result.map_err(|mut error| match error.take_message() {
            Some(_) => ExchangeError::NotSent,
            None => ExchangeError::Sent(error.into_error()),
        })
    }

    /// Waits for `work`, which reads from this connection.
    pub(crate) async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        drive(&mut self.driver, work).await
    }

    /// Whether another request can follow.
    pub(crate) async fn reusable(&mut self) -> bool {
        let ready = match &mut self.sender {
            Sender::Http1(sender) => sender.ready().boxed(),
            Sender::Http2(sender) => sender.ready().boxed(),
        };
        // Give the connection the chance to see that the answer has ended or that the server has closed it.
        match futures_util::future::select(&mut self.driver, ready).await {
            futures_util::future::Either::Left(_) => false,
            futures_util::future::Either::Right((ready, _)) => ready.is_ok(),
        }
    }
}

/// Polls the connection beside `work`. Once the connection has ended, `work` sees that by itself.
async fn drive<T>(driver: &mut BoxFuture<'static, hyper::Result<()>>, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut ended = false;
    std::future::poll_fn(|context| {
        if !ended {
            ended = driver.poll_unpin(context).is_ready();
        }
        work.as_mut().poll(context)
    })
    .await
}
