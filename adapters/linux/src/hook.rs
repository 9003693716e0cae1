//! The ladder: what attaches to the kernel's announcements, from the one that tells most downwards.

mod announcements;
mod distress;
mod event_socket;
mod kernel_layout;
mod loaded;
mod netlink;
mod object;
mod socket_filter;
mod tracing;

use std::cell::OnceCell;
use std::error::Error;
use std::os::unix::fs::MetadataExt;
use std::{fs, io};

use ::tracing::debug;
use ddns_core::ports::SourceError;
use rustix::io::Errno;
use rustix::system::uname;
use rustix::thread::{CapabilitySet, capabilities};

pub(crate) use announcements::Announcements;
use kernel_layout::{KernelLayout, LayoutError};
use loaded::{Globals, Loaded};
use netlink::NetlinkHook;
use socket_filter::SocketFilterHook;
use tracing::TracingHook;

/// How the kernel's announcements of address changes are received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hook {
    /// The best that this host grants.
    #[default]
    Auto,
    /// An eBPF program on the kernel's function `rtnl_notify`. Tells who made a change. Needs `CAP_BPF`, `CAP_PERFMON`
    /// and a kernel with type information (BTF).
    Fentry,
    /// The same by a kprobe.
    Kprobe,
    /// An eBPF program on an rtnetlink socket, with a ring buffer. Needs `CAP_BPF` and Linux 5.8.
    SocketFilter,
    /// The rtnetlink multicast groups, without eBPF. Needs nothing.
    Netlink,
}

impl Hook {
    /// From the one that tells most downwards.
    pub const LADDER: [Self; 4] = [Self::Fentry, Self::Kprobe, Self::SocketFilter, Self::Netlink];

    /// As configured and as logged.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::SocketFilter => "socket-filter",
            Self::Netlink => "netlink",
        }
    }

    /// The rungs beneath this one.
    pub(crate) fn below(self) -> &'static [Self] {
        const ALL: &[Hook] = &Hook::LADDER;
        let place = ALL.iter().position(|rung| *rung == self);
        place.and_then(|place| ALL.get(place + 1..)).unwrap_or_default()
    }
}

/// Which announcements are worth a wake-up. Only eBPF can leave the others out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    /// Only interfaces given to [`Attached::follow`].
    pub(crate) only_followed: bool,
    /// Those of every network namespace, for the rungs that see them.
    pub(crate) every_namespace: bool,
}

/// Megabytes have to be read for it, once, and not at all for the last rung.
type Layout = OnceCell<Result<KernelLayout, LayoutError>>;

/// What this host grants: each rung of the ladder, with the reason against it.
///
/// Needs a tokio runtime with I/O enabled. Everything is attached and detached again.
pub fn granted() -> Vec<(Hook, Result<(), String>)> {
    let wanted = Wanted { only_followed: false, every_namespace: false };
    let layout = OnceCell::new();
    let attach = |rung| Attached::attach(rung, wanted, &layout).map(drop).map_err(|error| error.to_string());
    let attempt = |rung: Hook| (rung, attach(rung));
    Hook::LADDER.into_iter().map(attempt).collect()
}

/// A hook that is in place. Everything it put into the kernel goes away when it is dropped.
pub(crate) enum Attached {
    Tracing(Box<TracingHook>),
    SocketFilter(Box<SocketFilterHook>),
    Netlink(NetlinkHook),
}

impl Attached {
    /// Attaches the first of these rungs that this host grants; also the reasons against those before it.
    pub(crate) fn first_of(rungs: &[Hook], wanted: Wanted) -> Result<(Self, Option<String>), SourceError> {
        let mut refused: Vec<(Vec<&str>, HookError)> = Vec::new();
        let layout = OnceCell::new();
        for rung in rungs {
            match Self::attach(*rung, wanted, &layout) {
                Ok(attached) => return Ok((attached, reasons(&refused))),
                Err(error) => {
                    debug!(rung = rung.as_str(), error = &error as &dyn Error, "No such rung here");
                    match refused.last_mut().filter(|(_, last)| last.to_string() == error.to_string()) {
                        Some((rungs, _)) => rungs.push(rung.as_str()),
                        None => refused.push((vec![rung.as_str()], error)),
                    }
                }
            }
        }
        let what = match refused.as_slice() {
            [(_, error)] => error.to_string(),
            _ => reasons(&refused).unwrap_or_default(),
        };
        Err(SourceError::Unavailable { what, cause: refused.pop().and_then(|(_, error)| error.into_cause()) })
    }

