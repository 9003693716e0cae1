//! Binding requests and responses (RFC 8489 §5, §14), pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::big_endian::u16_at;

/// What tells a response to one request from all others.
pub type Transaction = [u8; 12];

const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const ERROR: u16 = 0x0111;

const MAPPED_ADDRESS: u16 = 0x0001;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const FINGERPRINT: u16 = 0x8028;
/// What FINGERPRINT's checksum is combined with (§14.7).
const FINGERPRINT_MASK: u32 = 0x5354_554e;
/// Types from here on may be passed over by whom doesn't know them (§14).
const OPTIONAL: u16 = 0x8000;
/// Those that must be understood (§18.3), and two of RFC 3489, with nothing in them for us.
const KNOWN: [u16; 10] = [0x0004, 0x0005, 0x0006, 0x0008, 0x000a, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e];

/// Why a datagram tells no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MessageError {
    /// It is no response to this request: whoever sent it need not have seen the request.
    #[error("no response to this request")]
    Foreign,
    /// The server answered with an error.
    #[error("STUN error {0}")]
    Refused(u16),
    /// It is a response to this request that breaks the rules.
    #[error("a broken STUN response: {0}")]
    Garbage(&'static str),
}

/// A binding request without attributes.
pub fn request(transaction: &Transaction) -> [u8; HEADER] {
    let mut message = [0; HEADER];
    message[..2].copy_from_slice(&REQUEST.to_be_bytes());
    message[4..8].copy_from_slice(&COOKIE);
    message[8..].copy_from_slice(transaction);
    message
}

/// The address in the response to [`request`]: XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS.
pub fn response(datagram: &[u8], transaction: &Transaction) -> Result<SocketAddr, MessageError> {
    let (Some(kind), Some(length)) = (u16_at(datagram, 0), u16_at(datagram, 2)) else {
        return Err(MessageError::Foreign);
    };
    if datagram.get(4..8) != Some(&COOKIE) || datagram.get(8..HEADER) != Some(transaction) {
        return Err(MessageError::Foreign);
    }
    if kind != SUCCESS && kind != ERROR {
        return Err(MessageError::Foreign);
    }
    if usize::from(length) != datagram.len() - HEADER || !length.is_multiple_of(4) {
        return Err(MessageError::Garbage("its length is not what it says"));
    }
    let Attributes { xored, mapped, error } = attributes(datagram, transaction)?;
    if kind == ERROR {
        return Err(error.map_or(MessageError::Garbage("an error without a code"), MessageError::Refused));
    }
    xored.or(mapped).ok_or(MessageError::Garbage("no address"))
}

/// The first of each kind; further ones don't count (§14).
#[derive(Default)]
struct Attributes {
    xored: Option<SocketAddr>,
    mapped: Option<SocketAddr>,
    error: Option<u16>,
}

fn attributes(datagram: &[u8], transaction: &Transaction) -> Result<Attributes, MessageError> {
    let mut found = Attributes::default();
    let mut at = HEADER;
    while at < datagram.len() {
        let broken = MessageError::Garbage("a broken attribute");
        let (kind, length) = u16_at(datagram, at).zip(u16_at(datagram, at + 2)).ok_or(broken)?;
        let length = usize::from(length);
        let value = datagram.get(at + 4..at + 4 + length).ok_or(broken)?;
        let next = at + 4 + length.next_multiple_of(4);
        match kind {
            XOR_MAPPED_ADDRESS if found.xored.is_none() => {
                found.xored = Some(unxored(address(value).ok_or(broken)?, transaction));
            }
            MAPPED_ADDRESS if found.mapped.is_none() => found.mapped = Some(address(value).ok_or(broken)?),
            ERROR_CODE if found.error.is_none() => found.error = Some(error_code(value).ok_or(broken)?),
            FINGERPRINT => {
                let sum = crc32fast::hash(&datagram[..at]) ^ FINGERPRINT_MASK;
                if value != sum.to_be_bytes() || next != datagram.len() {
                    return Err(MessageError::Garbage("a wrong fingerprint"));
                }
            }
            XOR_MAPPED_ADDRESS | MAPPED_ADDRESS | ERROR_CODE | OPTIONAL.. => {}
            kind if KNOWN.contains(&kind) => {}
            _ => return Err(MessageError::Garbage("an unknown attribute that must be understood")),
        }
        at = next;
    }
    Ok(found)
}

/// §14.1
fn address(value: &[u8]) -> Option<SocketAddr> {
    let port = u16_at(value, 2)?;
    let ip = match (value.get(1)?, &value[4..]) {
        (1, rest) => IpAddr::from(<[u8; 4]>::try_from(rest).ok()?),
        (2, rest) => IpAddr::from(<[u8; 16]>::try_from(rest).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// §14.2; it also undoes itself.
fn unxored(address: SocketAddr, transaction: &Transaction) -> SocketAddr {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&COOKIE);
    key[4..].copy_from_slice(transaction);
    let ip = match address.ip() {
        IpAddr::V4(ip) => Ipv4Addr::from(u32::from(ip) ^ u32::from_be_bytes(COOKIE)).into(),
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) ^ u128::from_be_bytes(key)).into(),
    };
    SocketAddr::new(ip, address.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]]))
}

/// §14.8
fn error_code(value: &[u8]) -> Option<u16> {
    let [_, _, class, number, ..] = *value else { return None };
    let class = class & 0b111;
    ((3..=6).contains(&class) && number < 100).then(|| u16::from(class) * 100 + u16::from(number))
}

#[cfg(test)]
mod tests;
