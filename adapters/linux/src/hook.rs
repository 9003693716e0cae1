//! The ladder: what attaches to the kernel's announcements, from the one that tells most downwards.

mod announcements;
mod event_socket;
mod netlink;
mod object;
mod socket_filter;

use std::error::Error;

use ddns_core::ports::SourceError;
use rustix::io::Errno;

pub(crate) use announcements::Announcements;
use netlink::NetlinkHook;
use socket_filter::SocketFilterHook;

/// How the kernel's announcements of address changes are received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Hook {
    /// The best that this host grants.
    #[default]
    Auto,
    /// An eBPF program on an rtnetlink socket, with a ring buffer. Needs `CAP_BPF` and Linux 5.8.
    SocketFilter,
    /// The rtnetlink multicast groups, without eBPF. Needs nothing.
    Netlink,
}

/// A hook that is in place. Everything it put into the kernel goes away when it is dropped.
pub(crate) enum Attached {
    SocketFilter(Box<SocketFilterHook>),
    Netlink(NetlinkHook),
}

impl Attached {
    /// Attaches the hook, or the best one below it for [`Hook::Auto`]; then with the reason for stepping down.
    pub(crate) fn new(hook: Hook) -> Result<(Self, Option<String>), SourceError> {
        let below = |reason| NetlinkHook::attach().map(|netlink| (Self::Netlink(netlink), reason));
        let attached = match hook {
            Hook::Netlink => below(None),
            Hook::SocketFilter => SocketFilterHook::attach().map(|filter| (Self::SocketFilter(filter.into()), None)),
            Hook::Auto => match SocketFilterHook::attach() {
                Ok(filter) => Ok((Self::SocketFilter(filter.into()), None)),
                Err(error) => {
                    tracing::debug!(error = &error as &dyn Error, "No eBPF");
                    below(Some(error.to_string()))
                }
            },
        };
        attached.map_err(|error| SourceError::Unavailable { what: error.to_string(), cause: error.into_cause() })
    }

    pub(crate) fn rung(&self) -> &'static str {
        match self {
            Self::SocketFilter(_) => "socket-filter",
            Self::Netlink(_) => "netlink",
        }
    }

    /// Completes when there may be something to drain. Cancel-safe.
    pub(crate) async fn ready(&self) -> std::io::Result<()> {
        match self {
            Self::SocketFilter(hook) => hook.ready().await,
            Self::Netlink(hook) => hook.ready().await,
        }
    }

    /// Takes what has been announced, up to about `batch` announcements; the rest stays ready.
    pub(crate) fn drain(&mut self, batch: usize) -> std::io::Result<Announcements> {
        match self {
            Self::SocketFilter(hook) => hook.drain(batch),
            Self::Netlink(hook) => hook.drain(batch),
        }
    }
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
        let class = match errno(&error) {
            Some(Errno::PERM | Errno::ACCESS) => Self::NotPermitted,
            Some(Errno::NOSYS) => Self::NoBpf,
            Some(Errno::NOMEM | Errno::MFILE | Errno::NFILE) => Self::NoRoom,
            _ => Self::NotSupported,
        };
        class(error.into())
    }

    fn into_cause(self) -> Option<Cause> {
        match self {
            Self::NotBuilt => None,
            Self::NotPermitted(cause)
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
    fn a_refusal_is_sorted_by_the_errno_at_its_root() {
        let reason = |errno: Errno| HookError::of_bpf(Step(errno.into())).to_string();
        assert!(reason(Errno::PERM).contains("grant CAP_BPF"));
        assert!(reason(Errno::ACCESS).contains("grant CAP_BPF"));
        assert!(reason(Errno::NOSYS).contains("CONFIG_BPF_SYSCALL"));
        assert!(reason(Errno::INVAL).contains("Linux 5.8"));
        assert!(reason(Errno::MFILE).contains("LimitNOFILE"));
    }
}
