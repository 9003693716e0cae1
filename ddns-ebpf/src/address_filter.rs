//! A filter on an `AF_NETLINK` socket: moves address announcements into the ring and leaves everything else alone.

use core::arch::asm;

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use aya_ebpf::macros::{map, socket_filter};
use aya_ebpf::maps::{Array, PerCpuArray, RingBuf};
use aya_ebpf::programs::SkBuffContext;
use aya_log_ebpf::{debug, warn};
use ddns_ebpf::{AddressRecord, EVENTS_BYTES, Event, Family, Rung};

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(EVENTS_BYTES, 0);
#[map]
static DROPS: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);
/// When the full ring was last complained of.
#[map]
static WARNED: Array<u64> = Array::with_max_entries(1, 0);

/// The socket gets the message too: readable there, or ENOBUFS once its queue is full, means "look again".
const KEEP: i64 = 0xffff_ffff;
/// The ring has it.
const TAKEN: i64 = 0;

const WARN_EVERY_NANOS: u64 = 1_000_000_000;

// linux/rtnetlink.h, linux/if_addr.h
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const NLMSGHDR: usize = 16;
const IFADDRMSG: usize = 8;
const RTATTR: usize = 4;
const IFA_ADDRESS: u64 = 1;
const IFA_LOCAL: u64 = 2;
const IFA_FLAGS: u64 = 8;
const NLA_TYPE_MASK: u64 = 0x3fff;
/// Twice what the kernel writes, and the offset of every value fits a byte.
const MAX_LENGTH: u32 = 160;

/// See [`ddns_ebpf::ADDRESS_FILTER`].
#[socket_filter]
pub fn address_filter(ctx: SkBuffContext) -> i64 {
    filter::<true>(&ctx)
}

/// See [`ddns_ebpf::MUTE_ADDRESS_FILTER`].
#[socket_filter]
pub fn mute_address_filter(ctx: SkBuffContext) -> i64 {
    filter::<false>(&ctx)
}

#[inline(always)]
fn filter<const SPEAKS: bool>(ctx: &SkBuffContext) -> i64 {
    let event = match ctx.load::<u16>(4) {
        Ok(RTM_NEWADDR) => Event::New,
        Ok(RTM_DELADDR) => Event::Deleted,
        _ => return KEEP,
    };
    let Some(record) = read(ctx, event) else {
        if SPEAKS {
            debug!(ctx, "an address announcement of {} bytes was not understood", ctx.len());
        }
        return KEEP;
    };
    let Some(mut entry) = EVENTS.reserve::<AddressRecord>(0) else {
        count_drop();
        if SPEAKS && complaint_is_due(record.stamp) {
            warn!(ctx, "the ring of address events is full");
        }
        return KEEP;
    };
    entry.write(record);
    entry.submit(0);
    TAKEN
}

#[inline(always)]
fn read(ctx: &SkBuffContext, event: Event) -> Option<AddressRecord> {
    // One message in one buffer is what the kernel sends; anything else is for the reader of the socket.
    let length = ctx.load::<u32>(0).ok()?;
    if length > MAX_LENGTH || (length + 3) & !3 < ctx.len() {
        return None;
    }
    let header: [u8; IFADDRMSG] = ctx.load(NLMSGHDR).ok()?;
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
        rung: Rung::SocketFilter,
        family,
        event,
        prefix_len: header[1],
        scope: header[3],
        padding: [0; 3],
    };
    let values = Values::find(ctx);
    if let Some(flags) = values.at(IFA_FLAGS) {
        record.flags = ctx.load(flags).ok()?;
    }
    // On a point-to-point link IFA_ADDRESS is the peer.
    let address = values.at(IFA_LOCAL).or(values.at(IFA_ADDRESS))?;
    match family {
        Family::V4 => {
            let [a, b, c, d]: [u8; 4] = ctx.load(address).ok()?;
            record.address = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        }
        Family::V6 => record.address = ctx.load(address).ok()?,
    }
    Some(record)
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
    /// Looks at twelve attributes; the kernel writes ten at most.
    #[inline(always)]
    fn find(ctx: &SkBuffContext) -> Self {
        let mut values = Self { below_8: 0, from_8: 0 };
        let mut at = (NLMSGHDR + IFADDRMSG) as u32;
        twelve_times!(values.look(ctx, &mut at));
        values
    }

    #[inline(always)]
    fn look(&mut self, ctx: &SkBuffContext, at: &mut u32) {
        let mut attribute = [0_u16; 2];
        // SAFETY: four bytes are written, which the array has. Beyond the message the helper writes zeros, and an
        // attribute of kind and length zero changes nothing.
        unsafe { bpf_skb_load_bytes(ctx.as_ptr(), *at, attribute.as_mut_ptr().cast(), RTATTR as u32) };
        let [size, kind] = attribute.map(u64::from);
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

#[inline(always)]
fn count_drop() {
    let Some(drops) = DROPS.get_ptr_mut(0) else { return };
    // SAFETY: an aligned u64 of this processor's own, valid as long as the program runs.
    unsafe { *drops += 1 };
}

/// True once a second at most, so that a full ring does not flood the log.
#[inline(always)]
fn complaint_is_due(now: u64) -> bool {
    let Some(warned) = WARNED.get_ptr_mut(0) else { return false };
    // SAFETY: an aligned u64, valid as long as the program runs; processors that race here both complain, which does no
    // harm.
    unsafe {
        if now - *warned < WARN_EVERY_NANOS {
            return false;
        }
        *warned = now;
    }
    true
}
