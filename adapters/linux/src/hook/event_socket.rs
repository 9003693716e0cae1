use std::io;

use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Announcements;
use crate::netlink_socket::{NetlinkSocket, Received};
use crate::readiness::{self, until_empty};
use crate::rtnetlink::{NLMSG_OVERRUN, RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK, messages};

/// `RTNLGRP_LINK` (1).
const LINKS: u32 = 0b1;
/// `RTNLGRP_IPV4_IFADDR` (5) and `RTNLGRP_IPV6_IFADDR` (9).
const ADDRESSES: u32 = 0b1_0001_0000;

/// A socket in the groups that announce links and addresses.
pub(super) struct EventSocket {
    socket: AsyncFd<NetlinkSocket>,
    buffer: Vec<u8>,
    /// What an address message on this socket means.
    addresses: Addresses,
}

/// How address messages reach the reader.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Addresses {
    /// By this socket.
    Here,
    /// By a ring; one that is here instead found the ring full.
    Elsewhere,
    /// By a ring alone: this socket is not in their groups.
    NotAsked,
}

impl EventSocket {
    /// Joins the groups, which is the last step: a filter on the socket is in place by then.
    pub(super) fn join(socket: NetlinkSocket, addresses: Addresses) -> io::Result<Self> {
        socket.join(match addresses {
            Addresses::Here | Addresses::Elsewhere => LINKS | ADDRESSES,
            Addresses::NotAsked => LINKS,
        })?;
        // The error condition alone tells of a message that could not even be queued.
        let socket = readiness::watch(socket, Interest::READABLE | Interest::ERROR)?;
        Ok(Self { socket, buffer: vec![0; 32 * 1024], addresses })
    }

    pub(super) async fn ready(&self) -> io::Result<()> {
        tokio::select! {
            ready = self.socket.ready(Interest::READABLE) => ready.map(drop),
            ready = self.socket.ready(Interest::ERROR) => ready.map(drop),
        }
    }

    /// Reads until the socket is empty or about `batch` announcements are found.
    pub(super) fn drain(&mut self, batch: usize, found: &mut Announcements) -> io::Result<()> {
        let Self { socket, buffer, addresses } = self;
        let mut read = |socket: &NetlinkSocket| {
            for _ in 0..batch {
                match socket.try_receive(buffer) {
                    Ok(Received::Datagram(length)) => {
                        take(buffer.get(..length).unwrap_or_default(), *addresses, found);
                    }
                    Ok(Received::Truncated) | Err(Errno::NOBUFS) => found.take_loss(),
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        };
        // One by one: tokio clears no readiness of a combined interest.
        until_empty(socket.try_io(Interest::READABLE, &mut read))?;
        until_empty(socket.try_io(Interest::ERROR, &mut read))
    }
}

fn take(datagram: &[u8], addresses: Addresses, found: &mut Announcements) {
    for message in messages(datagram) {
        match message.map(|message| message.kind) {
            Ok(RTM_NEWADDR | RTM_DELADDR) => {
                found.take_message();
                if addresses == Addresses::Elsewhere {
                    found.take_loss();
                }
            }
            Ok(RTM_NEWLINK | RTM_DELLINK) => found.take_message(),
            Ok(NLMSG_OVERRUN) | Err(_) => found.take_loss(),
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16) -> Vec<u8> {
        [&20_u32.to_ne_bytes()[..], &kind.to_ne_bytes(), &[0; 14]].concat()
    }

    fn found(datagram: &[u8], addresses: Addresses) -> (u32, bool) {
        let mut found = Announcements::default();
        take(datagram, addresses, &mut found);
        (found.count, found.loss)
    }

    #[test]
    fn every_message_of_a_datagram_counts() {
        let datagram = [message(RTM_DELADDR), message(RTM_NEWADDR), message(RTM_NEWLINK)].concat();
        assert_eq!(found(&datagram, Addresses::Here), (3, false));
    }

    #[test]
    fn an_address_that_should_have_come_by_the_ring_means_loss() {
        assert_eq!(found(&message(RTM_NEWADDR), Addresses::Elsewhere), (1, true));
        assert_eq!(found(&message(RTM_NEWLINK), Addresses::Elsewhere), (1, false));
    }

    #[test]
    fn a_malformed_message_means_loss() {
        assert_eq!(found(&message(RTM_NEWADDR)[..19], Addresses::Here), (0, true));
        assert_eq!(found(&message(NLMSG_OVERRUN), Addresses::Here), (0, true));
    }
}
