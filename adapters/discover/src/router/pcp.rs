//! The datagrams of PCP (RFC 6887 §7, §11, §14.1), pure. Of the opcodes MAP and ANNOUNCE, of the protocols UDP.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::big_endian::{u16_at, u32_at};

/// What makes a mapping ours (§11.1).
pub type Nonce = [u8; 12];

/// The longest message (§7).
pub const LONGEST: usize = 1100;
/// The result of a server that speaks NAT-PMP or another version.
pub const UNSUPPORTED_VERSION: u8 = 1;
/// The result of a router that has no external address.
pub const NETWORK_FAILURE: u8 = 7;

const VERSION: u8 = 2;
const NAT_PMP: u8 = 0;
const RESPONSE: u8 = 0x80;
const ANNOUNCE: u8 = 0;
const MAP: u8 = 1;
const UDP: u8 = 17;
const HEADER: usize = 24;
const WITH_MAP: usize = 60;
const NO_RESOURCES: u8 = 8;
const USER_EXCEEDED_QUOTA: u8 = 10;
const CANNOT_PROVIDE_EXTERNAL: u8 = 11;

/// A mapping that was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mapped {
    /// The port outside.
    pub external_port: u16,
    /// The address outside, if it is one of IPv4.
    pub external: Option<Ipv4Addr>,
    /// In seconds.
    pub lifetime: u32,
    /// In seconds.
    pub epoch: u32,
}

/// The server's refusal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// §7.4
    pub result: u8,
    /// For how many seconds it will answer the same.
    pub lifetime: u32,
}

/// Whether a result may be another one soon, without anybody's doing.
pub const fn passing(result: u8) -> bool {
    matches!(result, NETWORK_FAILURE | NO_RESOURCES | USER_EXCEEDED_QUOTA | CANNOT_PROVIDE_EXTERNAL)
}

/// §11.1; `client` is the address from which it is sent.
pub fn map_request(
    client: Ipv4Addr,
    nonce: &Nonce,
    internal_port: u16,
    external_port: u16,
    lifetime: u32,
) -> [u8; WITH_MAP] {
    let mut request = [0; WITH_MAP];
    request[..2].copy_from_slice(&[VERSION, MAP]);
    request[4..8].copy_from_slice(&lifetime.to_be_bytes());
    request[8..24].copy_from_slice(&client.to_ipv6_mapped().octets());
    request[24..36].copy_from_slice(nonce);
    request[36] = UDP;
    request[40..42].copy_from_slice(&internal_port.to_be_bytes());
    request[42..44].copy_from_slice(&external_port.to_be_bytes());
    // "Any IPv4 address" (§11.1).
    request[44..].copy_from_slice(&Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
    request
}

/// Result, lifetime and epoch of a response (§7.2, §8.3).
fn head(datagram: &[u8], opcode: u8) -> Option<(u8, u32, u32)> {
    let [VERSION, code, _, result, ..] = *datagram else { return None };
    let whole = (HEADER..=LONGEST).contains(&datagram.len()) && datagram.len().is_multiple_of(4);
    let (lifetime, epoch) = u32_at(datagram, 4).zip(u32_at(datagram, 8))?;
    (whole && code == RESPONSE | opcode).then_some((result, lifetime, epoch))
}

/// The answer to [`map_request`] with this nonce and port, or the refusal. None if the datagram is no such answer.
pub fn mapped(datagram: &[u8], nonce: &Nonce, internal_port: u16) -> Option<Result<Mapped, Refusal>> {
    // Appendix A: a NAT-PMP server answers in its own version, with result 1.
    if let [NAT_PMP, code, 0, UNSUPPORTED_VERSION, ..] = *datagram
        && code & RESPONSE != 0
    {
        return Some(Err(Refusal { result: UNSUPPORTED_VERSION, lifetime: 0 }));
    }
    let (result, lifetime, epoch) = head(datagram, MAP)?;
    if result == UNSUPPORTED_VERSION {
        return Some(Err(Refusal { result, lifetime }));
    }
    let ours = datagram.get(24..36)? == nonce && *datagram.get(36)? == UDP && u16_at(datagram, 40)? == internal_port;
    let external: [u8; 16] = datagram.get(44..WITH_MAP)?.try_into().ok()?;
    if !ours {
        return None;
    }
    if result != 0 {
        return Some(Err(Refusal { result, lifetime }));
    }
    let external = Ipv6Addr::from(external).to_ipv4_mapped().filter(|external| !external.is_unspecified());
    Some(Ok(Mapped { external_port: u16_at(datagram, 42)?, external, lifetime, epoch }))
}

/// The epoch in an announcement (§14.1.2).
pub fn announcement(datagram: &[u8]) -> Option<u32> {
    let (result, _, epoch) = head(datagram, ANNOUNCE)?;
    (result == 0).then_some(epoch)
}

#[cfg(test)]
mod tests;
