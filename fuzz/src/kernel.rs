use ddns_ebpf::AddressRecord;
use ddns_linux::fuzzing::{read_dump, read_wireguard, read_wireguard_device};

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

/// Octets of a line that names a peer, and of a peer's attributes with its key.
const SHORTEST_PEER: [usize; 2] = [11 + 64 + 1, 4 + 4 + 32];

/// The answer of a userspace WireGuard, cut at the place that its first octet tells; and a message of the kernel's.
pub fn wireguard(octets: &[u8]) {
    let peers = read_wireguard_device(octets);
    assert!(peers.len() * SHORTEST_PEER[1] <= octets.len(), "more peers than there is room for");
    let Some((place, answer)) = octets.split_first() else { return };
    let (first, second) = answer.split_at(usize::from(*place).min(answer.len()));
    let cut = read_wireguard(first, second);
    assert_eq!(cut, read_wireguard(answer, b""), "where it is cut doesn't matter");
    let peers = cut.map_or(0, |peers| peers.len());
    assert!(peers * SHORTEST_PEER[0] <= answer.len(), "more peers than there is room for");
}
