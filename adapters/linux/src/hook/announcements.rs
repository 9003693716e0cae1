use std::net::IpAddr;

use ddns_core::time::Instant;
use ddns_ebpf::{AddressRecord, Family};

/// What one turn of draining found. It says that the host changed, not how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Announcements {
    /// When the kernel made the first of them, where it said so.
    pub(crate) first_at: Option<Instant>,
    pub(crate) count: u32,
    /// Some were lost or did not come the usual way.
    pub(crate) loss: bool,
}

impl Announcements {
    pub(crate) fn is_empty(self) -> bool {
        self.count == 0 && !self.loss
    }

    /// An entry of the ring.
    pub(super) fn take_record(&mut self, entry: &[u8]) {
        match AddressRecord::parse(entry) {
            Some(record) => {
                tell(&record);
                self.first_at.get_or_insert(Instant::from_nanos(record.stamp));
                self.count = self.count.saturating_add(1);
            }
            None => self.loss = true,
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
    }
}

fn tell(record: &AddressRecord) {
    let address = match (record.family, record.address) {
        (Family::V4, [a, b, c, d, ..]) => IpAddr::from([a, b, c, d]),
        (Family::V6, octets) => IpAddr::from(octets),
    };
    let AddressRecord { event, ifindex, prefix_len, flags, .. } = record;
    tracing::trace!(%address, ?event, ifindex, prefix_len, flags, "Address announced");
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
            turn.take_record(&record);
            turn
        };
        let mut all = turn(7);
        all.add(turn(9));
        assert_eq!(all, Announcements { first_at: Some(Instant::from_nanos(7)), count: 2, loss: false });
    }

    #[test]
    fn an_entry_that_is_no_record_counts_as_a_loss() {
        let mut turn = Announcements::default();
        assert!(turn.is_empty());
        turn.take_record(b"garbage");
        assert!(turn.loss && !turn.is_empty());
    }
}
