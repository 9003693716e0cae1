use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ddns_core::address::Family;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until, timeout_at};

/// A further attempt begins after this time without an answer, then after twice that, and so on. A SYN that meets the
/// gap of an address swap is lost, and the kernel repeats it only after a second (traps 33 and 34).
const FIRST_HEDGE: Duration = Duration::from_millis(100);
/// Between attempts that the kernel refuses at once, for want of a route or an address.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);
/// How long an address swap may leave the host without a route.
const GAP: Duration = Duration::from_millis(250);

/// Connects to `host:port` within `limit`: all its addresses, or those of one family, are tried, and tried again.
///
/// What the kernel refuses for lack of a route or of a source address is repeated within milliseconds for a quarter
/// second, since an address swap leaves such a gap; then the error is returned.
pub(crate) async fn dial(host: &str, port: u16, family: Option<Family>, limit: Duration) -> io::Result<TcpStream> {
    let deadline = Instant::now() + limit;
    let mut addresses = match host.parse() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => timed(deadline, lookup_host((host, port))).await?.collect(),
    };
    addresses.retain(|address| family.is_none_or(|family| Family::of(&address.ip()) == family));
    if addresses.is_empty() {
        let kind = family.map(|family| format!("{family} ")).unwrap_or_default();
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("{host} has no {kind}address")));
    }
    timed(deadline, connect_any(&addresses)).await
}

async fn timed<T>(deadline: Instant, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout_at(deadline, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn connect_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let gap_ends = Instant::now() + GAP;
    let mut turn = addresses.iter().cycle();
    let mut attempts = FuturesUnordered::new();
    let (mut hedge, mut refused) = (FIRST_HEDGE, 0);
    let mut next = Instant::now();
    loop {
        let outcome: Option<io::Result<TcpStream>> = tokio::select! {
            biased;
            Some(outcome) = attempts.next() => Some(outcome),
            () = sleep_until(next) => None,
        };
        match outcome {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => {
                refused += 1;
                let all_refused = refused >= addresses.len() && attempts.is_empty();
                if all_refused && !(is_gap(&error) && Instant::now() < gap_ends) {
                    return Err(error);
                }
                let pause = if all_refused { REFUSED_PAUSE } else { Duration::ZERO };
                next = next.min(Instant::now() + pause);
            }
            None => {
                attempts.extend(turn.next().map(|address| TcpStream::connect(*address)));
                next = Instant::now() + hedge;
                hedge *= 2;
            }
        }
    }
}

fn is_gap(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), NetworkUnreachable | HostUnreachable | AddrNotAvailable)
}
