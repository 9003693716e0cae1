//! Programs on `rtnl_notify` (net/core/rtnetlink.c), the one function through which the kernel announces every change of
//! an address: in all network namespaces, and in the context of whoever makes the change.

use aya_ebpf::EbpfContext;
use aya_ebpf::helpers::generated::bpf_probe_read_kernel as bpf_probe_read_kernel_octets;
use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid};
use aya_ebpf::macros::{fentry, kprobe, map};
use aya_ebpf::maps::PerCpuArray;
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

/// Octets of a copy: what a message may hold, and as much again behind the last place that a byte can name.
const COPY: usize = 256 + 32;
/// The longest that is copied.
const MOST: u32 = 0xff;

/// Where a message is copied to. A program is not entered a second time on the same processor before it has ended.
#[map]
static MESSAGE: PerCpuArray<[u8; COPY]> = PerCpuArray::with_max_entries(1, 0);

/// A copy of the data of an `sk_buff`, zeros behind it. To read each field of the original would mean a branch each,
/// and the verifiers before Linux 6.12 give up on so many ways.
struct KernelMessage {
    copy: *const u8,
    length: u32,
}

impl KernelMessage {
    #[inline(always)]
    fn of(skb: u64) -> Option<Self> {
        let (data, length): (u64, u32) = (kernel_layout::read(skb, &SKB_DATA)?, kernel_layout::read(skb, &SKB_LEN)?);
        let copy = MESSAGE.get_ptr_mut(0)?;
        // SAFETY: the map's value is this processor's own and has COPY octets, more than MOST; the helper checks the
        // address that it reads from.
        let failed = unsafe {
            *copy = [0; COPY];
            bpf_probe_read_kernel_octets(copy.cast(), length & MOST, data as *const _)
        };
        (failed == 0).then_some(Self { copy: copy.cast(), length })
    }
}

impl Message for KernelMessage {
    #[inline(always)]
    fn length(&self) -> u32 {
        self.length
    }

    #[inline(always)]
    fn load<T>(&self, at: usize) -> Option<T> {
        // SAFETY: no value is longer than the 32 octets behind the 256 that a byte can name.
        Some(unsafe { self.copy.add(at & MOST as usize).cast::<T>().read_unaligned() })
    }

    #[inline(always)]
    fn attribute(&self, at: u32) -> [u16; 2] {
        self.load(at as usize).unwrap_or([0; 2])
    }
}
