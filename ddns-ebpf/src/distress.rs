//! Signs that a way is broken: TCP sends again, and gets resets. They are counted here, and told once a second at most.

use aya_ebpf::helpers::bpf_ktime_get_boot_ns;
use aya_ebpf::macros::{map, raw_tracepoint};
use aya_ebpf::maps::Array;
use aya_ebpf::programs::RawTracePointContext;
use ddns_ebpf::{DISTRESS_RESETS, DISTRESS_RETRANSMISSIONS, DISTRESS_WINDOW_NANOS, DistressRecord};

use crate::kernel_layout::{self, NET_INUM, SOCK_NET};
use crate::ring;

/// The namespace whose connections count; 0 for all.
#[unsafe(no_mangle)]
static DISTRESS_NETNS: u32 = 0;

struct Window {
    since: u64,
    retransmissions: u32,
    resets: u32,
    told: u64,
}

#[map]
static WINDOW: Array<Window> = Array::with_max_entries(1, 0);

/// See [`ddns_ebpf::TCP_RETRANSMISSION`].
#[raw_tracepoint(tracepoint = "tcp_retransmit_skb")]
pub fn tcp_retransmission(ctx: RawTracePointContext) -> i32 {
    count(ctx.arg(0), 1, 0);
    0
}

/// See [`ddns_ebpf::TCP_RESET`].
#[raw_tracepoint(tracepoint = "tcp_receive_reset")]
pub fn tcp_reset(ctx: RawTracePointContext) -> i32 {
    count(ctx.arg(0), 0, 1);
    0
}

#[inline(always)]
fn count(sock: u64, retransmissions: u32, resets: u32) {
    let wanted = kernel_layout::global(&DISTRESS_NETNS);
    if wanted != 0 {
        let net: Option<u64> = kernel_layout::read(sock, &SOCK_NET);
        let netns: Option<u32> = net.and_then(|net| kernel_layout::read(net, &NET_INUM));
        if netns != Some(wanted) {
            return;
        }
    }
    let Some(window) = WINDOW.get_ptr_mut(0) else { return };
    // SAFETY: the helper only reads a clock; the map's one value is aligned and valid as long as the program runs.
    // Processors that race here lose a count, which delays what is told by one packet.
    unsafe {
        let (now, window) = (bpf_ktime_get_boot_ns(), &mut *window);
        if now.wrapping_sub(window.since) > DISTRESS_WINDOW_NANOS {
            (window.since, window.retransmissions, window.resets) = (now, 0, 0);
        }
        window.retransmissions += retransmissions;
        window.resets += resets;
        let much = window.retransmissions >= DISTRESS_RETRANSMISSIONS || window.resets >= DISTRESS_RESETS;
        if much && window.told != window.since {
            window.told = window.since;
            ring::put(DistressRecord { stamp: now, retransmissions: window.retransmissions, resets: window.resets });
        }
    }
}
