use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::time::Duration;

use ddns_core::address::Family;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with};
use rustix::rand::{GetRandomFlags, getrandom};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::echo::{Echo, beneath_ip};

/// Requests to each router, and how long an answer to one is waited for before the next: a router that has to be found
/// first (ARP, neighbour discovery) or that is busy answers a later one.
const ATTEMPTS: u16 = 3;
const WAIT: Duration = Duration::from_millis(400);
/// More than such an answer with its headers has.
const BUFFER: usize = 512;
/// Packets of others that a raw socket may hold from before.
const STALE: usize = 10_000;

/// What the host grants for pings of one family.
pub(super) enum Ping {
    /// A datagram socket of ICMP (`net.ipv4.ping_group_range`, for both families), opened when it is needed.
    Datagram,
    /// A raw socket, opened while there was the right to. Between looks it hears what it is not asked for, until its queue
    /// is full.
    Raw(UdpSocket),
    /// Neither.
    Refused,
}

impl Ping {
    pub(super) fn open(family: Family) -> Self {
        match open(family, SocketType::DGRAM) {
            Ok(_) => Self::Datagram,
            Err(_) => open(family, SocketType::RAW).map_or(Self::Refused, Self::Raw),
        }
    }

    /// Asks all of these routers, which are of one family, and tells who answered.
    pub(super) async fn ask(&self, routers: &[SocketAddr]) -> io::Result<BTreeSet<SocketAddr>> {
        let mut answered = BTreeSet::new();
        let Some(family) = routers.first().map(|router| Family::of(&router.ip())) else { return Ok(answered) };
        let (raw, socket, id) = match self {
            Self::Datagram => {
                let socket = open(family, SocketType::DGRAM)?;
                // The kernel writes this into each request, and gives the socket the answers that have it.
                let id = socket.local_addr()?.port();
                (false, socket, id)
            }
            Self::Raw(socket) => (true, emptied(socket)?, u16::from_ne_bytes(random()?)),
            Self::Refused => return Err(io::ErrorKind::PermissionDenied.into()),
        };
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        let echo = |router: &SocketAddr| Ok(Echo { router: *router, id, nonce: random()? });
        let mut open = routers.iter().map(echo).collect::<io::Result<Vec<_>>>()?;
        let mut buffer = [0; BUFFER];
        for attempt in 1..=ATTEMPTS {
            for echo in &open {
                // Without a route there is no answer either.
                let _ = socket.send_to(&echo.request(attempt), echo.router).await;
            }
            let until = Instant::now() + WAIT;
            while !open.is_empty() {
                let Ok(received) = timeout_at(until, socket.recv_from(&mut buffer)).await else { break };
                let Ok((length, from)) = received else {
                    sleep_until(until).await;
                    break;
                };
                let packet = buffer.get(..length).unwrap_or_default();
                let message = if raw { beneath_ip(packet, from.ip()) } else { packet };
                let answers = open.extract_if(.., |echo| echo.is_answered(message, from, attempt));
                answered.extend(answers.map(|echo| echo.router));
            }
            if open.is_empty() {
                break;
            }
        }
        Ok(answered)
    }
}

/// A socket of ICMP or ICMPv6. As a UDP socket it has what is needed, to send and to receive with addresses.
fn open(family: Family, kind: SocketType) -> Result<UdpSocket, Errno> {
    let (domain, protocol) = match family {
        Family::V4 => (AddressFamily::INET, ipproto::ICMP),
        Family::V6 => (AddressFamily::INET6, ipproto::ICMPV6),
    };
    let socket = socket_with(domain, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, Some(protocol))?;
    if kind == SocketType::DGRAM {
        // What is a port elsewhere is the identifier here; the kernel chooses one.
        match family {
            Family::V4 => bind(&socket, &SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))?,
            Family::V6 => bind(&socket, &SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0))?,
        }
    }
    Ok(socket.into())
}

/// The same socket, without what it heard before.
fn emptied(socket: &UdpSocket) -> io::Result<UdpSocket> {
    let mut buffer = [0; BUFFER];
    let _ = (0..STALE).take_while(|_| socket.recv_from(&mut buffer).is_ok()).count();
    socket.try_clone()
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    let filled = getrandom(&mut octets, GetRandomFlags::empty())?;
    if filled == N { Ok(octets) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
