//! The kernel's own WireGuard over generic netlink (include/uapi/linux/wireguard.h), as far as handshakes need it.

use std::io;

use ddns_core::wireguard::{Peer, PeerKey};
use rustix::io::Errno;
use rustix::net::netlink;

use super::uapi::wall;
use crate::dump::{Dump, DumpError, DumpReader};
use crate::rtnetlink::{Malformed, NLM_F_ACK, NLM_F_DUMP, attributes, push_attribute, request};

/// `struct genlmsghdr`
const GENLMSGHDR: usize = 4;
const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const WG_CMD_GET_DEVICE: u8 = 0;
const WGDEVICE_A_IFNAME: u16 = 2;
const WGDEVICE_A_PEERS: u16 = 8;
const WGPEER_A_PUBLIC_KEY: u16 = 1;
const WGPEER_A_LAST_HANDSHAKE_TIME: u16 = 6;

/// Why no peers came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("this kernel has no WireGuard")]
    NoFamily,
    #[error("the kernel refuses")]
    Refused(#[source] Errno),
    #[error("no generic netlink")]
    Socket(#[source] io::Error),
    #[error("malformed generic netlink message")]
    Malformed,
}

/// The peers of an interface in the network namespace of the calling thread.
pub(crate) fn ask(interface: &str) -> Result<Vec<Peer>, AskError> {
    let mut reader = DumpReader::open(Some(netlink::GENERIC)).map_err(|error| AskError::Socket(error.into()))?;
    let mut family = None;
    read(&mut reader, get_family, |payload| {
        family = family.or(family_id(payload)?);
        Ok(())
    })
    .map_err(|error| match error {
        AskError::Refused(Errno::NOENT) => AskError::NoFamily,
        error => error,
    })?;
    let family = family.ok_or(AskError::NoFamily)?;
    let mut peers = Vec::new();
    read(&mut reader, |sequence| get_device(family, interface, sequence), |payload| read_device(payload, &mut peers))?;
    Ok(peers)
}

/// A torn dump is no matter: peers that it shows are as they are, and the next look is soon.
fn read(
    reader: &mut DumpReader,
    request: impl FnOnce(u32) -> Vec<u8>,
    mut each: impl FnMut(&[u8]) -> Result<(), Malformed>,
) -> Result<(), AskError> {
    let mut malformed = false;
    let dump = reader.read(request, |message| {
        malformed |= each(message.payload).is_err();
        Dump::Whole
    });
    match dump {
        Ok(_) if malformed => Err(AskError::Malformed),
        Ok(Dump::Whole | Dump::Torn) => Ok(()),
        Err(DumpError::Refused(error)) => match Errno::from_io_error(&error) {
            Some(errno) => Err(AskError::Refused(errno)),
            None => Err(AskError::Socket(error)),
        },
        Err(DumpError::Socket(error)) => Err(AskError::Socket(error)),
        Err(DumpError::Restless) => Ok(()),
    }
}

fn get_family(sequence: u32) -> Vec<u8> {
    let mut payload = vec![CTRL_CMD_GETFAMILY, 1, 0, 0];
    push_attribute(&mut payload, CTRL_ATTR_FAMILY_NAME, b"wireguard\0");
    request(GENL_ID_CTRL, NLM_F_ACK, sequence, &payload)
}

fn get_device(family: u16, interface: &str, sequence: u32) -> Vec<u8> {
    let mut payload = vec![WG_CMD_GET_DEVICE, 1, 0, 0];
    push_attribute(&mut payload, WGDEVICE_A_IFNAME, &[interface.as_bytes(), b"\0"].concat());
    request(family, NLM_F_DUMP, sequence, &payload)
}

fn family_id(payload: &[u8]) -> Result<Option<u16>, Malformed> {
    for attribute in attributes(payload.get(GENLMSGHDR..).ok_or(Malformed)?) {
        if let (CTRL_ATTR_FAMILY_ID, value) = attribute? {
            return value.try_into().map(|id| Some(u16::from_ne_bytes(id))).map_err(|_| Malformed);
        }
    }
    Ok(None)
}

/// Adds what one message tells. A peer with many allowed addresses goes on at the head of the next message, by its key alone.
pub(crate) fn read_device(payload: &[u8], peers: &mut Vec<Peer>) -> Result<(), Malformed> {
    for attribute in attributes(payload.get(GENLMSGHDR..).ok_or(Malformed)?) {
        let (WGDEVICE_A_PEERS, nested) = attribute? else { continue };
        for peer in attributes(nested) {
            let peer = read_peer(peer?.1)?;
            match peers.last_mut() {
                Some(known) if known.key == peer.key => known.handshake = peer.handshake.or(known.handshake),
                Some(_) | None => peers.push(peer),
            }
        }
    }
    Ok(())
}

fn read_peer(nested: &[u8]) -> Result<Peer, Malformed> {
    let (mut key, mut handshake) = (None, None);
    for attribute in attributes(nested) {
        match attribute? {
            (WGPEER_A_PUBLIC_KEY, value) => key = Some(PeerKey(value.try_into().map_err(|_| Malformed)?)),
            (WGPEER_A_LAST_HANDSHAKE_TIME, value) => handshake = timespec(value)?,
            _ => {}
        }
    }
    Ok(Peer { key: key.ok_or(Malformed)?, handshake })
}

/// `struct __kernel_timespec`
fn timespec(value: &[u8]) -> Result<Option<ddns_core::time::Wall>, Malformed> {
    let value: &[u8; 16] = value.try_into().map_err(|_| Malformed)?;
    let [seconds, nanos] = value.as_chunks().0 else { return Err(Malformed) };
    let unsigned = |octets: [u8; 8]| u64::try_from(i64::from_ne_bytes(octets)).map_err(|_| Malformed);
    wall(unsigned(*seconds)?, unsigned(*nanos)?).ok_or(Malformed)
}

#[cfg(test)]
mod tests;
