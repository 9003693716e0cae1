use std::io;

use super::event_socket::{Addresses, EventSocket};
use super::{Announcements, HookError};
use crate::netlink_socket::NetlinkSocket;

/// The plain rtnetlink groups.
pub(crate) struct NetlinkHook(EventSocket);

impl NetlinkHook {
    pub(super) fn attach() -> Result<Self, HookError> {
        let socket = NetlinkSocket::open().map_err(HookError::of_socket)?;
        EventSocket::join(socket, Addresses::Here).map(Self).map_err(HookError::of_socket)
    }

    pub(super) async fn ready(&self) -> io::Result<()> {
        self.0.ready().await
    }

    pub(super) fn drain(&mut self, batch: usize) -> io::Result<Announcements> {
        let mut found = Announcements::default();
        self.0.drain(batch, &mut found)?;
        Ok(found)
    }
}
