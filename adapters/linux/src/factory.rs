use std::sync::Arc;

use ddns_core::config::{Kind, Settings, Variable};
use ddns_core::ports::IpSource;
use ddns_core::registry::{Factory, Parts};

use crate::{Hook, KernelOptions, KernelSource};

/// The rung of the ladder.
pub const KERNEL_HOOK: Variable = Variable {
    name: "DDNS_KERNEL_HOOK",
    kind: Kind::Choice { values: &["auto", "socket-filter", "netlink"], default: "auto" },
    help: "How the kernel's announcements are received: `socket-filter` is an eBPF program with a ring buffer (needs \
           CAP_BPF), `netlink` the plain rtnetlink groups, `auto` the best that this host grants.",
};

/// Makes [`KernelSource`].
pub struct KernelSourceFactory;

impl Factory<dyn IpSource> for KernelSourceFactory {
    fn name(&self) -> &'static str {
        "kernel"
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["netlink"]
    }

    fn variables(&self) -> &'static [Variable] {
        &[KERNEL_HOOK]
    }

    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn IpSource>> {
        let hook = match settings.choice(&KERNEL_HOOK) {
            "socket-filter" => Hook::SocketFilter,
            "netlink" => Hook::Netlink,
            _ => Hook::Auto,
        };
        let options = KernelOptions { hook, interface: None, batch: parts.config.event_capacity };
        Some(Arc::new(KernelSource::new(options, Arc::clone(&parts.clock))))
    }
}
