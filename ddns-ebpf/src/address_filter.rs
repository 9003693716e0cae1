//! A filter on an `AF_NETLINK` socket: moves address announcements into the ring and leaves everything else alone.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
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
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const NLA_TYPE_MASK: u16 = 0x3fff;
/// The kernel writes ten at most.
const MAX_ATTRIBUTES: usize = 12;

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
    if length < (NLMSGHDR + IFADDRMSG) as u32 || (length + 3) & !3 < ctx.len() {
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
    let mut found = false;
    let mut is_local = false;
    let mut at = NLMSGHDR + IFADDRMSG;
    for _ in 0..MAX_ATTRIBUTES {
        let Ok([size, kind]) = ctx.load::<[u16; 2]>(at) else { break };
        if (size as usize) < RTATTR {
            return None;
        }
        let value = at + RTATTR;
        match kind & NLA_TYPE_MASK {
            IFA_FLAGS => record.flags = ctx.load(value).ok()?,
            // On a point-to-point link IFA_ADDRESS is the peer, and IFA_LOCAL is ours whichever comes first.
            kind @ (IFA_ADDRESS | IFA_LOCAL) if kind == IFA_LOCAL || !is_local => {
                match family {
                    Family::V4 => {
                        let [a, b, c, d]: [u8; 4] = ctx.load(value).ok()?;
                        record.address = [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                    }
                    Family::V6 => record.address = ctx.load(value).ok()?,
                }
                found = true;
                is_local = kind == IFA_LOCAL;
            }
            _ => {}
        }
        at += (size as usize + 3) & !3;
    }
    found.then_some(record)
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
