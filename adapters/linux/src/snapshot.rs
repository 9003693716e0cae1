//! The whole state of the host's addresses, read over rtnetlink.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ddns_core::address::{AddressFlags, InterfaceAddress, Snapshot};
use rustix::io::Errno;

use crate::dump::{Dump, DumpError, DumpReader};
use crate::rtnetlink::{Address, Link, RTM_NEWADDR, RTM_NEWLINK, dump_addresses, dump_links};

/// Reads of a state that keeps changing, before giving up on it.
const ATTEMPTS: u32 = 16;

// linux/if_addr.h
const IFA_F_TEMPORARY: u32 = 0x01;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;

/// Reads links, then addresses.
#[derive(Debug)]
pub(crate) struct SnapshotReader {
    dumps: DumpReader,
    /// The interfaces of the last look, by name.
    interfaces: BTreeMap<String, u32>,
}

impl SnapshotReader {
    pub(crate) fn open() -> Result<Self, Errno> {
        Ok(Self { dumps: DumpReader::open(None)?, interfaces: BTreeMap::new() })
    }

    /// Blocks for as long as the kernel takes to answer, microseconds as a rule.
    pub(crate) fn read(&mut self) -> Result<Snapshot, DumpError> {
        for _ in 0..ATTEMPTS {
            if let Some(snapshot) = self.attempt()? {
                return Ok(snapshot);
            }
        }
        Err(DumpError::Restless)
    }

    fn attempt(&mut self) -> Result<Option<Snapshot>, DumpError> {
        let mut links = BTreeMap::new();
        let dump = self.dumps.read(dump_links, |message| {
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
        let dump = self.dumps.read(dump_addresses, |message| {
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
