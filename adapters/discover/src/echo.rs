//! Services that answer an HTTP request with the address it came from.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use ddns_core::address::Family;
use ddns_core::ports::{HttpError, HttpRequest, HttpResponse, HttpTransport, Method, VoteError, Voter};

use crate::quote::quoted;

/// RFC 6585 §6: what a captive portal answers that knows what it is.
const NETWORK_AUTHENTICATION_REQUIRED: u16 = 511;

/// Asks one echo service.
pub struct EchoVoter {
    v4: Arc<dyn HttpTransport>,
    v6: Arc<dyn HttpTransport>,
}

impl EchoVoter {
    /// A voter over two transports to the service's URL, of which each must connect over its family only.
    pub fn new(v4: Arc<dyn HttpTransport>, v6: Arc<dyn HttpTransport>) -> Self {
        Self { v4, v6 }
    }
}

#[async_trait]
impl Voter for EchoVoter {
    async fn ask(&self, family: Family) -> Result<IpAddr, VoteError> {
        let transport = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let request = HttpRequest {
            method: Method::Get,
            path: String::new(),
            credentials: None,
            accept: "text/plain",
            body: None,
        };
        read(&transport.exchange(request).await.map_err(unanswered)?)
    }
}

fn unanswered(error: HttpError) -> VoteError {
    match error {
        HttpError::Tls { .. } => VoteError::Intercepted(error.into()),
        HttpError::Timeout { .. } => VoteError::TimedOut,
        HttpError::TooLarge { .. } => VoteError::Garbage(error.to_string()),
        HttpError::Connect { .. } | HttpError::Broken { .. } | HttpError::UsedUp { .. } => {
            VoteError::Unreachable(error.into())
        }
    }
}

fn read(response: &HttpResponse) -> Result<IpAddr, VoteError> {
    match response.status {
        200 => parse(&response.body).map_err(|error| match error {
            NoAddress::Page(text) => VoteError::Page(text),
            NoAddress::Garbage(text) => VoteError::Garbage(text),
        }),
        status @ (300..=399 | NETWORK_AUTHENTICATION_REQUIRED) => Err(VoteError::Page(format!("status {status}"))),
        status @ 400..=599 => Err(VoteError::Refused(format!("status {status}"))),
        status => Err(VoteError::Garbage(format!("status {status}"))),
    }
}

/// Why a body is no address; what it holds is quoted, escaped and cut.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoAddress {
    /// It is a page of HTML or XML.
    #[error("a page: {0}")]
    Page(String),
    /// It is anything else.
    #[error("not one address: {0}")]
    Garbage(String),
}

/// The one address that a body consists of, or the value of the one `ip` in Cloudflare's trace (lines of `key=value`).
/// White space around it is left out of account. Nothing is searched for inside other text.
pub fn parse(body: &[u8]) -> Result<IpAddr, NoAddress> {
    let trimmed = body.trim_ascii();
    let text = str::from_utf8(trimmed).map_err(|_| NoAddress::Garbage(quoted(trimmed)))?;
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.starts_with('<') {
        return Err(NoAddress::Page(quoted(trimmed)));
    }
    traced(text).ok_or_else(|| NoAddress::Garbage(quoted(trimmed)))
}

fn traced(text: &str) -> Option<IpAddr> {
    let mut found = None;
    for line in text.lines() {
        let (key, value) = line.split_once('=')?;
        let plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_';
        if key.is_empty() || !key.bytes().all(plain) {
            return None;
        }
        if key == "ip" && found.replace(value.trim_ascii().parse().ok()?).is_some() {
            return None;
        }
    }
    found
}

#[cfg(test)]
mod tests;