    fn attach(rung: Hook, wanted: Wanted, layout: &Layout) -> Result<Self, HookError> {
        if rung == Hook::Netlink {
            return NetlinkHook::attach().map(Self::Netlink);
        }
        let layout = layout.get_or_init(KernelLayout::of_this_kernel);
        let own_netns = own_netns();
        let globals = Globals {
            only_listed: wanted.only_followed,
            layout: *layout.as_ref().unwrap_or(&KernelLayout::default()),
            netns: if wanted.every_namespace { 0 } else { own_netns },
            own_netns,
            proto_tells: is_at_least(&uname().release().to_string_lossy(), (5, 18)),
        };
        let mut attached = match rung {
            Hook::Auto | Hook::Netlink | Hook::SocketFilter => {
                Self::SocketFilter(SocketFilterHook::attach(&globals)?.into())
            }
            Hook::Fentry | Hook::Kprobe => {
                layout.as_ref().map_err(HookError::of_layout)?;
                let attach = if rung == Hook::Fentry { TracingHook::fentry } else { TracingHook::kprobe };
                Self::Tracing(attach(&globals)?.into())
            }
        };
        if let Some(loaded) = attached.loaded() {
            match layout {
                Ok(_) => {
                    if let Err(error) = distress::attach(loaded) {
                        debug!(error = &error as &dyn Error, "Distress of TCP connections is not heard of");
                    }
                }
                Err(error) => debug!(error = error as &dyn Error, "Distress of TCP connections is not heard of"),
            }
        }
        Ok(attached)
    }

    fn loaded(&mut self) -> Option<&mut Loaded> {
        match self {
            Self::Tracing(hook) => Some(&mut hook.loaded),
            Self::SocketFilter(hook) => Some(&mut hook.loaded),
            Self::Netlink(_) => None,
        }
    }

    pub(crate) fn rung(&self) -> Hook {
        match self {
            Self::Tracing(hook) => hook.rung,
            Self::SocketFilter(_) => Hook::SocketFilter,
            Self::Netlink(_) => Hook::Netlink,
        }
    }

    /// The interfaces whose announcements matter, by index, where only those do.
    pub(crate) fn follow(&mut self, indices: &[u32]) -> io::Result<()> {
        self.loaded().map_or(Ok(()), |loaded| loaded.follow(indices).map_err(io::Error::other))
    }

    /// Completes when there may be something to drain. Cancel-safe.
    pub(crate) async fn ready(&self) -> io::Result<()> {
        match self {
            Self::Tracing(hook) => hook.ready().await,
            Self::SocketFilter(hook) => hook.ready().await,
            Self::Netlink(hook) => hook.ready().await,
        }
    }

    /// Takes what has been announced, up to about `batch` announcements; the rest stays ready.
    pub(crate) fn drain(&mut self, batch: usize) -> io::Result<Announcements> {
        match self {
            Self::Tracing(hook) => hook.drain(batch),
            Self::SocketFilter(hook) => hook.drain(batch),
            Self::Netlink(hook) => hook.drain(batch),
        }
    }
}

fn reasons(refused: &[(Vec<&str>, HookError)]) -> Option<String> {
    let each = refused.iter().map(|(rungs, error)| format!("{}: {error}", rungs.join(", ")));
    let all = each.collect::<Vec<_>>().join("; ");
    (!all.is_empty()).then_some(all)
}

/// The number of the thread's network namespace; 0 if it is hidden, so that the programs see all.
fn own_netns() -> u32 {
    fs::metadata("/proc/thread-self/ns/net").ok().and_then(|file| u32::try_from(file.ino()).ok()).unwrap_or(0)
}

/// Whether a kernel's release, such as `6.1.0-56-amd64`, is this version or a later one.
fn is_at_least(release: &str, version: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= version
}

