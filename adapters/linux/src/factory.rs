use std::collections::BTreeSet;
use std::sync::Arc;

use ddns_core::config::{Config, Kind, Settings, Variable};
use ddns_core::ports::{Clock, IpSource};
use ddns_core::registry::{Factory, Parts};

use crate::{Hook, KernelOptions, KernelSource};

/// The rung of the ladder.
pub const KERNEL_HOOK: Variable = Variable {
    name: "DDNS_KERNEL_HOOK",
    kind: Kind::Choice { values: &["auto", "fentry", "kprobe", "socket-filter", "netlink"], default: "auto" },
    help: "How the kernel's announcements are received. `fentry` and `kprobe` are eBPF programs on the kernel's \
           `rtnl_notify` (CAP_BPF and CAP_PERFMON; they also tell who made a change), `socket-filter` is one on an \
           rtnetlink socket (CAP_BPF), `netlink` are the plain rtnetlink groups, `auto` is the first of these that \
           the host grants.",
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
        Some(Self::host(settings, parts.config, &parts.clock))
    }
}

impl KernelSourceFactory {
    /// The source of the host's own addresses, as the settings want it.
    pub fn host(settings: &mut Settings<'_>, config: &Config, clock: &Arc<dyn Clock>) -> Arc<dyn IpSource> {
        let word = settings.choice(&KERNEL_HOOK);
        let hook = Hook::LADDER.into_iter().find(|rung| rung.as_str() == word).unwrap_or_default();
        let options = KernelOptions {
            hook,
            interfaces: interfaces(config),
            batch: config.event_capacity,
            audit: config.audit_interval,
            drop_privileges: true,
            ..KernelOptions::default()
        };
        Arc::new(KernelSource::new(options, Arc::clone(clock)))
    }
}

/// The interfaces that the records name; none if some record takes addresses of any.
fn interfaces(config: &Config) -> Vec<String> {
    let named: Option<BTreeSet<String>> = config.records.iter().map(|record| record.interface.clone()).collect();
    named.unwrap_or_default().into_iter().collect()
}
