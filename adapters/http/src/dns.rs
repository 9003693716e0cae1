use std::io;

use async_trait::async_trait;
use ddns_core::address::Family;
use ddns_core::config::HostPort;
use ddns_core::ports::{DnsError, DnsTransport, Phase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::dial::dial;
use crate::transport::{Held, Limits, lost};

/// A [`DnsTransport`] over TCP (RFC 7766), bound to one server: each exchange has a connection of its own.
pub struct TcpDns {
    pub(crate) server: HostPort,
    family: Option<Family>,
    limits: Limits,
    pub(crate) held: watch::Receiver<Held>,
}

impl TcpDns {
    pub(crate) const fn new(
        server: HostPort,
        family: Option<Family>,
        limits: Limits,
        held: watch::Receiver<Held>,
    ) -> Self {
        Self { server, family, limits, held }
    }

    fn server(&self) -> String {
        self.server.to_string()
    }

    fn broken(&self, cause: impl Into<ddns_core::ports::Cause>) -> DnsError {
        DnsError::Broken { server: self.server(), cause: cause.into() }
    }
}

/// Both lie behind a length of two octets (RFC 1035 §4.2.2), which leaves together with the message.
async fn talk(stream: &mut TcpStream, framed: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(framed).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

#[async_trait]
impl DnsTransport for TcpDns {
    async fn exchange(&self, message: &[u8]) -> Result<Vec<u8>, DnsError> {
        let Ok(length) = u16::try_from(message.len()) else {
            return Err(DnsError::TooLong { server: self.server(), octets: message.len() });
        };
        let unconnected = |error: io::Error| match error.kind() {
            io::ErrorKind::TimedOut => DnsError::Timeout { server: self.server(), phase: Phase::Connect },
            _ => DnsError::Connect { server: self.server(), cause: error.into() },
        };
        let HostPort { host, port } = &self.server;
        let mut stream = dial(host, *port, self.family, self.limits.connect).await.map_err(unconnected)?;
        let local = stream.local_addr().map_err(unconnected)?.ip();
        stream.set_nodelay(true).map_err(unconnected)?;
        let framed = [&length.to_be_bytes(), message].concat();
        tokio::select! {
            biased;
            outcome = timeout(self.limits.answer, talk(&mut stream, &framed)) => match outcome {
                Ok(answer) => answer.map_err(|error| self.broken(error)),
                Err(_) => Err(DnsError::Timeout { server: self.server(), phase: Phase::Answer }),
            },
            () = lost(self.held.clone(), local) => Err(self.broken(format!("the host has lost {local}"))),
        }
    }
}
