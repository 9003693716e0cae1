use ddns_ebpf::AddressRecord;
use ddns_linux::fuzzing::read_dump;

/// Octets of a netlink header and of the shortest address message behind it.
const SHORTEST: usize = 16 + 8;

/// A datagram of the kernel's answer to a dump with sequence number 7.
pub fn netlink(datagram: &[u8]) {
    let (addresses, names) = read_dump(datagram, 7);
    assert!((addresses.len() + names.len()) * SHORTEST <= datagram.len(), "more was read than there is");
    assert!(names.iter().all(|name| !name.contains('\0')), "a name goes on past its end");
}

/// An entry of the eBPF programs' ring.
pub fn ring_record(entry: &[u8]) {
    let Some(record) = AddressRecord::parse(entry) else { return };
    assert_eq!(entry.len(), AddressRecord::SIZE, "only whole entries are records");
    assert_eq!(record.stamp.to_ne_bytes(), entry[..8]);
    assert_eq!(record.address, entry[40..56]);
    assert_eq!([record.rung as u8, record.family as u8, record.event as u8], entry[56..59]);
}
