//! The parts of rtnetlink(7) that addresses need, read from any bytes without panicking.
//!
//! Attributes that are not needed are not looked at: a newer kernel that adds or lengthens one changes nothing here.

use std::net::IpAddr;

use ddns_core::address::Family;

pub(crate) const NLMSG_ERROR: u16 = 2;
pub(crate) const NLMSG_DONE: u16 = 3;
pub(crate) const NLMSG_OVERRUN: u16 = 4;
pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_DELLINK: u16 = 17;
pub(crate) const RTM_GETLINK: u16 = 18;
pub(crate) const RTM_NEWADDR: u16 = 20;
pub(crate) const RTM_DELADDR: u16 = 21;
pub(crate) const RTM_GETADDR: u16 = 22;
pub(crate) const RTM_NEWROUTE: u16 = 24;
pub(crate) const RTM_GETROUTE: u16 = 26;
pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;
pub(crate) const NLM_F_ACK: u16 = 0x4;
pub(crate) const NLM_F_DUMP: u16 = 0x300;

const NLM_F_REQUEST: u16 = 0x1;
const NLA_TYPE_MASK: u16 = 0x3fff;
const NLMSGHDR: usize = 16;
const IFINFOMSG: usize = 16;
const IFADDRMSG: usize = 8;
const RTMSG: usize = 12;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTN_UNICAST: u8 = 1;
const RT_TABLE_MAIN: u8 = 254;
const RTNH_F_DEAD: u32 = 1;
const RTNH_F_LINKDOWN: u32 = 16;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_EXT_MASK: u16 = 29;
const RTEXT_FILTER_SKIP_STATS: u32 = 8;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IFF_UP: u32 = 1;
const IFF_POINTOPOINT: u32 = 0x10;
const IFF_LOWER_UP: u32 = 0x1_0000;
const ARPHRD_ETHER: u16 = 1;

/// Bytes that do not hold what their lengths claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed netlink message")]
pub(crate) struct Malformed;

/// One message of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

impl Message<'_> {
    /// The error number of `NLMSG_ERROR` and `NLMSG_DONE`: 0 or a negated errno.
    pub(crate) fn status(&self) -> Result<i32, Malformed> {
        self.payload.first_chunk().map(|status| i32::from_ne_bytes(*status)).ok_or(Malformed)
    }
}

/// All messages of a datagram, which may hold several; the first malformed one is the last item.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let message = message(rest);
        rest = match message {
            Ok(ref message) => rest.get(align(NLMSGHDR + message.payload.len())..).unwrap_or_default(),
            Err(Malformed) => &[],
        };
        Some(message)
    })
}

fn message(bytes: &[u8]) -> Result<Message<'_>, Malformed> {
    let (header, _) = bytes.split_at_checked(NLMSGHDR).ok_or(Malformed)?;
    let length = usize::try_from(u32_at(header, 0)?).map_err(|_| Malformed)?;
    let payload = bytes.get(NLMSGHDR..length).ok_or(Malformed)?;
    Ok(Message { kind: u16_at(header, 4)?, flags: u16_at(header, 6)?, sequence: u32_at(header, 8)?, payload })
}

pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Malformed>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let attribute = attribute(rest);
        rest = match attribute {
            Ok((_, value)) => rest.get(align(4 + value.len())..).unwrap_or_default(),
            Err(Malformed) => &[],
        };
        Some(attribute)
    })
}

fn attribute(bytes: &[u8]) -> Result<(u16, &[u8]), Malformed> {
    let length = usize::from(u16_at(bytes, 0)?);
    let value = bytes.get(4..length).ok_or(Malformed)?;
    Ok((u16_at(bytes, 2)? & NLA_TYPE_MASK, value))
}

/// The address of an `RTM_NEWADDR` or `RTM_DELADDR`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    pub(crate) index: u32,
    pub(crate) prefix_len: u8,
    pub(crate) flags: u32,
    pub(crate) local: IpAddr,
}

impl Address {
    /// `None` for a family that is neither IPv4 nor IPv6.
    pub(crate) fn parse(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let (header, rest) = payload.split_at_checked(IFADDRMSG).ok_or(Malformed)?;
        let family = header[0];
        if family != AF_INET && family != AF_INET6 {
            return Ok(None);
        }
        let (mut local, mut address, mut flags) = (None, None, u32::from(header[2]));
        for attribute in attributes(rest) {
            match attribute? {
                (IFA_LOCAL, value) => local = Some(ip(family, value)?),
                (IFA_ADDRESS, value) => address = Some(ip(family, value)?),
                (IFA_FLAGS, value) => flags = u32_at(value, 0)?,
                _ => {}
            }
        }
        // On a point-to-point link IFA_ADDRESS is the peer.
        let local = local.or(address).ok_or(Malformed)?;
        Ok(Some(Self { index: u32_at(header, 4)?, prefix_len: header[1], flags, local }))
    }
}

fn ip(family: u8, value: &[u8]) -> Result<IpAddr, Malformed> {
    if family == AF_INET {
        <[u8; 4]>::try_from(value).map(IpAddr::from).map_err(|_| Malformed)
    } else {
        <[u8; 16]>::try_from(value).map(IpAddr::from).map_err(|_| Malformed)
    }
}

