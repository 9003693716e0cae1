//! What routers say unasked: NAT-PMP announcements (RFC 6886 §3.2.1) and PCP ANNOUNCE (RFC 6887 §14.1).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, UdpSocket};

use ddns_core::discovery::Protocol;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use tokio::net::UdpSocket as AsyncSocket;

use crate::router::{nat_pmp, pcp};

/// All hosts on the link.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
/// Where clients of both protocols listen.
pub const PORT: u16 = 5350;

/// What a router, or somebody who poses as it, has said: a reason to ask, and never an answer (fault 26). The caller
/// compares `from` with the gateway and the epoch with what went before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// Who said it.
    pub from: IpAddr,
    /// The router's epoch in seconds.
    pub epoch: u32,
    /// The external address; none if the protocol doesn't tell it or the router has none.
    pub external: Option<Ipv4Addr>,
    /// In which protocol.
    pub protocol: Protocol,
}

/// What one datagram says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Notice {
    /// The router's epoch in seconds.
    pub epoch: u32,
    /// The external address, if it has been told and there is one.
    pub external: Option<Ipv4Addr>,
    /// In which protocol.
    pub protocol: Protocol,
}

/// Hears the announcements on all interfaces.
pub struct Announcements {
    socket: AsyncSocket,
}

impl Announcements {
    /// Listens. The socket shares its address with other clients on this host (RFC 6886 §3.2.1), and is bound to the group,
    /// so that nothing from beyond the link can reach it. Must be called within a tokio runtime that has I/O.
    pub fn listen() -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
        bind(&socket, &SocketAddrV4::new(GROUP, PORT))?;
        // Membership needs no asking: every host belongs to this group on every link (RFC 1112 §7.2).
        Ok(Self { socket: AsyncSocket::from_std(UdpSocket::from(socket))? })
    }

    /// The next announcement; what is none is passed over. May be dropped and called again without losing any.
    pub async fn next(&self) -> io::Result<Announcement> {
        let mut buffer = [0; pcp::LONGEST + 1];
        loop {
            let (length, from) = self.socket.recv_from(&mut buffer).await?;
            if let Some(Notice { epoch, external, protocol }) = parse(&buffer[..length]) {
                return Ok(Announcement { from: from.ip(), epoch, external, protocol });
            }
        }
    }
}

/// Reads one datagram; none if it is no announcement.
pub fn parse(datagram: &[u8]) -> Option<Notice> {
    nat_pmp::announcement(datagram)
        .map(|(epoch, external)| Notice { epoch, external, protocol: Protocol::NatPmp })
        .or_else(|| pcp::announcement(datagram).map(|epoch| Notice { epoch, external: None, protocol: Protocol::Pcp }))
}

#[cfg(test)]
mod tests;
