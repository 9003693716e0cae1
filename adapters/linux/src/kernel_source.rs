use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ddns_core::address::{Hint, IpChangeEvent, Snapshot};
use ddns_core::ports::{Clock, IpSource, SourceError};
use futures_util::stream::{BoxStream, StreamExt, try_unfold};

use crate::hook::{Announcements, Attached, Hook};
use crate::snapshot::{SnapshotError, SnapshotReader};

/// How a [`KernelSource`] looks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelOptions {
    /// How the kernel's announcements are received.
    pub hook: Hook,
    /// Only this interface's addresses are in the snapshots; it need not exist yet.
    pub interface: Option<String>,
    /// Announcements taken per turn, at least one. More of them only cost further turns.
    pub batch: usize,
}

impl Default for KernelOptions {
    fn default() -> Self {
        Self { hook: Hook::default(), interface: None, batch: 1024 }
    }
}

/// The host's own addresses, from the kernel, in the network namespace of the thread that polls.
///
/// Its streams need a tokio runtime with I/O enabled. An item follows each change of the snapshot, and each loss of
/// announcements even if nothing changed.
pub struct KernelSource {
    options: KernelOptions,
    clock: Arc<dyn Clock>,
    said: Arc<Said>,
}

impl KernelSource {
    /// A source that reads this clock for its hints. Nothing is opened before the first use.
    pub fn new(options: KernelOptions, clock: Arc<dyn Clock>) -> Self {
        Self { options, clock, said: Arc::default() }
    }
}

impl fmt::Debug for KernelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelSource").field("options", &self.options).finish_non_exhaustive()
    }
}

#[async_trait]
impl IpSource for KernelSource {
    async fn current(&self) -> Result<Snapshot, SourceError> {
        let mut reader = SnapshotReader::open(self.options.interface.clone()).map_err(no_reader)?;
        reader.read().map_err(unread)
    }

    fn watch(&self) -> BoxStream<'static, Result<IpChangeEvent, SourceError>> {
        let (options, clock, said) = (self.options.clone(), Arc::clone(&self.clock), Arc::clone(&self.said));
        try_unfold(None, move |watch| {
            let (options, clock, said) = (options.clone(), Arc::clone(&clock), Arc::clone(&said));
            async move {
                let (event, watch) = match watch {
                    None => Watch::start(options, clock, &said)?,
                    Some(watch) => Watch::next(watch).await?,
                };
                Ok(Some((event, Some(watch))))
            }
        })
        .boxed()
    }
}

struct Watch {
    hook: Attached,
    reader: SnapshotReader,
    clock: Arc<dyn Clock>,
    batch: usize,
    last: Snapshot,
}

impl Watch {
    /// Attaches first and reads then, so that a change in between announces itself.
    fn start(options: KernelOptions, clock: Arc<dyn Clock>, said: &Said) -> Result<(IpChangeEvent, Self), SourceError> {
        let (hook, reason) = Attached::new(options.hook)?;
        said.rung(hook.rung(), reason);
        let mut reader = SnapshotReader::open(options.interface).map_err(no_reader)?;
        let received_at = clock.now();
        let snapshot = reader.read().map_err(unread)?;
        let hint = Hint { rung: "snapshot", kernel_at: None, received_at, announcements: 0, after_loss: false };
        let watch = Self { hook, reader, clock, batch: options.batch.max(1), last: snapshot.clone() };
        Ok((IpChangeEvent::new(snapshot, hint), watch))
    }

    async fn next(mut self) -> Result<(IpChangeEvent, Self), SourceError> {
        // Announcements not yet answered by a snapshot, and when the first of them came.
        let mut owed = None;
        loop {
            self.hook.ready().await.map_err(interrupted("waiting for the kernel's announcements"))?;
            // No await from here to the end of the turn: what was drained is answered.
            let now = self.clock.now();
            let found = self.hook.drain(self.batch).map_err(interrupted("reading the kernel's announcements"))?;
            if found.is_empty() {
                tokio::task::yield_now().await;
                continue;
            }
            let (received_at, owing) = owed.get_or_insert((now, Announcements::default()));
            owing.add(found);
            let snapshot = match self.reader.read() {
                Ok(snapshot) => snapshot,
                // What disturbed the last read has been announced too.
                Err(SnapshotError::Restless) => {
                    tokio::task::yield_now().await;
                    continue;
                }
                Err(error) => return Err(unread(error)),
            };
            if snapshot == self.last && !owing.loss {
                owed = None;
                continue;
            }
            let hint = Hint {
                rung: self.hook.rung(),
                kernel_at: owing.first_at,
                received_at: *received_at,
                announcements: owing.count,
                after_loss: owing.loss,
            };
            self.last.clone_from(&snapshot);
            return Ok((IpChangeEvent::new(snapshot, hint), self));
        }
    }
}

/// What was last said about the rung: said again only when it changes.
#[derive(Default)]
struct Said(Mutex<Option<(&'static str, Option<String>)>>);

impl Said {
    fn rung(&self, rung: &'static str, reason: Option<String>) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_ref().is_some_and(|(before, why)| *before == rung && *why == reason) {
            return;
        }
        tracing::info!(rung, reason, "Kernel address events");
        *said = Some((rung, reason));
    }
}

fn no_reader(error: rustix::io::Errno) -> SourceError {
    SourceError::Unavailable {
        what: "no rtnetlink socket: allow AF_NETLINK (RestrictAddressFamilies)".to_owned(),
        cause: Some(io::Error::from(error).into()),
    }
}

fn unread(error: SnapshotError) -> SourceError {
    SourceError::Interrupted { what: "reading the host's addresses", cause: error.into() }
}

fn interrupted(what: &'static str) -> impl Fn(io::Error) -> SourceError {
    move |error| SourceError::Interrupted { what, cause: error.into() }
}
