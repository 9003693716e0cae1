/// One announcement of an address, as the kernel made it: from `RTM_NEWADDR` and `RTM_DELADDR` (rtnetlink(7)).
///
/// It is a hint that something changed, never the truth about what holds now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct AddressRecord {
    /// When the program saw it: nanoseconds since boot, suspend included (`CLOCK_BOOTTIME`).
    pub stamp: u64,
    /// The interface.
    pub ifindex: u32,
    /// `IFA_F_*` of `linux/if_addr.h`: `IFA_FLAGS` where present, else the eight bits of the header.
    pub flags: u32,
    /// Inode of the network namespace; 0 where the hook cannot tell (it sees its own namespace alone).
    pub netns: u32,
    /// Process that made the change; 0 where the hook cannot tell.
    pub pid: u32,
    /// Name of that process, padded with zeros; all zeros where the hook cannot tell.
    pub comm: [u8; 16],
    /// The local address in network order; IPv4 fills the first four bytes.
    pub address: [u8; 16],
    /// Which hook wrote it.
    pub rung: Rung,
    /// The address family.
    pub family: Family,
    /// What happened.
    pub event: Event,
    /// Bits of the network prefix.
    pub prefix_len: u8,
    /// `RT_SCOPE_*` of `linux/rtnetlink.h`.
    pub scope: u8,
    /// Zero.
    pub padding: [u8; 3],
}

/// The kernel hooks that write records, from the one that sees most downwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Rung {
    /// A tracing program on `rtnl_notify`.
    Fentry = 1,
    /// A kprobe on `rtnl_notify`.
    Kprobe = 2,
    /// A filter on an rtnetlink socket.
    SocketFilter = 3,
}

/// Address families, by their `AF_*` numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Family {
    /// `AF_INET`
    V4 = 2,
    /// `AF_INET6`
    V6 = 10,
}

/// What happened to the address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Event {
    /// Added, or changed in flags or lifetimes.
    New = 1,
    /// Removed.
    Deleted = 2,
}

/// What tells one address from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct AddressKey {
    /// [`AddressRecord::address`]
    pub address: [u8; 16],
    /// [`AddressRecord::netns`]
    pub netns: u32,
    /// [`AddressRecord::ifindex`]
    pub ifindex: u32,
}

/// `IFA_F_TENTATIVE`: duplicate address detection has not ended.
pub const TENTATIVE: u32 = 0x40;
/// `IFA_F_DADFAILED`: it found another host with this address.
pub const DAD_FAILED: u32 = 0x08;

impl AddressRecord {
    /// Bytes of a record.
    pub const SIZE: usize = size_of::<Self>();

    /// Reads a record from the bytes of one ring entry; `None` if they are not one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::SIZE] = bytes.try_into().ok()?;
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        Some(Self {
            stamp: u64::from_ne_bytes(bytes.get(..8)?.try_into().ok()?),
            ifindex: word(8)?,
            flags: word(12)?,
            netns: word(16)?,
            pid: word(20)?,
            comm: bytes.get(24..40)?.try_into().ok()?,
            address: bytes.get(40..56)?.try_into().ok()?,
            rung: match bytes[56] {
                1 => Rung::Fentry,
                2 => Rung::Kprobe,
                3 => Rung::SocketFilter,
                _ => return None,
            },
            family: match bytes[57] {
                2 => Family::V4,
                10 => Family::V6,
                _ => return None,
            },
            event: match bytes[58] {
                1 => Event::New,
                2 => Event::Deleted,
                _ => return None,
            },
            prefix_len: bytes[59],
            scope: bytes[60],
            padding: [0; 3],
        })
    }
}

#[cfg(test)]
mod tests {
    use core::mem::offset_of;

    use super::*;

    fn sample() -> [u8; AddressRecord::SIZE] {
        let mut bytes = [0; AddressRecord::SIZE];
        bytes[..8].copy_from_slice(&7_000_000_001_u64.to_ne_bytes());
        for (at, value) in [(8, 3_u32), (12, 0x280), (16, 4_026_531_840), (20, 4711)] {
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        }
        bytes[24..26].copy_from_slice(b"ip");
        bytes[40..44].copy_from_slice(&[192, 0, 2, 1]);
        bytes[56..61].copy_from_slice(&[3, 2, 1, 24, 253]);
        bytes
    }

    #[test]
    fn the_layout_is_the_one_that_the_parser_reads() {
        assert_eq!(AddressRecord::SIZE, 64);
        assert_eq!(align_of::<AddressRecord>(), 8);
        assert_eq!(
            [
                offset_of!(AddressRecord, stamp),
                offset_of!(AddressRecord, ifindex),
                offset_of!(AddressRecord, flags),
                offset_of!(AddressRecord, netns),
                offset_of!(AddressRecord, pid),
                offset_of!(AddressRecord, comm),
                offset_of!(AddressRecord, address),
                offset_of!(AddressRecord, rung),
                offset_of!(AddressRecord, family),
                offset_of!(AddressRecord, event),
                offset_of!(AddressRecord, prefix_len),
                offset_of!(AddressRecord, scope),
                offset_of!(AddressRecord, padding),
            ],
            [0, 8, 12, 16, 20, 24, 40, 56, 57, 58, 59, 60, 61]
        );
    }

    #[test]
    fn every_field_is_read() {
        let record = AddressRecord::parse(&sample()).unwrap();
        assert_eq!(record.stamp, 7_000_000_001);
        assert_eq!((record.ifindex, record.flags, record.netns, record.pid), (3, 0x280, 4_026_531_840, 4711));
        assert_eq!(&record.comm[..3], b"ip\0");
        assert_eq!(&record.address[..5], &[192, 0, 2, 1, 0]);
        assert_eq!((record.rung, record.family, record.event), (Rung::SocketFilter, Family::V4, Event::New));
        assert_eq!((record.prefix_len, record.scope), (24, 253));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let good = sample();
        assert_eq!(AddressRecord::parse(&[]), None);
        assert_eq!(AddressRecord::parse(&good[..63]), None);
        for at in [56, 57, 58] {
            for value in [0, 4, 0xff] {
                let mut bytes = good;
                bytes[at] = value;
                assert_eq!(AddressRecord::parse(&bytes), None, "byte {at} = {value}");
            }
        }
    }
}
