//! Programs on `rtnl_notify` (net/core/rtnetlink.c), the one function through which the kernel announces every change of
//! an address: in all network namespaces, and in the context of whoever makes the change.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_probe_read_kernel};
use aya_ebpf::macros::{fentry, kprobe};
use aya_ebpf::programs::{FEntryContext, ProbeContext};
use aya_log_ebpf::{debug, warn};
use ddns_ebpf::{AddressRecord, Family, Rung};

use crate::kernel_layout::{self, NET_INUM, SKB_DATA, SKB_LEN};
use crate::message::{self, Message};
use crate::{policy, ring};

/// `RTNLGRP_IPV4_IFADDR` and `RTNLGRP_IPV6_IFADDR` of linux/rtnetlink.h.
const GROUPS: [u32; 2] = [5, 9];
/// `IFA_F_PERMANENT` of linux/if_addr.h.
const PERMANENT: u32 = 0x80;

/// Only this network namespace's announcements are wanted; 0 for those of all.
#[unsafe(no_mangle)]
static NETNS: u32 = 0;
/// The kernel tells by `IFA_PROTO` which addresses are its own.
#[unsafe(no_mangle)]
static PROTO_TELLS: u32 = 0;

/// See [`ddns_ebpf::RTNL_NOTIFY_FENTRY`].
#[fentry(function = "rtnl_notify")]
pub fn rtnl_notify_fentry(ctx: FEntryContext) -> i32 {
    notify(&ctx, Rung::Fentry, ctx.arg(0), ctx.arg(1), ctx.arg(3));
    0
}

/// See [`ddns_ebpf::RTNL_NOTIFY_KPROBE`].
#[kprobe]
pub fn rtnl_notify_kprobe(ctx: ProbeContext) -> u32 {
    if let (Some(skb), Some(net), Some(group)) = (ctx.arg(0), ctx.arg(1), ctx.arg(3)) {
        notify(&ctx, Rung::Kprobe, skb, net, group);
    }
    0
}

#[inline(always)]
fn notify(ctx: &impl EbpfContext, rung: Rung, skb: u64, net: u64, group: u32) {
    if !GROUPS.contains(&group) {
        return;
    }
    let Some(netns) = kernel_layout::read(net, &NET_INUM) else { return };
    let wanted = kernel_layout::global(&NETNS);
    if wanted != 0 && netns != wanted {
        return;
    }
    let Some(message) = KernelMessage::of(skb) else { return };
    let Some(event) = message::event(&message) else { return };
    let Some((mut record, by_kernel)) = message::read(&message, event, rung) else {
        debug!(ctx, "an address announcement of {} bytes was not understood", message.length);
        return;
    };
    record.netns = netns;
    if !policy::matters(&record) {
        return;
    }
    attribute(&mut record, by_kernel);
    let stamp = record.stamp;
    if !ring::put(record) && ring::complaint_is_due(stamp) {
        warn!(ctx, "the ring of address events is full");
    }
}

/// Who did it. A router's advertisement is handled in the name of whichever process it interrupts, so that one is not
/// named: the kernel marks such addresses since 5.18; before, they are those of IPv6 that are not permanent.
#[inline(always)]
fn attribute(record: &mut AddressRecord, by_kernel: bool) {
    let before_5_18 = kernel_layout::global(&PROTO_TELLS) == 0;
    let maybe_kernel = before_5_18 && record.family == Family::V6 && record.flags & PERMANENT == 0;
    if by_kernel || maybe_kernel {
        return;
    }
    record.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    if let Ok(comm) = bpf_get_current_comm() {
        record.comm = comm;
    }
}

/// The data of an `sk_buff`.
struct KernelMessage {
    data: u64,
    length: u32,
}

impl KernelMessage {
    #[inline(always)]
    fn of(skb: u64) -> Option<Self> {
        Some(Self { data: kernel_layout::read(skb, &SKB_DATA)?, length: kernel_layout::read(skb, &SKB_LEN)? })
    }
}

impl Message for KernelMessage {
    #[inline(always)]
    fn length(&self) -> u32 {
        self.length
    }

    #[inline(always)]
    fn load<T>(&self, at: usize) -> Option<T> {
        // SAFETY: the helper checks the address, and copies.
        unsafe { bpf_probe_read_kernel((self.data + at as u64) as *const T) }.ok()
    }

    #[inline(always)]
    fn attribute(&self, at: u32) -> [u16; 2] {
        if at >= self.length {
            return [0; 2];
        }
        self.load(at as usize).unwrap_or([0; 2])
    }
}
