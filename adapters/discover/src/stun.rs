//! STUN servers (RFC 8489): the address a datagram came from.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::address::Family;
use ddns_core::config::HostPort;
use ddns_core::ports::{VoteError, Voter};
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::datagram::{connected, exchange};
use crate::random;

pub mod message;

use message::MessageError;

/// For looking the name up.
const LOOKUP: Duration = Duration::from_secs(3);
/// The waits of RFC 8489 §6.2.1 from its RTO of 500 ms on, ended after 3 s instead of 39.5.
const WAITS: [Duration; 3] = [Duration::from_millis(500), Duration::from_millis(1000), Duration::from_millis(1500)];

/// Asks one STUN server.
pub struct StunVoter {
    server: HostPort,
}

impl StunVoter {
    /// A voter on this server, a name or an address, over UDP.
    pub const fn new(server: HostPort) -> Self {
        Self { server }
    }

    async fn address(&self, family: Family) -> Result<SocketAddr, VoteError> {
        let HostPort { host, port } = &self.server;
        let found = match timeout(LOOKUP, lookup_host((host.as_str(), *port))).await {
            Ok(found) => found.map_err(unreachable)?,
            Err(_) => return Err(VoteError::TimedOut),
        };
        found.into_iter().find(|address| Family::of(&address.ip()) == family).ok_or(VoteError::Unsupported(family))
    }
}

fn unreachable(error: io::Error) -> VoteError {
    VoteError::Unreachable(error.into())
}

#[async_trait]
impl Voter for StunVoter {
    async fn ask(&self, family: Family) -> Result<IpAddr, VoteError> {
        let server = self.address(family).await?;
        let socket = connected(server).await.map_err(unreachable)?;
        let transaction = random::octets().map_err(unreachable)?;
        let request = message::request(&transaction);
        let read = |datagram: &[u8], _| match message::response(datagram, &transaction) {
            Err(MessageError::Foreign) => None,
            outcome => Some(outcome),
        };
        match exchange(&socket, server, &request, &WAITS, read).await? {
            Ok(address) => Ok(address.ip()),
            Err(MessageError::Refused(code)) => Err(VoteError::Refused(format!("STUN error {code}"))),
            Err(error @ (MessageError::Foreign | MessageError::Garbage(_))) => {
                Err(VoteError::Garbage(error.to_string()))
            }
        }
    }
}
