//! The way in for fuzz targets; no part of the interface.

use std::net::IpAddr;

use ddns_core::wireguard::Peer;

use crate::dump::{Dump, part};
use crate::rtnetlink::{Address, DefaultRoute, Link, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE};
pub use crate::wireguard::uapi::AnswerError;
use crate::wireguard::{generic_netlink::read_device, uapi::Answer};

/// The addresses (of gateways too) and the names of links in a datagram, read as part of the dump with this sequence number.
pub fn read_dump(datagram: &[u8], sequence: u32) -> (Vec<IpAddr>, Vec<String>) {
    let (mut addresses, mut names, mut dump) = (Vec::new(), Vec::new(), Dump::Whole);
    let _ = part(datagram, sequence, &mut dump, &mut |message| {
        match message.kind {
            RTM_NEWADDR => addresses.extend(Address::parse(message.payload).ok().flatten().map(|read| read.local)),
            RTM_NEWROUTE => {
                addresses.extend(DefaultRoute::parse(message.payload).ok().flatten().and_then(|read| read.gateway))
            }
            RTM_NEWLINK => names.extend(Link::parse(message.payload).map(|link| link.name)),
            _ => {}
        }
        Dump::Whole
    });
    (addresses, names)
}

/// The peers of a userspace implementation's answer that comes in two parts.
pub fn read_wireguard(first: &[u8], second: &[u8]) -> Result<Vec<Peer>, AnswerError> {
    let mut answer = Answer::default();
    answer.take(first)?;
    answer.take(second)?;
    answer.finish()
}

/// The peers in one message of the kernel's WireGuard.
pub fn read_wireguard_device(payload: &[u8]) -> Vec<Peer> {
    let mut peers = Vec::new();
    let _ = read_device(payload, &mut peers);
    peers
}
