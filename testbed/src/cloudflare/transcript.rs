//! What was asked and what was answered.

use std::net::SocketAddr;

use serde::Serialize;
use serde_json::Value;

use super::BASE_PATH;

/// One request with its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Exchange {
    /// When the head of the request was there; `CLOCK_BOOTTIME`, nanoseconds.
    pub received_ns: u64,
    /// When the answer was ready to be sent, all effects done; `None` if there was none (yet).
    pub answered_ns: Option<u64>,
    /// The client's address.
    pub client: SocketAddr,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The method.
    pub method: String,
    /// The path, the base path included.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The request's body, as far as it is JSON.
    pub request_body: Option<Value>,
    /// The answer's status, if one was sent.
    pub status: Option<u16>,
    /// The answer's body, if it was sent whole and is JSON.
    pub response_body: Option<Value>,
    /// Whether the answer came from a script instead of the API.
    pub faulted: bool,
    /// Whether the request changed a record.
    pub wrote: bool,
}

impl Exchange {
    /// The path below the base path, for example `/zones`.
    pub fn endpoint(&self) -> &str {
        self.path.strip_prefix(BASE_PATH).unwrap_or(&self.path)
    }

    /// Whether the client asked for a change.
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }
}
