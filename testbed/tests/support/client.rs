//! A small HTTPS client, so that the doubles are tested from outside.
#![allow(dead_code, reason = "each test target uses another part of it")]

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Trusts one authority and always sends the same token.
#[derive(Clone)]
pub struct Client {
    tls: Arc<ClientConfig>,
    pub server: SocketAddr,
    pub token: String,
}

/// Status, headers and body.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: hyper::HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }
}

impl Client {
    pub fn new(authority: CertificateDer<'static>, server: SocketAddr, token: &str, protocol: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority).expect("a trust anchor");
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Self { tls: Arc::new(tls), server, token: token.to_owned() }
    }

    /// One request on a connection of its own.
    pub fn send(&self, method: &str, path: &str, body: Option<Value>) -> Result<Reply> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        runtime.block_on(self.exchange(method, path, "application/json", body))
    }

    /// A DNS query over HTTPS (RFC 8484, POST).
    pub fn dns_over_https(&self, message: Vec<u8>) -> Result<Reply> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.exchange("POST", "/dns-query", "application/dns-message", message.into()))
    }

    async fn exchange(&self, method: &str, path: &str, kind: &str, body: Bytes) -> Result<Reply> {
        let stream = TcpStream::connect(self.server).await.context("connecting")?;
        let name = ServerName::IpAddress(self.server.ip().into());
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.context("TLS")?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let uri = if http2 { format!("https://{}{path}", self.server) } else { path.to_owned() };
        let mut request =
            Request::builder().method(method).uri(uri).header(header::CONTENT_TYPE, kind).body(Full::new(body))?;
        if kind == "application/json" {
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {}", self.token).parse()?);
        }
        let response = if http2 {
            let (mut sender, connection) = conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        } else {
            request.headers_mut().insert(header::HOST, self.server.to_string().parse()?);
            let (mut sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            sender.send_request(request).await?
        };
        let (head, body) = response.into_parts();
        let body = body.collect().await.context("reading the body")?.to_bytes();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    }
}
