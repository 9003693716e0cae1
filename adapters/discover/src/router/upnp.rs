//! UPnP Internet Gateway Device: the router is found by SSDP (UDA 1.1 §1.3.2) and asked by SOAP (WANIPConnection:1
//! §2.4.18). Nothing but the gateway is heard, believed or connected to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use ddns_core::ports::VoteError;
use tokio::net::UdpSocket;

use crate::datagram::{ExchangeError, connected, exchange};

mod http;
pub mod message;

use http::Request;
use message::Place;

const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 255, 255, 250), 1900);
/// A device answers at a random moment within the second that the search grants it.
const WAITS: [Duration; 2] = [Duration::from_millis(1200), Duration::from_millis(1500)];

/// The external address by the gateway's word.
pub(super) async fn external_address(gateway: Ipv4Addr) -> Result<Ipv4Addr, VoteError> {
    let place = search(gateway).await?;
    let description = http::exchange(&place, Request::Get).await?;
    let (control, service) = message::control(&description, &place)
        .ok_or_else(|| VoteError::Garbage("a UPnP description without a WAN connection".to_owned()))?;
    let answer = http::exchange(&control, Request::Call { service, body: message::call(service) }).await?;
    message::external_address(&answer)
}

async fn search(gateway: Ipv4Addr) -> Result<Place, ExchangeError> {
    // The kernel names the address from which the gateway is reached, and thereby the interface for the group.
    let local = connected(SocketAddr::new(gateway.into(), GROUP.port())).await?.local_addr()?.ip();
    let socket = UdpSocket::bind((local, 0)).await?;
    if let IpAddr::V4(local) = local {
        rustix::net::sockopt::set_ip_multicast_if(&socket, &local).map_err(std::io::Error::from)?;
    }
    let read = |datagram: &[u8], from: SocketAddr| {
        (from.ip() == IpAddr::V4(gateway)).then(|| message::location(datagram, gateway)).flatten()
    };
    exchange(&socket, GROUP.into(), message::SEARCH, &WAITS, read).await
}
