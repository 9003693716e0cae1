//! Whole tables of the kernel, read over rtnetlink.

use std::io;

use rustix::io::Errno;
use rustix::net::Protocol;
use secrecy::zeroize::Zeroizing;

use crate::netlink_socket::{NetlinkSocket, Received};
use crate::rtnetlink::{Message, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_OVERRUN, messages};

/// The kernel fills at most 32 KiB of a reader's buffer.
const BUFFER: usize = 64 * 1024;

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DumpError {
    /// Each of the attempts was overtaken by a change, which announces itself.
    #[error("the table changed during every read")]
    Restless,
    #[error("the kernel refused to list its tables")]
    Refused(#[source] io::Error),
    #[error("the netlink socket broke")]
    Socket(#[source] io::Error),
}

/// How a dump ended.
pub(crate) enum Dump {
    Whole,
    /// Interrupted by a change, or not wholly read: to be repeated.
    Torn,
}

/// A socket of its own for dumps: answers never mix with announcements.
#[derive(Debug)]
pub(crate) struct DumpReader {
    socket: NetlinkSocket,
    sequence: u32,
    /// Overwritten at the end: WireGuard's tables hold private keys.
    buffer: Zeroizing<Vec<u8>>,
}

impl DumpReader {
    /// Of rtnetlink, or of another protocol.
    pub(crate) fn open(protocol: Option<Protocol>) -> Result<Self, Errno> {
        let socket = NetlinkSocket::open_protocol(protocol)?;
        socket.connect()?;
        Ok(Self { socket, sequence: 0, buffer: Zeroizing::new(vec![0; BUFFER]) })
    }

    /// Reads to the end of the dump even when it is torn, since the kernel starts no other before.
    pub(crate) fn read(
        &mut self,
        request: impl FnOnce(u32) -> Vec<u8>,
        mut each: impl FnMut(&Message<'_>) -> Dump,
    ) -> Result<Dump, DumpError> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send(&request(self.sequence)).map_err(|error| DumpError::Socket(error.into()))?;
        let mut dump = Dump::Whole;
        loop {
            let datagram = match self.socket.receive(&mut self.buffer) {
                Ok(Received::Datagram(length)) => self.buffer.get(..length).unwrap_or_default(),
                Ok(Received::Truncated) | Err(Errno::NOBUFS) => {
                    dump = Dump::Torn;
                    continue;
                }
                Err(error) => return Err(DumpError::Socket(error.into())),
            };
            match part(datagram, self.sequence, &mut dump, &mut each) {
                Ok(End::Open) => {}
                Ok(End::Done) => return Ok(dump),
                Err(error) => return Err(DumpError::Refused(error)),
            }
        }
    }
}

/// Whether more of the dump follows.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum End {
    Open,
    Done,
}

/// Takes one datagram of the dump with this sequence number.
pub(crate) fn part(
    datagram: &[u8],
    sequence: u32,
    dump: &mut Dump,
    each: &mut impl FnMut(&Message<'_>) -> Dump,
) -> Result<End, io::Error> {
    for message in messages(datagram) {
        let Ok(message) = message else {
            *dump = Dump::Torn;
            break;
        };
        if message.sequence != sequence {
            continue;
        }
        if message.flags & NLM_F_DUMP_INTR != 0 || message.kind == NLMSG_OVERRUN {
            *dump = Dump::Torn;
        }
        match message.kind {
            NLMSG_DONE | NLMSG_ERROR => match message.status() {
                Ok(0) => return Ok(End::Done),
                Ok(status) => return Err(io::Error::from_raw_os_error(status.saturating_neg())),
                Err(_) => {
                    *dump = Dump::Torn;
                    return Ok(End::Done);
                }
            },
            _ => {
                if matches!(each(&message), Dump::Torn) {
                    *dump = Dump::Torn;
                }
            }
        }
    }
    Ok(End::Open)
}

#[cfg(test)]
mod tests;
