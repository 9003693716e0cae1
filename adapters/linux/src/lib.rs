//! Linux: what the kernel says about addresses, and the clock that also counts while the host sleeps.
//!
//! [`KernelSource`] attaches a [`Hook`] to the kernel's announcements of address and link changes. An announcement is a
//! hint and nothing else: after each the source reads the whole state again over rtnetlink.

mod clock;
mod dump;
mod factory;
#[doc(hidden)]
pub mod fuzzing;
mod gateways;
mod hook;
mod kernel_source;
mod lan_probe;
mod netlink_socket;
mod privileges;
mod readiness;
mod rtnetlink;
mod sandbox;
mod snapshot;
mod ways;
mod wireguard;

pub use clock::BootClock;
pub use factory::{KERNEL_HOOK, KernelSourceFactory};
pub use gateways::KernelGateways;
pub use hook::{Hook, granted};
pub use kernel_source::{KernelOptions, KernelSource};
pub use lan_probe::{LanProbe, Way};
pub use privileges::drop_all as drop_privileges;
pub use sandbox::{Layer, Reach, Standing, close, known};
pub use wireguard::{PeersError, WireGuardPeers};
