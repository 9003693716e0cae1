//! A filter on an `AF_NETLINK` socket: moves address announcements into the ring and leaves everything else alone.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use aya_ebpf::macros::socket_filter;
use aya_ebpf::programs::SkBuffContext;
use aya_log_ebpf::{debug, warn};
use ddns_ebpf::Rung;

use crate::message::{self, Message, RTATTR};
use crate::{policy, ring};

/// The socket gets the message too: readable there, or ENOBUFS once its queue is full, means "look again".
const KEEP: i64 = 0xffff_ffff;
/// The ring has it, or nobody needs it.
const TAKEN: i64 = 0;

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
    let Some(event) = message::event(ctx) else { return KEEP };
    let Some((record, _)) = message::read(ctx, event, Rung::SocketFilter) else {
        if SPEAKS {
            debug!(ctx, "an address announcement of {} bytes was not understood", ctx.len());
        }
        return KEEP;
    };
    if !policy::matters(&record) {
        return TAKEN;
    }
    let stamp = record.stamp;
    if ring::put(record) {
        return TAKEN;
    }
    if SPEAKS && ring::complaint_is_due(stamp) {
        warn!(ctx, "the ring of address events is full");
    }
    KEEP
}

impl Message for SkBuffContext {
    #[inline(always)]
    fn length(&self) -> u32 {
        self.len()
    }

    #[inline(always)]
    fn load<T>(&self, at: usize) -> Option<T> {
        SkBuffContext::load(self, at).ok()
    }

    #[inline(always)]
    fn attribute(&self, at: u32) -> [u16; 2] {
        let mut attribute = [0_u16; 2];
        // SAFETY: four bytes are written, which the array has. Beyond the message the helper writes zeros, and an
        // attribute of kind and length zero changes nothing.
        unsafe { bpf_skb_load_bytes(self.as_ptr(), at, attribute.as_mut_ptr().cast(), RTATTR as u32) };
        attribute
    }
}
