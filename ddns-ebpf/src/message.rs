//! An address announcement, wherever it lies.

use core::arch::asm;

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use ddns_ebpf::{AddressRecord, Event, Family, Rung};

// linux/rtnetlink.h, linux/if_addr.h
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const NLMSGHDR: usize = 16;
const IFADDRMSG: usize = 8;
pub const RTATTR: usize = 4;
const IFA_ADDRESS: u64 = 1;
const IFA_LOCAL: u64 = 2;
const IFA_FLAGS: u64 = 8;
const IFA_PROTO: u64 = 11;
const NLA_TYPE_MASK: u64 = 0x3fff;
/// Twice what the kernel writes, and the offset of every value fits a byte.
const MAX_LENGTH: u32 = 160;

/// The octets of a netlink message.
pub trait Message {
    /// How many there are.
    fn length(&self) -> u32;
    /// A value at this place.
    fn load<T>(&self, at: usize) -> Option<T>;
    /// Length and kind of the attribute at this place; zeros beyond the message.
    fn attribute(&self, at: u32) -> [u16; 2];
}

/// What kind of address message this is; `None` for any other.
#[inline(always)]
pub fn event(message: &impl Message) -> Option<Event> {
    match message.load::<u16>(4) {
        Some(RTM_NEWADDR) => Some(Event::New),
        Some(RTM_DELADDR) => Some(Event::Deleted),
        _ => None,
    }
}

/// The record of a message. `by_kernel` in the second place: the message says that the kernel itself made the change
/// (`IFA_PROTO`, Linux 5.18).
#[inline(always)]
pub fn read(message: &impl Message, event: Event, rung: Rung) -> Option<(AddressRecord, bool)> {
    // One message in one buffer is what the kernel sends; anything else is for the reader of the socket.
    let length = message.load::<u32>(0)?;
    if length > MAX_LENGTH || (length + 3) & !3 < message.length() {
        return None;
    }
    let header: [u8; IFADDRMSG] = message.load(NLMSGHDR)?;
    let family = match header[0] {
        2 => Family::V4,
        10 => Family::V6,
        _ => return None,
    };
    let mut record = AddressRecord {
        // SAFETY: the helper takes no argument and only reads a clock.
        stamp: unsafe { bpf_ktime_get_boot_ns() },
        ifindex: u32::from_ne_bytes([header[4], header[5], header[6], header[7]]),
        flags: u32::from(header[2]),
        netns: 0,
        pid: 0,
        comm: [0; 16],
        address: [0; 16],
        rung,
        family,
        event,
        prefix_len: header[1],
        scope: header[3],
        padding: [0; 3],
    };
    let values = Values::find(message);
    if let Some(flags) = values.at(IFA_FLAGS) {
        record.flags = message.load(flags)?;
    }
    // On a point-to-point link IFA_ADDRESS is the peer.
    let address = values.at(IFA_LOCAL).or(values.at(IFA_ADDRESS))?;
    match family {
        Family::V4 => {
            let [a, b, c, d]: [u8; 4] = message.load(address)?;
            record.address = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        }
        Family::V6 => record.address = message.load(address)?,
    }
    Some((record, values.at(IFA_PROTO).is_some()))
}

/// Where in the message the values of its attributes start: one byte for each of the first sixteen kinds, 0 for none.
struct Values {
    below_8: u64,
    from_8: u64,
}

/// Without the branch that ends a loop: to a process without `CAP_PERFMON` the verifier also follows each branch
/// speculatively, where it does not know the counter, and that of Linux 5.10 never comes out of the loop.
macro_rules! twelve_times {
    ($step:expr) => {
        $step;
        $step;
        $step;
        $step;
        $step;
        $step;
        $step;
        $step;
        $step;
        $step;
        $step;
        $step;
    };
}

impl Values {
    /// Looks at twelve attributes; the kernel writes eleven at most.
    #[inline(always)]
    fn find(message: &impl Message) -> Self {
        let mut values = Self { below_8: 0, from_8: 0 };
        let mut at = (NLMSGHDR + IFADDRMSG) as u32;
        twelve_times!(values.look(message, &mut at));
        values
    }

    #[inline(always)]
    fn look(&mut self, message: &impl Message, at: &mut u32) {
        let [size, kind] = message.attribute(*at).map(u64::from);
        let kind = kind & NLA_TYPE_MASK;
        let value = u64::from(at.wrapping_add(RTATTR as u32) & 0xff) << (8 * (kind & 7));
        self.below_8 |= value & all_if_zero((kind >> 3) as i64);
        self.from_8 |= value & all_if_zero((kind >> 3 ^ 1) as i64);
        *at = at.wrapping_add((size as u32 + 3) & !3);
    }

    #[inline(always)]
    fn at(&self, kind: u64) -> Option<usize> {
        let values = if kind < 8 { self.below_8 } else { self.from_8 };
        match values >> (8 * (kind & 7)) & 0xff {
            0 => None,
            at => Some(at as usize),
        }
    }
}

/// All ones for zero, else zero. The compiler may not see which, or it would branch; and the value has to stay in its
/// register, since older verifiers let no helper write where a constant was spilled.
#[inline(always)]
fn all_if_zero(mut value: i64) -> u64 {
    // SAFETY: the instruction copies a register to itself.
    unsafe { asm!("{0} = {0}", inout(reg) value, options(pure, nomem, nostack, preserves_flags)) };
    (value.wrapping_sub(1) >> 63) as u64
}
