//! The records that the eBPF programs write and user space reads, and the names by which both know each other.
//!
//! The programs are this package's binary. This face of it has no dependencies and compiles everywhere, so that it can
//! be used without a BPF tool chain. Object and loader are built together: the layout carries no version.
#![no_std]
#![forbid(unsafe_code)]

mod address_record;
mod distress_record;

pub use address_record::{AddressKey, AddressRecord, DAD_FAILED, Event, Family, Rung, TENTATIVE};
pub use distress_record::{DISTRESS_RESETS, DISTRESS_RETRANSMISSIONS, DISTRESS_WINDOW_NANOS, DistressRecord};

/// The socket filter that announces address changes of its own network namespace.
pub const ADDRESS_FILTER: &str = "address_filter";

/// The same without messages for the log: the verifiers of older kernels refuse those to a process that has `CAP_BPF`
/// and not `CAP_PERFMON`.
pub const MUTE_ADDRESS_FILTER: &str = "mute_address_filter";

/// The tracing program on `rtnl_notify`.
pub const RTNL_NOTIFY_FENTRY: &str = "rtnl_notify_fentry";

/// The kprobe on `rtnl_notify`.
pub const RTNL_NOTIFY_KPROBE: &str = "rtnl_notify_kprobe";

/// The function that both trace.
pub const RTNL_NOTIFY: &str = "rtnl_notify";

/// The raw tracepoint program that counts TCP segments sent again.
pub const TCP_RETRANSMISSION: &str = "tcp_retransmission";

/// The raw tracepoint program that counts TCP resets received.
pub const TCP_RESET: &str = "tcp_reset";

/// Set of interface indices, which counts while the global `ONLY_LISTED` is not 0.
pub const INTERFACES: &str = "INTERFACES";

/// Ring buffer of [`AddressRecord`]s and [`DistressRecord`]s.
pub const EVENTS: &str = "EVENTS";

/// Per-CPU array with one `u64`: records that found the ring full.
pub const DROPS: &str = "DROPS";

/// Bytes of the ring: about 3,600 records. It is sized for bursts, not for storage: what does not fit is counted, and
/// tells the reader to look again.
pub const EVENTS_BYTES: u32 = 256 * 1024;