/// The interface of an `RTM_NEWLINK`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) up: bool,
    /// `IFF_LOWER_UP`, which an interface that is down doesn't have either.
    pub(crate) carrier: bool,
    /// A line like PPP or a tunnel: its end says nothing of a cable.
    pub(crate) point_to_point: bool,
    /// Ethernet or Wi-Fi, and no kind of virtual interface: those name their kind (`IFLA_INFO_KIND`).
    pub(crate) physical: bool,
}

impl Link {
    pub(crate) fn parse(payload: &[u8]) -> Result<Self, Malformed> {
        let (header, rest) = payload.split_at_checked(IFINFOMSG).ok_or(Malformed)?;
        let (mut name, mut virtual_kind) = (None, false);
        for attribute in attributes(rest) {
            match attribute? {
                (IFLA_IFNAME, value) => name = value.split(|byte| *byte == 0).next(),
                (IFLA_LINKINFO, value) => {
                    virtual_kind = attributes(value).any(|inner| matches!(inner, Ok((IFLA_INFO_KIND, _))));
                }
                _ => {}
            }
        }
        let flags = u32_at(header, 8)?;
        Ok(Self {
            index: u32_at(header, 4)?,
            name: String::from_utf8_lossy(name.ok_or(Malformed)?).into_owned(),
            up: flags & IFF_UP != 0,
            carrier: flags & IFF_LOWER_UP != 0,
            point_to_point: flags & IFF_POINTOPOINT != 0,
            physical: u16_at(header, 2)? == ARPHRD_ETHER && !virtual_kind,
        })
    }
}

/// A default route of the main table with one next hop in use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct DefaultRoute {
    pub(crate) index: u32,
    /// None on a line from point to point.
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) family: Family,
    pub(crate) metric: u32,
}

impl DefaultRoute {
    /// `None` for all other routes.
    pub(crate) fn parse(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let (header, rest) = payload.split_at_checked(RTMSG).ok_or(Malformed)?;
        let (family, prefix_len, table, kind) = (header[0], header[1], header[4], header[7]);
        let usable = u32_at(header, 8)? & (RTNH_F_DEAD | RTNH_F_LINKDOWN) == 0;
        let default = prefix_len == 0 && table == RT_TABLE_MAIN && kind == RTN_UNICAST && usable;
        if !default || (family != AF_INET && family != AF_INET6) {
            return Ok(None);
        }
        let (mut index, mut gateway, mut metric) = (None, None, 0);
        for attribute in attributes(rest) {
            match attribute? {
                (RTA_OIF, value) => index = Some(u32_at(value, 0)?),
                (RTA_GATEWAY, value) => gateway = Some(ip(family, value)?),
                (RTA_PRIORITY, value) => metric = u32_at(value, 0)?,
                _ => {}
            }
        }
        let family = if family == AF_INET { Family::V4 } else { Family::V6 };
        Ok(index.map(|index| Self { index, gateway, family, metric }))
    }
}

/// Asks for all routes of all families.
pub(crate) fn dump_routes(sequence: u32) -> Vec<u8> {
    dump(RTM_GETROUTE, sequence, &[0; RTMSG])
}

/// Asks for all links, without their statistics.
pub(crate) fn dump_links(sequence: u32) -> Vec<u8> {
    let mut payload = vec![0; IFINFOMSG];
    payload.extend(8_u16.to_ne_bytes());
    payload.extend(IFLA_EXT_MASK.to_ne_bytes());
    payload.extend(RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
    dump(RTM_GETLINK, sequence, &payload)
}

/// Asks for all addresses of all families.
pub(crate) fn dump_addresses(sequence: u32) -> Vec<u8> {
    dump(RTM_GETADDR, sequence, &[0; IFADDRMSG])
}

fn dump(kind: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    request(kind, NLM_F_DUMP, sequence, payload)
}

/// A request with `flags` beside `NLM_F_REQUEST`.
pub(crate) fn request(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(NLMSGHDR + payload.len()).unwrap_or(u32::MAX);
    let mut request = Vec::with_capacity(NLMSGHDR + payload.len());
    request.extend(length.to_ne_bytes());
    request.extend(kind.to_ne_bytes());
    request.extend((NLM_F_REQUEST | flags).to_ne_bytes());
    request.extend(sequence.to_ne_bytes());
    request.extend([0; 4]);
    request.extend(payload);
    request
}

/// Appends an attribute with its padding; its value is far shorter than 64 KiB.
pub(crate) fn push_attribute(payload: &mut Vec<u8>, kind: u16, value: &[u8]) {
    payload.extend(u16::try_from(4 + value.len()).unwrap_or(u16::MAX).to_ne_bytes());
    payload.extend(kind.to_ne_bytes());
    payload.extend(value);
    payload.resize(align(payload.len()), 0);
}

fn align(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map(|chunk| u16::from_ne_bytes(*chunk)).ok_or(Malformed)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map(|chunk| u32::from_ne_bytes(*chunk)).ok_or(Malformed)
}

#[cfg(test)]
mod tests;
