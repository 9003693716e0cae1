use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// What a router listens on, or refuses: DNS, and its pages.
const PORTS: [u16; 3] = [53, 80, 443];
/// A SYN that was lost is sent again after a second.
const LIMIT: Duration = Duration::from_millis(1700);

/// Whether somebody answers on a TCP port: a connection that is refused has been answered too. Nothing is sent on one that
/// is made. Else why not.
pub(super) async fn call(router: SocketAddr) -> Result<(), String> {
    let mut calls: FuturesUnordered<_> = PORTS.into_iter().map(|port| one(router, port)).collect();
    let mut silence = String::new();
    while let Some(outcome) = calls.next().await {
        match outcome {
            Ok(()) => return Ok(()),
            Err(error) => silence = error.to_string(),
        }
    }
    Err(format!("no answer to pings, nor on the TCP ports 53, 80 and 443 ({silence})"))
}

async fn one(mut router: SocketAddr, port: u16) -> io::Result<()> {
    router.set_port(port);
    match timeout(LIMIT, TcpStream::connect(router)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
