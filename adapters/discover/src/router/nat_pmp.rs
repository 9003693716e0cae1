//! The datagrams of NAT-PMP (RFC 6886 §3), pure.

use std::net::Ipv4Addr;

use crate::big_endian::{u16_at, u32_at};

/// RFC 6886 §3.2
pub const ADDRESS_REQUEST: [u8; 2] = [VERSION, ADDRESS];
/// The result of a router that has no external address (§3.5).
pub const NETWORK_FAILURE: u16 = 3;

const VERSION: u8 = 0;
const ADDRESS: u8 = 0;
const MAP_UDP: u8 = 1;
const RESPONSE: u8 = 128;
const OUT_OF_RESOURCES: u16 = 4;

/// A mapping that was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapped {
    /// The port outside.
    pub external_port: u16,
    /// In seconds.
    pub lifetime: u32,
    /// In seconds.
    pub epoch: u32,
}

/// Whether a result may be another one soon, without anybody's doing.
pub const fn passing(result: u16) -> bool {
    matches!(result, NETWORK_FAILURE | OUT_OF_RESOURCES)
}

/// §3.3
pub fn map_request(internal_port: u16, external_port: u16, lifetime: u32) -> [u8; 12] {
    let mut request = [0; 12];
    request[..2].copy_from_slice(&[VERSION, MAP_UDP]);
    request[4..6].copy_from_slice(&internal_port.to_be_bytes());
    request[6..8].copy_from_slice(&external_port.to_be_bytes());
    request[8..].copy_from_slice(&lifetime.to_be_bytes());
    request
}

/// Result and epoch of a response; one without success may end after them.
fn head(datagram: &[u8], operation: u8, length: usize) -> Option<(u16, u32)> {
    let [VERSION, code, ..] = *datagram else { return None };
    let (result, epoch) = u16_at(datagram, 2).zip(u32_at(datagram, 4))?;
    let whole = datagram.len() == length || datagram.len() == 8;
    (code == RESPONSE + operation && whole).then_some((result, epoch))
}

/// The answer to [`ADDRESS_REQUEST`]: epoch and address, or the result. None if the datagram is no such answer.
pub fn address(datagram: &[u8]) -> Option<Result<(u32, Option<Ipv4Addr>), u16>> {
    let (result, epoch) = head(datagram, ADDRESS, 12)?;
    if result != 0 {
        return Some(Err(result));
    }
    let external = Ipv4Addr::from(u32_at(datagram, 8)?);
    Some(Ok((epoch, (!external.is_unspecified()).then_some(external))))
}

/// The answer to [`map_request`] for this port, or the result. None if the datagram is no such answer.
pub fn mapped(datagram: &[u8], internal_port: u16) -> Option<Result<Mapped, u16>> {
    let (result, epoch) = head(datagram, MAP_UDP, 16)?;
    if result != 0 {
        return Some(Err(result));
    }
    let (external_port, lifetime) = u16_at(datagram, 10).zip(u32_at(datagram, 12))?;
    (u16_at(datagram, 8)? == internal_port).then_some(Ok(Mapped { external_port, lifetime, epoch }))
}

/// Epoch and address of an announcement, which looks like an answer to [`ADDRESS_REQUEST`] (§3.2.1); there is no address
/// in one that tells of a failure.
pub fn announcement(datagram: &[u8]) -> Option<(u32, Option<Ipv4Addr>)> {
    let (_, epoch) = head(datagram, ADDRESS, 12)?;
    let external = address(datagram)?.ok().and_then(|(_, external)| external);
    Some((epoch, external))
}

#[cfg(test)]
mod tests;