/// Why a hook cannot be had. Each says what the operator can do; the cause is what the system said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HookError {
    #[error("built without the eBPF object: run `cargo xtask ebpf`, then build again")]
    NotBuilt,
    #[error(
        "no right to use eBPF: grant CAP_BPF (CAP_SYS_ADMIN before Linux 5.8); before 5.11 also raise LimitMEMLOCK"
    )]
    NotPermitted(#[source] Cause),
    #[error("the kernel forbids eBPF although CAP_BPF is there: lockdown, seccomp, or LimitMEMLOCK before Linux 5.11")]
    Forbidden(#[source] Cause),
    #[error("the kernel forbids tracing although the rights are there: lockdown, or the policy of a container or host")]
    TracingForbidden(#[source] Cause),
    #[error("no right to trace the kernel: grant CAP_BPF and CAP_PERFMON")]
    NotPermittedToTrace(#[source] Cause),
    #[error("this kernel can't trace rtnl_notify this way")]
    NotTraceable(#[source] Cause),
    #[error("this kernel shows no type information: it needs CONFIG_DEBUG_INFO_BTF")]
    NoTypes(#[source] Cause),
    #[error("this kernel has no eBPF: it needs CONFIG_BPF_SYSCALL")]
    NoBpf(#[source] Cause),
    #[error("this kernel refused the eBPF program: ring buffers need Linux 5.8 or later")]
    NotSupported(#[source] Cause),
    #[error("no memory or file descriptors left for eBPF: raise LimitNOFILE, LimitMEMLOCK or MemoryMax")]
    NoRoom(#[source] Cause),
    #[error("no rtnetlink socket: allow AF_NETLINK (RestrictAddressFamilies)")]
    NoSocket(#[source] Cause),
}

type Cause = Box<dyn Error + Send + Sync>;

impl HookError {
    /// Sorts a failure of the BPF loader by the errno beneath it.
    fn of_bpf(error: impl Error + Send + Sync + 'static) -> Self {
        if object::embedded().is_none() {
            return Self::NotBuilt;
        }
        let class = match errno(&error) {
            Some(Errno::PERM | Errno::ACCESS) if holds(CapabilitySet::BPF) => Self::Forbidden,
            Some(Errno::PERM | Errno::ACCESS) => Self::NotPermitted,
            Some(Errno::NOSYS) => Self::NoBpf,
            Some(Errno::NOMEM | Errno::MFILE | Errno::NFILE) => Self::NoRoom,
            _ => Self::NotSupported,
        };
        class(error.into())
    }

    /// The same for a program that traces the kernel.
    fn of_tracing(error: impl Error + Send + Sync + 'static) -> Self {
        match errno(&error) {
            Some(Errno::PERM | Errno::ACCESS) if holds(CapabilitySet::BPF | CapabilitySet::PERFMON) => {
                Self::TracingForbidden(error.into())
            }
            Some(Errno::PERM | Errno::ACCESS) => Self::NotPermittedToTrace(error.into()),
            _ => Self::NotTraceable(error.into()),
        }
    }

    fn of_layout(error: &LayoutError) -> Self {
        Self::NoTypes(error.to_string().into())
    }

    fn into_cause(self) -> Option<Cause> {
        match self {
            Self::NotBuilt => None,
            Self::NotPermitted(cause)
            | Self::Forbidden(cause)
            | Self::TracingForbidden(cause)
            | Self::NotPermittedToTrace(cause)
            | Self::NotTraceable(cause)
            | Self::NoTypes(cause)
            | Self::NoBpf(cause)
            | Self::NotSupported(cause)
            | Self::NoRoom(cause)
            | Self::NoSocket(cause) => Some(cause),
        }
    }

    fn of_socket(error: impl Error + Send + Sync + 'static) -> Self {
        Self::NoSocket(error.into())
    }
}

/// Whether the calling thread has all of these rights.
fn holds(rights: CapabilitySet) -> bool {
    capabilities(None).is_ok_and(|held| held.effective.contains(rights))
}

fn errno(error: &(dyn Error + 'static)) -> Option<Errno> {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.filter_map(|error| error.downcast_ref().and_then(Errno::from_io_error)).last()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("a step failed")]
    struct Step(#[source] io::Error);

    #[test]
    fn a_release_is_compared_by_its_numbers() {
        for (release, is) in [("5.18.0", true), ("6.1.0-56-amd64", true), ("5.10.0-36-amd64", false), ("x", false)] {
            assert_eq!(is_at_least(release, (5, 18)), is, "{release}");
        }
    }

    #[test]
    fn a_refusal_is_sorted_by_the_errno_at_its_root() {
        let reason = |errno: Errno| HookError::of_bpf(Step(errno.into())).to_string();
        let refused = if holds(CapabilitySet::BPF) { "although CAP_BPF is there" } else { "grant CAP_BPF" };
        assert!(reason(Errno::PERM).contains(refused));
        assert!(reason(Errno::ACCESS).contains(refused));
        assert!(reason(Errno::NOSYS).contains("CONFIG_BPF_SYSCALL"));
        assert!(reason(Errno::INVAL).contains("Linux 5.8"));
        assert!(reason(Errno::MFILE).contains("LimitNOFILE"));
    }
}
