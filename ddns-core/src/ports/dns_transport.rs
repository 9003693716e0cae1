use async_trait::async_trait;

use super::{Cause, Phase};

/// One DNS server. A message can't go anywhere else: there is no server to name.
#[async_trait]
pub trait DnsTransport: Send + Sync {
    /// One message and the whole of its answer, without length prefixes, within the transport's time limits. The octets
    /// are not looked at: the caller compares id and question, and checks signatures.
    async fn exchange(&self, message: &[u8]) -> Result<Vec<u8>, DnsError>;
}

/// Why there is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// No connection; nothing of the message left the host.
    #[error("cannot connect to {server}")]
    Connect {
        /// Host and port.
        server: String,
        /// Why.
        #[source]
        cause: Cause,
    },
    /// A DNS message has at most 65,535 octets (RFC 1035 §4.2.2); nothing of it left the host.
    #[error("a message of {octets} octets for {server} is no DNS message")]
    TooLong {
        /// Host and port.
        server: String,
        /// Its length.
        octets: usize,
    },
    /// A phase took too long; there is no handshake.
    #[error("time-out of {server} in phase {phase:?}")]
    Timeout {
        /// Host and port.
        server: String,
        /// Which phase.
        phase: Phase,
    },
    /// The connection broke after the message had begun to leave.
    #[error("the connection to {server} broke")]
    Broken {
        /// Host and port.
        server: String,
        /// How.
        #[source]
        cause: Cause,
    },
}

impl DnsError {
    /// Whether the message may have reached the server.
    pub const fn sent(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::TooLong { .. } => false,
            Self::Timeout { phase, .. } => matches!(phase, Phase::Answer),
            Self::Broken { .. } => true,
        }
    }
}
