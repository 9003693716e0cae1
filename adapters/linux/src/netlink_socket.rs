use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, connect, recv, send, socket_with,
};

/// A netlink socket, of `NETLINK_ROUTE` as a rule, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(crate) struct NetlinkSocket(OwnedFd);

/// How long a blocking receive waits for the kernel, which answers within the request as a rule.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// What one receive gave.
pub(crate) enum Received {
    /// This many bytes of the buffer hold a whole datagram.
    Datagram(usize),
    /// The buffer was too small; the rest is lost.
    Truncated,
}

impl NetlinkSocket {
    pub(crate) fn open() -> Result<Self, Errno> {
        Self::open_protocol(None)
    }

    /// `None` is `NETLINK_ROUTE`.
    pub(crate) fn open_protocol(protocol: Option<Protocol>) -> Result<Self, Errno> {
        socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol).map(Self)
    }

    /// Joins the multicast groups of this mask (`RTMGRP_*`, bit n - 1 for group n).
    pub(crate) fn join(&self, groups: u32) -> Result<(), Errno> {
        bind(&self.0, &SocketAddrNetlink::new(0, groups))
    }

    /// Binds the socket to the kernel as its only peer, and bounds how long [`receive`](Self::receive) blocks.
    pub(crate) fn connect(&self) -> Result<(), Errno> {
        connect(&self.0, &SocketAddrNetlink::new(0, 0))?;
        set_socket_timeout(&self.0, Timeout::Recv, Some(ANSWER_WITHIN))
    }

    pub(crate) fn send(&self, request: &[u8]) -> Result<(), Errno> {
        retry_on_intr(|| send(&self.0, request, SendFlags::empty())).map(drop)
    }

    /// `EAGAIN` after the time of [`connect`](Self::connect); `ENOBUFS` when the kernel dropped messages.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> Result<Received, Errno> {
        self.receive_with(buffer, RecvFlags::empty())
    }

    /// `EAGAIN` when there is nothing; `ENOBUFS` when the kernel dropped messages.
    pub(crate) fn try_receive(&self, buffer: &mut [u8]) -> Result<Received, Errno> {
        self.receive_with(buffer, RecvFlags::DONTWAIT)
    }

    fn receive_with(&self, buffer: &mut [u8], flags: RecvFlags) -> Result<Received, Errno> {
        let (stored, full) = retry_on_intr(|| recv(&self.0, &mut *buffer, flags | RecvFlags::TRUNC))?;
        Ok(if stored == full { Received::Datagram(stored) } else { Received::Truncated })
    }
}

impl AsFd for NetlinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for NetlinkSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
