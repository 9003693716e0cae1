use std::io;
use std::time::Duration;

use ddns_core::ports::{Gateway, Gateways, SourceError};
use futures_util::stream::{BoxStream, StreamExt, try_unfold};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::dump::{DumpError, DumpReader};
use crate::netlink_socket::{NetlinkSocket, Received};
use crate::readiness::{self, until_empty};
use crate::rtnetlink::DefaultRoute;
use crate::ways::Ways;

/// `RTNLGRP_LINK` (1), `RTNLGRP_IPV4_ROUTE` (7) and `RTNLGRP_IPV6_ROUTE` (11).
const GROUPS: u32 = 0b100_0100_0001;
/// Reads of a table that keeps changing, before waiting for its next announcement.
const ATTEMPTS: u32 = 16;
/// Datagrams taken per turn. A routing daemon may announce thousands; the table is read once for all of them.
const BATCH: u32 = 1024;
/// A table is read once for all that is announced within this time.
const REST: Duration = Duration::from_millis(5);

/// The default routes of the main table, from the kernel, in the network namespace of the thread that polls.
///
/// Its streams need a tokio runtime with I/O and time enabled.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelGateways;

impl Gateways for KernelGateways {
    fn watch(&self) -> BoxStream<'static, Result<Vec<Gateway>, SourceError>> {
        try_unfold(None, |watch| async move {
            let (gateways, watch) = match watch {
                None => Watch::start()?,
                Some(watch) => Watch::next(watch).await?,
            };
            Ok(Some((gateways, Some(watch))))
        })
        .boxed()
    }
}

struct Watch {
    socket: AsyncFd<NetlinkSocket>,
    buffer: Vec<u8>,
    reader: DumpReader,
    last: Vec<Gateway>,
}

impl Watch {
    fn start() -> Result<(Vec<Gateway>, Self), SourceError> {
        let no_socket = |cause: io::Error| SourceError::Unavailable {
            what: "no rtnetlink socket for routes: allow AF_NETLINK (RestrictAddressFamilies)".to_owned(),
            cause: Some(cause.into()),
        };
        let socket = NetlinkSocket::open().map_err(|error| no_socket(error.into()))?;
        // Before the first look, so that no change falls between the two.
        socket.join(GROUPS).map_err(|error| no_socket(error.into()))?;
        let socket = readiness::watch(socket, Interest::READABLE | Interest::ERROR).map_err(no_socket)?;
        let reader = DumpReader::open(None).map_err(|error| no_socket(error.into()))?;
        let mut watch = Self { socket, buffer: vec![0; 32 * 1024], reader, last: Vec::new() };
        watch.last = watch.look()?.unwrap_or_default();
        Ok((watch.last.clone(), watch))
    }

    async fn next(mut self) -> Result<(Vec<Gateway>, Self), SourceError> {
        let broken = |cause: io::Error| SourceError::Interrupted {
            what: "reading the announcements of routes",
            cause: cause.into(),
        };
        loop {
            tokio::select! {
                ready = self.socket.ready(Interest::READABLE) => ready.map(drop),
                ready = self.socket.ready(Interest::ERROR) => ready.map(drop),
            }
            .map_err(broken)?;
            tokio::time::sleep(REST).await;
            self.drain().map_err(broken)?;
            if let Some(gateways) = self.look()?
                && gateways != self.last
            {
                self.last.clone_from(&gateways);
                return Ok((gateways, self));
            }
        }
    }

    /// What is announced doesn't matter, nor what of it was lost: the whole table is read.
    fn drain(&mut self) -> io::Result<()> {
        let Self { socket, buffer, .. } = self;
        let mut read = |socket: &NetlinkSocket| {
            for _ in 0..BATCH {
                match socket.try_receive(buffer) {
                    Ok(Received::Datagram(_) | Received::Truncated) | Err(Errno::NOBUFS) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        };
        until_empty(socket.try_io(Interest::READABLE, &mut read))?;
        until_empty(socket.try_io(Interest::ERROR, &mut read))
    }

    /// `None` if each read was overtaken by a change, which announces itself.
    fn look(&mut self) -> Result<Option<Vec<Gateway>>, SourceError> {
        for _ in 0..ATTEMPTS {
            if let Some(gateways) = self.attempt().map_err(unread)? {
                return Ok(Some(gateways));
            }
        }
        Ok(None)
    }

    fn attempt(&mut self) -> Result<Option<Vec<Gateway>>, DumpError> {
        let Some(Ways { links, routes }) = Ways::read(&mut self.reader)? else { return Ok(None) };
        let gateway = |route: DefaultRoute| {
            let address = route.gateway?;
            Some(links.get(&route.index).map(|link| Gateway { interface: link.name.clone(), address }))
        };
        Ok(routes.into_iter().filter_map(gateway).collect())
    }
}

fn unread(error: DumpError) -> SourceError {
    SourceError::Interrupted { what: "reading the host's routes", cause: error.into() }
}
