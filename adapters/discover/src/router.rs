//! What the router itself says, by PCP (RFC 6887), NAT-PMP (RFC 6886) or UPnP IGD, and the port it maps for us.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::time::Duration;

use ddns_core::discovery::{MapRequest, Protocol};
use ddns_core::ports::{Cause, VoteError};
use tokio::net::UdpSocket;

use crate::datagram::{ExchangeError, connected, exchange};
use crate::random;

pub mod nat_pmp;
pub mod pcp;
pub mod upnp;

use pcp::{Nonce, Refusal};

/// Where both protocols are served.
pub const PORT: u16 = 5351;
/// RFC 6886 §3.1: 250 ms, doubled each time; ended after 1.75 s instead of a minute.
const WAITS: [Duration; 3] = [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(1000)];
/// How long the mapping lasts by which PCP tells the external address (RFC 6887 §11.6), should its end get lost.
const SHORT: Duration = Duration::from_secs(120);

/// A mapping that the router has made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// The port outside.
    pub external_port: u16,
    /// The address outside, if the router told it and has one. It may be private: then another NAT lies beyond.
    pub external_address: Option<Ipv4Addr>,
    /// For how long. RFC 6886 §3.3 and RFC 6887 §11.2.1 renew it after half of that.
    pub lifetime: Duration,
    /// The router's epoch in seconds, for [`Epoch`](ddns_core::discovery::Epoch).
    pub epoch: u32,
    /// The protocol by which it was made.
    pub protocol: Protocol,
}

/// Why there is no mapping.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// Nobody listens at the router: it speaks neither protocol, or they are switched off.
    #[error("the router speaks neither PCP nor NAT-PMP")]
    Unsupported(#[source] Cause),
    /// No way to it.
    #[error("the router is unreachable")]
    Unreachable(#[source] Cause),
    /// It did not answer in time, as routers do that speak neither protocol.
    #[error("no answer of the router in time")]
    TimedOut,
    /// It will not, until somebody changes its configuration or the request.
    #[error("the router refuses ({protocol:?} result {result})")]
    Refused {
        /// In which protocol.
        protocol: Protocol,
        /// RFC 6886 §3.5, RFC 6887 §7.4.
        result: u16,
    },
    /// It can't as things are: it has no external address, or no port to spare.
    #[error("the router cannot at present ({protocol:?} result {result})")]
    Unavailable {
        /// In which protocol.
        protocol: Protocol,
        /// RFC 6886 §3.5, RFC 6887 §7.4.
        result: u16,
        /// When to ask again, if it said so.
        retry_after: Option<Duration>,
    },
}

impl From<ExchangeError> for MapError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Io(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => {
                Self::Unsupported(cause.into())
            }
            ExchangeError::Io(cause) => Self::Unreachable(cause.into()),
            ExchangeError::TimedOut => Self::TimedOut,
        }
    }
}

impl From<MapError> for VoteError {
    fn from(error: MapError) -> Self {
        match error {
            MapError::Unsupported(cause) | MapError::Unreachable(cause) => Self::Unreachable(cause),
            MapError::TimedOut => Self::TimedOut,
            MapError::Refused { .. } | MapError::Unavailable { .. } => Self::Refused(error.to_string()),
        }
    }
}

/// How an attempt by PCP ended.
enum PcpError {
    /// It speaks NAT-PMP, or PCP of another version.
    OtherVersion,
    Other(MapError),
}

/// Asks routers.
pub struct Router {
    nonce: Nonce,
}

impl Router {
    /// A client whose mappings carry this nonce. PCP gives a mapping back only to the nonce that made it (RFC 6887
    /// §11.3), so it should be unguessable and outlive a restart.
    pub const fn new(nonce: Nonce) -> Self {
        Self { nonce }
    }

    /// A client with a fresh nonce.
    pub fn with_random_nonce() -> io::Result<Self> {
        random::octets().map(Self::new)
    }

    /// The external address by the router's own word: PCP, then NAT-PMP, then UPnP, each within some seconds. What fails
    /// most tellingly is reported.
    pub async fn external_address(&self, gateway: Ipv4Addr) -> Result<Ipv4Addr, VoteError> {
        let by_pcp = match address_by_pcp(gateway).await {
            Ok(address) => return Ok(address),
            Err(PcpError::OtherVersion) => None,
            Err(PcpError::Other(error)) => Some(error.into()),
        };
        let by_nat_pmp = match address_by_nat_pmp(gateway).await {
            Ok(address) => return Ok(address),
            Err(error) => error.into(),
        };
        match upnp::external_address(gateway).await {
            Ok(address) => Ok(address),
            Err(by_upnp) => {
                let errors = by_pcp.into_iter().chain([by_nat_pmp]);
                Err(errors.fold(by_upnp, |best, error| if telling(&error) > telling(&best) { error } else { best }))
            }
        }
    }

    /// Maps a UDP port to this host, or renews the mapping: PCP, then NAT-PMP. A lifetime of zero ends it.
    pub async fn map(&self, gateway: Ipv4Addr, wanted: &MapRequest) -> Result<Mapping, MapError> {
        let socket = socket(gateway).await?;
        match map_by_pcp(&socket, gateway, &self.nonce, wanted).await {
            Ok(mapping) => Ok(mapping),
            Err(PcpError::OtherVersion | PcpError::Other(MapError::TimedOut)) => {
                map_by_nat_pmp(&socket, gateway, wanted).await
            }
            Err(PcpError::Other(error)) => Err(error),
        }
    }
}

