//! The whole state of the host's addresses, read over rtnetlink.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use ddns_core::address::{AddressFlags, InterfaceAddress, Snapshot};
use rustix::io::Errno;

use crate::netlink_socket::{NetlinkSocket, Received};
use crate::rtnetlink::{
    Address, Link, Message, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_OVERRUN, RTM_NEWADDR, RTM_NEWLINK,
    dump_addresses, dump_links, messages,
};

/// Reads of a state that keeps changing, before giving up on it.
const ATTEMPTS: u32 = 16;
/// The kernel fills at most 32 KiB of a reader's buffer.
const BUFFER: usize = 64 * 1024;

// linux/if_addr.h
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// Each of the attempts was overtaken by a change, which announces itself.
    #[error("the addresses changed during every read")]
    Restless,
    #[error("the kernel refused to list links and addresses")]
    Refused(#[source] io::Error),
    #[error("the netlink socket broke")]
    Socket(#[source] io::Error),
}

/// A socket of its own for dumps: answers never mix with announcements.
#[derive(Debug)]
pub(crate) struct SnapshotReader {
    socket: NetlinkSocket,
    /// The interfaces of the last look, by name.
    interfaces: BTreeMap<String, u32>,
    sequence: u32,
    buffer: Vec<u8>,
}

/// How a dump ended.
pub(crate) enum Dump {
    Whole,
    /// Interrupted by a change, or not wholly read: to be repeated.
    Torn,
}

impl SnapshotReader {
    pub(crate) fn open() -> Result<Self, Errno> {
        let socket = NetlinkSocket::open()?;
        socket.connect()?;
        Ok(Self { socket, interfaces: BTreeMap::new(), sequence: 0, buffer: vec![0; BUFFER] })
    }

    /// Blocks for as long as the kernel takes to answer, microseconds as a rule.
    pub(crate) fn read(&mut self) -> Result<Snapshot, SnapshotError> {
        for _ in 0..ATTEMPTS {
            if let Some(snapshot) = self.attempt()? {
                return Ok(snapshot);
            }
        }
        Err(SnapshotError::Restless)
    }

    fn attempt(&mut self) -> Result<Option<Snapshot>, SnapshotError> {
        let mut links = BTreeMap::new();
        let request = dump_links(self.next_sequence());
        let dump = self.dump(&request, |message| {
            if message.kind == RTM_NEWLINK {
                let Ok(link) = Link::parse(message.payload) else { return Dump::Torn };
                links.insert(link.index, link);
            }
            Dump::Whole
        })?;
        if matches!(dump, Dump::Torn) {
            return Ok(None);
        }

        let mut addresses = Vec::new();
        let request = dump_addresses(self.next_sequence());
        let dump = self.dump(&request, |message| {
            if message.kind == RTM_NEWADDR {
                match Address::parse(message.payload) {
                    Ok(Some(address)) => addresses.push(address),
                    Ok(None) => {}
                    Err(_) => return Dump::Torn,
                }
            }
            Dump::Whole
        })?;
        if matches!(dump, Dump::Torn) {
            return Ok(None);
        }
        self.interfaces = links.values().map(|link| (link.name.clone(), link.index)).collect();
        Ok(join(&links, addresses))
    }

    /// The indices that these interfaces had at the last look; one that isn't there has none.
    pub(crate) fn indices(&self, names: &[String]) -> Vec<u32> {
        names.iter().filter_map(|name| self.interfaces.get(name).copied()).collect()
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Reads to the end of the dump even when it is torn, since the kernel starts no other before.
    fn dump(&mut self, request: &[u8], mut each: impl FnMut(&Message<'_>) -> Dump) -> Result<Dump, SnapshotError> {
        self.socket.send(request).map_err(|error| SnapshotError::Socket(error.into()))?;
        let mut dump = Dump::Whole;
        loop {
            let datagram = match self.socket.receive(&mut self.buffer) {
                Ok(Received::Datagram(length)) => self.buffer.get(..length).unwrap_or_default(),
                Ok(Received::Truncated) | Err(Errno::NOBUFS) => {
                    dump = Dump::Torn;
                    continue;
                }
                Err(error) => return Err(SnapshotError::Socket(error.into())),
            };
            match part(datagram, self.sequence, &mut dump, &mut each) {
                Ok(End::Open) => {}
                Ok(End::Done) => return Ok(dump),
                Err(error) => return Err(SnapshotError::Refused(error)),
            }
        }
    }
}

/// Whether more of the dump follows.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum End {
    Open,
    Done,
}

/// Takes one datagram of the dump with this sequence number.
pub(crate) fn part(
    datagram: &[u8],
    sequence: u32,
    dump: &mut Dump,
    each: &mut impl FnMut(&Message<'_>) -> Dump,
) -> Result<End, io::Error> {
    for message in messages(datagram) {
        let Ok(message) = message else {
            *dump = Dump::Torn;
            break;
        };
        if message.sequence != sequence {
            continue;
        }
        if message.flags & NLM_F_DUMP_INTR != 0 || message.kind == NLMSG_OVERRUN {
            *dump = Dump::Torn;
        }
        match message.kind {
            NLMSG_DONE | NLMSG_ERROR => match message.status() {
                Ok(0) => return Ok(End::Done),
                Ok(status) => return Err(io::Error::from_raw_os_error(status.saturating_neg())),
                Err(_) => {
                    *dump = Dump::Torn;
                    return Ok(End::Done);
                }
            },
            _ => {
                if matches!(each(&message), Dump::Torn) {
                    *dump = Dump::Torn;
                }
            }
        }
    }
    Ok(End::Open)
}

/// `None` if an address sits on a link that appeared between the two dumps.
fn join(links: &BTreeMap<u32, Link>, addresses: Vec<Address>) -> Option<Snapshot> {
    let on_its_link = |address: Address| {
        let link = links.get(&address.index)?;
        Some(InterfaceAddress {
            index: address.index,
            interface: link.name.clone(),
            address: address.local,
            prefix_len: address.prefix_len,
            flags: flags(&address),
            link_up: link.up,
        })
    };
    addresses.into_iter().map(on_its_link).collect::<Option<_>>().map(Snapshot::new)
}

fn flags(address: &Address) -> AddressFlags {
    let has = |bit: u32| address.flags & bit != 0;
    AddressFlags {
        tentative: has(IFA_F_TENTATIVE),
        dad_failed: has(IFA_F_DADFAILED),
        deprecated: has(IFA_F_DEPRECATED),
        // The same bit on IPv4 is IFA_F_SECONDARY.
        temporary: has(IFA_F_TEMPORARY) && matches!(address.local, IpAddr::V6(_)),
    }
}

#[cfg(test)]
mod tests;
