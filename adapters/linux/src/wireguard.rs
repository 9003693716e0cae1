//! The peers of a WireGuard interface: from a userspace implementation's socket, or from the kernel.

use std::io;
use std::path::PathBuf;

use ddns_core::wireguard::Peer;
use rustix::io::Errno;

pub(crate) mod generic_netlink;
pub(crate) mod uapi;

/// Where userspace implementations listen, each interface on a socket of its own.
const DIRECTORY: &str = "/var/run/wireguard";

/// Reads the peers of one interface, in the network namespace of the thread that asks.
#[derive(Clone, Debug)]
pub struct WireGuardPeers {
    interface: String,
}

/// Why the peers can't be told, with the remedy.
#[derive(Debug, thiserror::Error)]
pub enum PeersError {
    /// Neither a socket nor an interface of the kernel.
    #[error("there is no WireGuard interface {interface}: bring it up, or correct DDNS_WIREGUARD_INTERFACE")]
    Absent {
        /// Its name.
        interface: String,
    },
    /// The socket belongs to somebody else.
    #[error("{} refuses ddnsd: let the user of ddnsd read and write it (setfacl -m u:<user>:rw)", path.display())]
    SocketRefused {
        /// The socket.
        path: PathBuf,
    },
    /// The kernel tells its peers to CAP_NET_ADMIN alone, which ddnsd gives up at its start.
    #[error(
        "the kernel tells peers to CAP_NET_ADMIN alone, which ddnsd gives up: ask `wg show {interface} \
         latest-handshakes` instead, or unset DDNS_WIREGUARD_INTERFACE"
    )]
    KernelRefused {
        /// The interface.
        interface: String,
    },
    /// The implementation did not answer as agreed.
    #[error("the WireGuard interface gave no usable answer: is its implementation well?")]
    Unusable(#[source] ddns_core::ports::Cause),
}

impl WireGuardPeers {
    /// Of this interface, whose name the configuration has checked.
    pub fn new(interface: String) -> Self {
        Self { interface }
    }

    /// The peers at this moment, in any order. Bounded in time and size; needs a tokio runtime with I/O and time enabled.
    /// Keys that are secret are overwritten as soon as they were passed over.
    pub async fn look(&self) -> Result<Vec<Peer>, PeersError> {
        let path = PathBuf::from(format!("{DIRECTORY}/{}.sock", self.interface));
        match uapi::ask(&path).await {
            Ok(peers) => Ok(peers),
            Err(uapi::AskError::Connect(error)) if refused(&error) && path.symlink_metadata().is_ok() => {
                Err(PeersError::SocketRefused { path })
            }
            // Nobody listens there, or that can't be seen: the interface may be the kernel's.
            Err(uapi::AskError::Connect(error)) if gone(&error) || refused(&error) => self.look_in_the_kernel(),
            Err(error) => Err(PeersError::Unusable(error.into())),
        }
    }

    fn look_in_the_kernel(&self) -> Result<Vec<Peer>, PeersError> {
        use generic_netlink::AskError;
        let interface = || self.interface.clone();
        generic_netlink::ask(&self.interface).map_err(|error| match error {
            AskError::NoFamily => PeersError::Absent { interface: interface() },
            AskError::Refused(Errno::PERM | Errno::ACCESS) => PeersError::KernelRefused { interface: interface() },
            AskError::Refused(Errno::NODEV | Errno::OPNOTSUPP) => PeersError::Absent { interface: interface() },
            AskError::Refused(_) | AskError::Socket(_) | AskError::Malformed => PeersError::Unusable(error.into()),
        })
    }
}

fn refused(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

fn gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