/// An answer says more than none.
const fn telling(error: &VoteError) -> u8 {
    match error {
        VoteError::Refused(_) => 3,
        VoteError::Garbage(_) | VoteError::Page(_) | VoteError::Intercepted(_) => 2,
        VoteError::TimedOut => 1,
        VoteError::Unreachable(_) | VoteError::Unsupported(_) => 0,
    }
}

fn server(gateway: Ipv4Addr) -> SocketAddr {
    SocketAddr::new(gateway.into(), PORT)
}

async fn socket(gateway: Ipv4Addr) -> Result<UdpSocket, ExchangeError> {
    Ok(connected(server(gateway)).await?)
}

fn local(socket: &UdpSocket) -> Result<(Ipv4Addr, u16), ExchangeError> {
    match socket.local_addr()? {
        SocketAddr::V4(local) => Ok((*local.ip(), local.port())),
        SocketAddr::V6(_) => Err(io::Error::from(io::ErrorKind::AddrNotAvailable).into()),
    }
}

fn seconds(lifetime: Duration) -> u32 {
    u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX)
}

async fn map_by_pcp(
    socket: &UdpSocket,
    gateway: Ipv4Addr,
    nonce: &Nonce,
    wanted: &MapRequest,
) -> Result<Mapping, PcpError> {
    let other = |error: ExchangeError| PcpError::Other(error.into());
    let internal = wanted.internal_port.get();
    let (client, _) = local(socket).map_err(other)?;
    let request = pcp::map_request(client, nonce, internal, wanted.external_port, seconds(wanted.lifetime));
    let read = |datagram: &[u8], _| pcp::mapped(datagram, nonce, internal);
    let protocol = Protocol::Pcp;
    match exchange(socket, server(gateway), &request, &WAITS, read).await.map_err(other)? {
        Ok(mapped) => Ok(Mapping {
            external_port: mapped.external_port,
            external_address: mapped.external,
            lifetime: Duration::from_secs(mapped.lifetime.into()),
            epoch: mapped.epoch,
            protocol,
        }),
        Err(Refusal { result: pcp::UNSUPPORTED_VERSION, .. }) => Err(PcpError::OtherVersion),
        Err(Refusal { result, lifetime }) => Err(PcpError::Other(if pcp::passing(result) {
            let retry_after = Some(Duration::from_secs(lifetime.into()));
            MapError::Unavailable { protocol, result: result.into(), retry_after }
        } else {
            MapError::Refused { protocol, result: result.into() }
        })),
    }
}

fn refused_by_nat_pmp(result: u16) -> MapError {
    let protocol = Protocol::NatPmp;
    if nat_pmp::passing(result) {
        MapError::Unavailable { protocol, result, retry_after: None }
    } else {
        MapError::Refused { protocol, result }
    }
}

async fn map_by_nat_pmp(socket: &UdpSocket, gateway: Ipv4Addr, wanted: &MapRequest) -> Result<Mapping, MapError> {
    let internal = wanted.internal_port.get();
    let lifetime = seconds(wanted.lifetime);
    let request = nat_pmp::map_request(internal, wanted.external_port, lifetime);
    let read = |datagram: &[u8], _| nat_pmp::mapped(datagram, internal);
    let mapped = exchange(socket, server(gateway), &request, &WAITS, read).await?.map_err(refused_by_nat_pmp)?;
    // The mapping stands without it.
    let external_address = ask_nat_pmp(socket, gateway).await.ok();
    Ok(Mapping {
        external_port: mapped.external_port,
        external_address,
        lifetime: Duration::from_secs(mapped.lifetime.into()),
        epoch: mapped.epoch,
        protocol: Protocol::NatPmp,
    })
}

/// PCP has no question for the address alone: a mapping of the asking socket tells it, and ends at once.
async fn address_by_pcp(gateway: Ipv4Addr) -> Result<Ipv4Addr, PcpError> {
    let other = |error: ExchangeError| PcpError::Other(error.into());
    let socket = socket(gateway).await.map_err(other)?;
    let nonce = random::octets().map_err(|error| other(error.into()))?;
    let (client, port) = local(&socket).map_err(other)?;
    let internal_port = NonZeroU16::new(port).ok_or_else(|| other(io::Error::from(io::ErrorKind::AddrInUse).into()))?;
    let wanted = MapRequest { internal_port, external_port: 0, lifetime: SHORT };
    let mapping = map_by_pcp(&socket, gateway, &nonce, &wanted).await?;
    // Should it get lost, the mapping ends by itself.
    drop(socket.send(&pcp::map_request(client, &nonce, port, 0, 0)).await);
    let none =
        MapError::Unavailable { protocol: Protocol::Pcp, result: pcp::NETWORK_FAILURE.into(), retry_after: None };
    mapping.external_address.ok_or(PcpError::Other(none))
}

async fn address_by_nat_pmp(gateway: Ipv4Addr) -> Result<Ipv4Addr, MapError> {
    ask_nat_pmp(&socket(gateway).await?, gateway).await
}

async fn ask_nat_pmp(socket: &UdpSocket, gateway: Ipv4Addr) -> Result<Ipv4Addr, MapError> {
    let read = |datagram: &[u8], _| nat_pmp::address(datagram);
    let told = exchange(socket, server(gateway), &nat_pmp::ADDRESS_REQUEST, &WAITS, read).await?;
    let (_, external) = told.map_err(refused_by_nat_pmp)?;
    external.ok_or_else(|| refused_by_nat_pmp(nat_pmp::NETWORK_FAILURE))
}
