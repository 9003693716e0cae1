//! A question and its answer over UDP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ddns_core::ports::VoteError;
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Longer datagrams are cut and thereby garbage: none of our protocols has longer ones over UDP.
const LONGEST: usize = 2048;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// The socket, or an ICMP error.
    #[error("unreachable")]
    Io(#[from] io::Error),
    /// None came.
    #[error("no answer in time")]
    TimedOut,
}

impl From<ExchangeError> for VoteError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Io(cause) => Self::Unreachable(cause.into()),
            ExchangeError::TimedOut => Self::TimedOut,
        }
    }
}

/// A socket that hears only `server`, address and port.
pub(crate) async fn connected(server: SocketAddr) -> io::Result<UdpSocket> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    Ok(socket)
}

/// Sends `request` to `to`, again after each of `waits` but the last, until `read` makes something of a datagram. What it
/// makes nothing of is passed over.
pub(crate) async fn exchange<T>(
    socket: &UdpSocket,
    to: SocketAddr,
    request: &[u8],
    waits: &[Duration],
    mut read: impl FnMut(&[u8], SocketAddr) -> Option<T>,
) -> Result<T, ExchangeError> {
    let mut buffer = [0; LONGEST];
    for wait in waits {
        socket.send_to(request, to).await?;
        let answered = timeout(*wait, async {
            loop {
                let (length, from) = socket.recv_from(&mut buffer).await?;
                if let Some(answer) = read(&buffer[..length], from) {
                    return Ok::<T, io::Error>(answer);
                }
            }
        });
        if let Ok(answer) = answered.await {
            return Ok(answer?);
        }
    }
    Err(ExchangeError::TimedOut)
}
