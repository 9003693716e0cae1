/// TCP connections of this host make no progress: many segments were sent again, or many resets came, within
/// [`DISTRESS_WINDOW_NANOS`].
///
/// A hint to look at the way to the Internet, no proof: a lossy peer makes the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct DistressRecord {
    /// When it came to be too much: nanoseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    pub stamp: u64,
    /// Segments sent again within the window.
    pub retransmissions: u32,
    /// Resets received within the window.
    pub resets: u32,
}

/// The time over which is counted.
pub const DISTRESS_WINDOW_NANOS: u64 = 2_000_000_000;
/// A single connection whose way is cut sends again after about 0.2, 0.6 and 1.4 seconds (RFC 6298).
pub const DISTRESS_RETRANSMISSIONS: u32 = 3;
/// A few resets belong to any scan of ports.
pub const DISTRESS_RESETS: u32 = 20;

impl DistressRecord {
    /// Bytes of a record, by which it is told from an address record.
    pub const SIZE: usize = size_of::<Self>();

    /// Reads a record from the bytes of one ring entry; `None` if they are not one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::SIZE] = bytes.try_into().ok()?;
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let stamp = u64::from_ne_bytes(bytes.get(..8)?.try_into().ok()?);
        Some(Self { stamp, retransmissions: word(8)?, resets: word(12)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_by_its_layout() {
        assert_eq!((DistressRecord::SIZE, align_of::<DistressRecord>()), (16, 8));
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&7_000_000_001_u64.to_ne_bytes());
        bytes[8..12].copy_from_slice(&3_u32.to_ne_bytes());
        bytes[12..].copy_from_slice(&20_u32.to_ne_bytes());
        let record = DistressRecord { stamp: 7_000_000_001, retransmissions: 3, resets: 20 };
        assert_eq!(DistressRecord::parse(&bytes), Some(record));
        assert_eq!(DistressRecord::parse(&bytes[1..]), None);
    }
}
