use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use super::Cause;

/// One HTTPS origin. A request can't leave it: there is no host to name, and redirects are answers like any other.
#[async_trait]
pub trait HttpTransport: Send + Sync {
    /// One request and its whole answer, within the transport's time and size limits.
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError>;
}

/// The methods in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// RFC 9110 §9.3.1
    Get,
    /// RFC 9110 §9.3.3
    Post,
    /// RFC 5789
    Patch,
    /// RFC 9110 §9.3.5
    Delete,
}

/// A request to the transport's origin.
#[derive(Debug)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Path and query, beneath the origin's base path.
    pub path: String,
    /// What goes into the `Authorization` field or ends the query, never printed.
    pub credentials: Option<Credentials>,
    /// The `Accept` field.
    pub accept: &'static str,
    /// The body with its content type.
    pub body: Option<(&'static str, Vec<u8>)>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A token (RFC 6750).
    Bearer(SecretString),
    /// A user's name and password (RFC 7617).
    Basic {
        /// The name, without a colon.
        user: String,
        /// The password.
        password: SecretString,
    },
    /// What follows the word `Digest` (RFC 7616 §3.4), computed for this one request.
    Digest(SecretString),
    /// Parameters that end the query, for devices that know no field for it: `user=…&password=…`, percent-encoded.
    Query(SecretString),
}

/// An answer, whatever its status.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The `Content-Type` field, empty if absent.
    pub content_type: String,
    /// The `WWW-Authenticate` fields (RFC 9110 §11.6.1) as they came, several of them with a comma between.
    pub authenticate: Option<String>,
    /// The `Retry-After` field (RFC 9110 §10.2.3) as it came.
    pub retry_after: Option<String>,
    /// The `RateLimit` field (draft-ietf-httpapi-ratelimit-headers) as it came.
    pub rate_limit: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// How far an exchange had come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Looking the name up and connecting.
    Connect,
    /// The TLS handshake.
    Handshake,
    /// Sending the request and waiting for the whole answer.
    Answer,
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No connection; nothing of the request left the host.
    #[error("cannot connect to {origin}")]
    Connect {
        /// Scheme, host and port.
        origin: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The TLS handshake failed; nothing of the request left the host.
    #[error("no trusted TLS connection to {origin}: {remedy}")]
    Tls {
        /// Scheme, host and port.
        origin: String,
        /// What to do about it.
        remedy: &'static str,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// The server has said that no request is left in its window; nothing of this one left the host.
    #[error("{origin} takes no further requests for {} seconds", wait.as_secs().max(1))]
    UsedUp {
        /// Scheme, host and port.
        origin: String,
        /// The rest of the window.
        wait: Duration,
    },
    /// A phase took too long.
    #[error("time-out of {origin} in phase {phase:?}")]
    Timeout {
        /// Scheme, host and port.
        origin: String,
        /// Which phase.
        phase: Phase,
    },
    /// The body is larger than the transport accepts.
    #[error("the answer of {origin} is larger than {limit} octets")]
    TooLarge {
        /// Scheme, host and port.
        origin: String,
        /// The limit in octets.
        limit: usize,
    },
    /// The connection broke after the request had begun to leave.
    #[error("the connection to {origin} broke")]
    Broken {
        /// Scheme, host and port.
        origin: String,
        /// How.
        #[source]
        cause: Cause,
    },
}

impl HttpError {
    /// Whether the request may have reached the server.
    pub const fn sent(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Tls { .. } | Self::UsedUp { .. } => false,
            Self::Timeout { phase, .. } => matches!(phase, Phase::Answer),
            Self::TooLarge { .. } | Self::Broken { .. } => true,
        }
    }
}
