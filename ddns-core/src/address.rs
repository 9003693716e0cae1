//! What the host's interfaces hold: snapshots, and the news that one has changed.

use std::fmt;
use std::net::IpAddr;

use crate::discovery::{Election, Nat};
use crate::selection::Rejection;
use crate::time::Instant;

/// An address family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4
    V4,
    /// IPv6
    V6,
}

impl Family {
    /// Both families, in the order in which they are reported.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    pub const fn of(address: &IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// The flags of an address that matter for publishing it (`IFA_F_*` of `linux/if_addr.h`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AddressFlags {
    /// Duplicate address detection has not ended (`IFA_F_TENTATIVE`, RFC 4862 §5.4).
    pub tentative: bool,
    /// Duplicate address detection found a duplicate (`IFA_F_DADFAILED`).
    pub dad_failed: bool,
    /// The preferred lifetime is over (`IFA_F_DEPRECATED`, RFC 4862 §5.5.4).
    pub deprecated: bool,
    /// A privacy address (`IFA_F_TEMPORARY` on IPv6, RFC 8981). Never set on IPv4, where the same bit means secondary.
    pub temporary: bool,
}

/// One address on one interface.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InterfaceAddress {
    /// The interface's index, reused by the kernel after the interface is gone.
    pub index: u32,
    /// The interface's name at the time of the snapshot.
    pub interface: String,
    /// The local address.
    pub address: IpAddr,
    /// Bits of the network prefix.
    pub prefix_len: u8,
    /// Its flags.
    pub flags: AddressFlags,
    /// Whether the interface is administratively up (`IFF_UP`).
    pub link_up: bool,
}

/// What asking the world for the host's address of a family has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discovered {
    /// The first round is under way.
    Asking,
    /// Nobody could be believed.
    Nobody,
    /// A quorum confirmed this address.
    Address(IpAddr),
    /// A quorum confirmed this address, but it can't be right to publish it.
    Refused(IpAddr, Rejection),
}

/// All addresses of the host at one moment: the whole truth, not a difference. Kept sorted and without duplicates, so
/// that equal states compare equal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    addresses: Vec<InterfaceAddress>,
    /// By family. What was discovered stands in place of the host's own addresses.
    discovered: [Option<Discovered>; 2],
}

impl Snapshot {
    /// A snapshot of these addresses, in any order.
    pub fn new(mut addresses: Vec<InterfaceAddress>) -> Self {
        addresses.sort_unstable();
        addresses.dedup();
        Self { addresses, discovered: [None; 2] }
    }

    /// The same, with what asking the world has come to: the family's own addresses are not published then.
    #[must_use]
    pub const fn with_discovered(mut self, family: Family, discovered: Discovered) -> Self {
        self.discovered[family as usize] = Some(discovered);
        self
    }

    /// What asking the world has come to; `None` where the own addresses are the ones to publish.
    pub const fn discovered(&self, family: Family) -> Option<Discovered> {
        self.discovered[family as usize]
    }

    /// The addresses, sorted by interface index, interface name and address.
    pub fn addresses(&self) -> &[InterfaceAddress] {
        &self.addresses
    }
}

/// Why a source looked again, with the times that show how fast it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hint {
    /// What woke the source: `socket-filter`, `netlink`, or `snapshot` where it looked of its own accord.
    pub rung: &'static str,
    /// When the kernel announced the (first) change, where the kernel said so.
    pub kernel_at: Option<Instant>,
    /// When the source learned of it.
    pub received_at: Instant,
    /// Announcements that this snapshot answers; 0 when the source looked of its own accord.
    pub announcements: u32,
    /// Announcements were lost (a full ring, ENOBUFS) and this snapshot makes up for them.
    pub after_loss: bool,
    /// Who made the change, where the kernel said so.
    pub by: Option<Changer>,
    /// Connections make no progress: a reason to look at the way to the Internet. The addresses may be as before.
    pub distress: Option<Distress>,
}

impl Hint {
    /// A source looked of its own accord, or was told by `rung` at this time.
    pub const fn new(rung: &'static str, received_at: Instant, announcements: u32) -> Self {
        Self { rung, kernel_at: None, received_at, announcements, after_loss: false, by: None, distress: None }
    }
}

/// A process that changed an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Changer {
    /// Its id.
    pub pid: u32,
    /// Its name, padded with zeros. Any process may call itself anything.
    pub comm: [u8; 16],
}

impl fmt::Display for Changer {
    /// `pppd[812]`; what is no printable ASCII is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.comm.split(|octet| *octet == 0).next().unwrap_or_default();
        write!(f, "{}[{}]", name.escape_ascii(), self.pid)
    }
}

/// What TCP connections suffered within two seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Distress {
    /// Segments sent again.
    pub retransmissions: u32,
    /// Resets received.
    pub resets: u32,
}

/// A source's news: the host's addresses as they are, and why it looked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IpChangeEvent {
    /// The whole state.
    pub snapshot: Snapshot,
    /// Why the source looked.
    pub hint: Hint,
    /// The rounds of questions that have ended since the last news.
    pub elections: Vec<Election>,
    /// What stands between the host and the Internet, from a source that knows.
    pub nat: Option<Nat>,
    /// How the source hears of changes from here on, where that is another thing than what told it of this one.
    pub listening: Option<&'static str>,
}

impl IpChangeEvent {
    /// The same, from a source that hears of changes by `rung`.
    #[must_use]
    pub const fn by(mut self, rung: &'static str) -> Self {
        self.listening = Some(rung);
        self
    }

    /// An event for embedding programs and sources of their own.
    pub const fn new(snapshot: Snapshot, hint: Hint) -> Self {
        Self { snapshot, hint, elections: Vec::new(), nat: None, listening: None }
    }
}
