use std::net::IpAddr;

use ddns_core::address::{Changer, Distress};
use ddns_core::time::Instant;
use ddns_ebpf::{AddressRecord, DistressRecord, Family};

/// What one turn of draining found. It says that the host changed, not how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Announcements {
    /// When the kernel made the first of them, where it said so.
    pub(crate) first_at: Option<Instant>,
    pub(crate) count: u32,
    /// Some were lost or did not come the usual way.
    pub(crate) loss: bool,
    /// Who made the last change, where the kernel said so.
    pub(crate) by: Option<Changer>,
    /// Connections make no progress.
    pub(crate) distress: Option<Distress>,
}

impl Announcements {
    pub(crate) fn is_empty(self) -> bool {
        self.count == 0 && !self.loss && self.distress.is_none()
    }

    /// An entry of the ring.
    pub(super) fn take_entry(&mut self, entry: &[u8]) {
        if let Some(record) = AddressRecord::parse(entry) {
            tell(&record);
            self.first_at.get_or_insert(Instant::from_nanos(record.stamp));
            self.count = self.count.saturating_add(1);
            self.by = changer(&record).or(self.by);
        } else if let Some(DistressRecord { retransmissions, resets, .. }) = DistressRecord::parse(entry) {
            tracing::trace!(retransmissions, resets, "TCP connections make no progress");
            self.distress = Some(Distress { retransmissions, resets });
        } else {
            self.loss = true;
        }
    }

    pub(super) fn take_message(&mut self) {
        self.count = self.count.saturating_add(1);
    }

    pub(super) fn take_loss(&mut self) {
        self.loss = true;
    }

    /// Adds what a later turn found.
    pub(crate) fn add(&mut self, later: Self) {
        self.first_at = self.first_at.or(later.first_at);
        self.count = self.count.saturating_add(later.count);
        self.loss |= later.loss;
        self.by = later.by.or(self.by);
        self.distress = later.distress.or(self.distress);
    }
}

/// Who made the change. What the kernel does by its own threads has no other author.
fn changer(record: &AddressRecord) -> Option<Changer> {
    let of_kernel = ["kworker/", "ksoftirqd/", "swapper/"];
    let is = |name: &str| record.comm.starts_with(name.as_bytes());
    (record.pid != 0 && !of_kernel.into_iter().any(is)).then_some(Changer { pid: record.pid, comm: record.comm })
}

fn tell(record: &AddressRecord) {
    let address = match (record.family, record.address) {
        (Family::V4, [a, b, c, d, ..]) => IpAddr::from([a, b, c, d]),
        (Family::V6, octets) => IpAddr::from(octets),
    };
    let AddressRecord { event, ifindex, prefix_len, flags, netns, pid, .. } = record;
    tracing::trace!(%address, ?event, ifindex, prefix_len, flags, netns, pid, "Address announced");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_stamp_stays_and_counts_add_up() {
        let mut record = [0; AddressRecord::SIZE];
        record[56..59].copy_from_slice(&[3, 2, 1]);
        let mut turn = |stamp: u64| {
            record[..8].copy_from_slice(&stamp.to_ne_bytes());
            let mut turn = Announcements::default();
            turn.take_entry(&record);
            turn
        };
        let mut all = turn(7);
        all.add(turn(9));
        assert_eq!((all.first_at, all.count, all.loss), (Some(Instant::from_nanos(7)), 2, false));
    }

    #[test]
    fn the_last_that_has_an_author_names_it_and_the_kernel_is_none() {
        let mut record = [0; AddressRecord::SIZE];
        record[56..59].copy_from_slice(&[1, 2, 1]);
        let mut turn = Announcements::default();
        for (pid, comm) in [(7_u32, "pppd"), (8, "dhclient"), (9, "kworker/0:1"), (0, "")] {
            record[20..24].copy_from_slice(&pid.to_ne_bytes());
            record[24..40].fill(0);
            record[24..24 + comm.len()].copy_from_slice(comm.as_bytes());
            turn.take_entry(&record);
        }
        assert_eq!(turn.by.map(|by| by.to_string()).as_deref(), Some("dhclient[8]"));
    }

    #[test]
    fn distress_is_no_announcement() {
        let mut entry = [0; DistressRecord::SIZE];
        entry[8] = 3;
        let mut turn = Announcements::default();
        turn.take_entry(&entry);
        assert_eq!((turn.count, turn.loss), (0, false));
        assert_eq!(turn.distress, Some(Distress { retransmissions: 3, resets: 0 }));
        assert!(!turn.is_empty());
    }

    #[test]
    fn an_entry_that_is_no_record_counts_as_a_loss() {
        let mut turn = Announcements::default();
        assert!(turn.is_empty());
        turn.take_entry(b"garbage");
        assert!(turn.loss && !turn.is_empty());
    }
}
