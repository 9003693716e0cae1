mod watch;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::address::{IpChangeEvent, Snapshot};
use ddns_core::ports::{Clock, IpSource, SourceError};
use futures_util::stream::{BoxStream, StreamExt, try_unfold};

use crate::dump::DumpError;
use crate::hook::Hook;
use crate::snapshot::SnapshotReader;
use watch::Watch;

/// How a [`KernelSource`] looks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelOptions {
    /// How the kernel's announcements are received.
    pub hook: Hook,
    /// Only announcements of these interfaces wake the process, where eBPF is there to tell; they need not exist yet.
    /// Empty for all. Snapshots hold all interfaces in any case.
    pub interfaces: Vec<String>,
    /// Also announcements of other network namespaces wake the process, where the rung sees them. Snapshots hold the
    /// own namespace in any case.
    pub every_namespace: bool,
    /// Announcements taken per turn, at least one. More of them only cost further turns.
    pub batch: usize,
    /// Between two looks that nothing announced, which find what an announcement missed; `None` for no such looks.
    pub audit: Option<Duration>,
    /// Once the hook is in place, the calling thread gives up every capability, for good.
    pub drop_privileges: bool,
}

impl Default for KernelOptions {
    fn default() -> Self {
        Self {
            hook: Hook::default(),
            interfaces: Vec::new(),
            every_namespace: false,
            batch: 1024,
            audit: None,
            drop_privileges: false,
        }
    }
}

/// The host's own addresses, from the kernel, in the network namespace of the thread that polls.
///
/// Its streams need a tokio runtime with I/O enabled. An item follows each change of the snapshot, and each loss of
/// announcements even if nothing changed.
pub struct KernelSource(Arc<Shared>);

/// What all watches of a source share.
struct Shared {
    options: KernelOptions,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
}

/// What a source remembers from watch to watch.
#[derive(Default)]
struct Memory {
    /// What was last said about the rung: said again only when it changes.
    said: Option<(&'static str, Option<String>)>,
    /// The rung that missed a change: with [`Hook::Auto`] the ladder begins beneath it.
    distrusted: Option<Hook>,
    /// Changes that nothing announced.
    missed: u64,
}

impl KernelSource {
    /// A source that reads this clock for its hints. Nothing is opened before the first use.
    pub fn new(options: KernelOptions, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared { options, clock, memory: Mutex::default() }))
    }
}

impl fmt::Debug for KernelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KernelSource").field("options", &self.0.options).finish_non_exhaustive()
    }
}

#[async_trait]
impl IpSource for KernelSource {
    async fn current(&self) -> Result<Snapshot, SourceError> {
        let mut reader = SnapshotReader::open().map_err(no_reader)?;
        reader.read().map_err(unread)
    }

    fn watch(&self) -> BoxStream<'static, Result<IpChangeEvent, SourceError>> {
        let shared = Arc::clone(&self.0);
        try_unfold(None, move |watch| {
            let shared = Arc::clone(&shared);
            async move {
                let (event, watch) = match watch {
                    None => Watch::start(shared)?,
                    Some(watch) => Watch::next(watch).await?,
                };
                Ok(Some((event, Some(watch))))
            }
        })
        .boxed()
    }
}

impl Shared {
    fn remember<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The rungs to be tried, in this order.
    fn rungs(&self) -> &'static [Hook] {
        const ALL: &[Hook] = &Hook::LADDER;
        match self.options.hook {
            Hook::Auto => self.remember(|memory| memory.distrusted).map_or(ALL, Hook::below),
            Hook::Fentry => &[Hook::Fentry],
            Hook::Kprobe => &[Hook::Kprobe],
            Hook::SocketFilter => &[Hook::SocketFilter],
            Hook::Netlink => &[Hook::Netlink],
        }
    }

    fn say(&self, rung: &'static str, reason: Option<String>) {
        self.remember(|memory| {
            if memory.said.as_ref().is_none_or(|(before, why)| *before != rung || *why != reason) {
                tracing::info!(rung, reason, "Kernel address events");
                memory.said = Some((rung, reason));
            }
        });
    }

    /// A change was found that nothing announced.
    fn missed(&self, rung: Hook) {
        let missed = self.remember(|memory| {
            memory.missed += 1;
            memory.distrusted = Some(rung).filter(|rung| !rung.below().is_empty());
            memory.missed
        });
        tracing::warn!(
            rung = rung.as_str(),
            missed,
            "An address change was not announced; the rung is not trusted any more"
        );
    }
}

fn no_reader(error: rustix::io::Errno) -> SourceError {
    SourceError::Unavailable {
        what: "no rtnetlink socket: allow AF_NETLINK (RestrictAddressFamilies)".to_owned(),
        cause: Some(io::Error::from(error).into()),
    }
}

fn unread(error: DumpError) -> SourceError {
    SourceError::Interrupted { what: "reading the host's addresses", cause: error.into() }
}

fn interrupted(what: &'static str) -> impl Fn(io::Error) -> SourceError {
    move |error| SourceError::Interrupted { what, cause: error.into() }
}
