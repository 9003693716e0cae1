use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ddns_core::address::{InterfaceAddress, IpChangeEvent, Snapshot};
use ddns_core::ports::{IpSource, SourceError};
use ddns_linux::{BootClock, Hook, KernelOptions, KernelSource};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::util::SubscriberInitExt;

use crate::namespace::Namespace;

/// Without link-local addresses nothing happens that a test does not do, and no announcement hides that another is
/// missing.
const QUIET_LINKS: &str = "link set lo up
link add wan0 type veth peer name isp0
link set wan0 addrgenmode none
link set isp0 addrgenmode none
link set isp0 up
link set wan0 up
";

/// Emulated processors are slow; nothing depends on how much of it is used.
const BOUND: Duration = Duration::from_secs(40);

/// A thread in its own namespace with an interface `wan0`, a runtime and a log.
pub struct World {
    pub namespace: Arc<Namespace>,
    pub log: Log,
    runtime: Runtime,
}

impl World {
    /// Runs a test in a new world. An ERROR in its log fails it.
    pub fn run(test: impl FnOnce(&World) + Send) {
        let namespace = Arc::new(Namespace::new());
        namespace.batch(QUIET_LINKS);
        namespace.wait_for_links(2, BOUND);
        let log = Log::default();
        let inside = || {
            namespace.enter();
            let writer = log.clone();
            let _guard = tracing_subscriber::fmt()
                .with_ansi(false)
                .with_max_level(tracing::Level::TRACE)
                .with_writer(move || writer.clone())
                .set_default();
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            test(&World { namespace: Arc::clone(&namespace), log: log.clone(), runtime });
        };
        let done = thread::scope(|scope| scope.spawn(inside).join());
        if let Err(panic) = done {
            eprintln!("{}", log.text());
            std::panic::resume_unwind(panic);
        }
        assert_eq!(log.count(" ERROR "), 0, "{}", log.text());
    }

    pub fn source(&self, hook: Hook) -> KernelSource {
        self.source_with(KernelOptions { hook, ..KernelOptions::default() })
    }

    pub fn source_with(&self, options: KernelOptions) -> KernelSource {
        KernelSource::new(options, Arc::new(BootClock))
    }

    /// Watches, and takes the first snapshot.
    pub fn watch(&self, source: &KernelSource) -> (IpChangeEvent, Watch<'_>) {
        let mut watch = Watch { stream: source.watch(), runtime: &self.runtime, last: Snapshot::default() };
        let first = watch.next();
        (first, watch)
    }

    pub fn first(&self, source: &KernelSource) -> Result<IpChangeEvent, SourceError> {
        self.runtime.block_on(async { source.watch().next().await }).expect("a stream starts with an item")
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub fn current(&self, source: &KernelSource) -> Snapshot {
        self.runtime.block_on(source.current()).unwrap()
    }
}

/// A stream of snapshots. It is polled only inside these methods.
pub struct Watch<'a> {
    stream: BoxStream<'static, Result<IpChangeEvent, SourceError>>,
    runtime: &'a Runtime,
    last: Snapshot,
}

impl Watch<'_> {
    pub fn next(&mut self) -> IpChangeEvent {
        let next = async { tokio::time::timeout(BOUND, self.stream.next()).await };
        let event = self.runtime.block_on(next).expect("an event within the bound");
        let event = event.expect("the stream goes on").expect("no error");
        self.last.clone_from(&event.snapshot);
        event
    }

    /// The first event that fits.
    pub fn until_event(&mut self, fits: impl Fn(&IpChangeEvent) -> bool) -> IpChangeEvent {
        loop {
            let event = self.next();
            if fits(&event) {
                return event;
            }
        }
    }

    /// Waits until the newest snapshot fits, which the one before may have done.
    pub fn until_now(&mut self, fits: impl Fn(&Snapshot) -> bool) {
        while !fits(&self.last) {
            self.next();
        }
    }

    /// The events up to and with the first whose snapshot fits.
    pub fn until(&mut self, fits: impl Fn(&Snapshot) -> bool) -> Vec<IpChangeEvent> {
        let mut events = Vec::new();
        loop {
            events.push(self.next());
            if events.last().is_some_and(|event| fits(&event.snapshot)) {
                return events;
            }
        }
    }

    /// The first event that tells of a loss.
    pub fn until_loss(&mut self) -> IpChangeEvent {
        loop {
            let event = self.next();
            if event.hint.after_loss {
                return event;
            }
        }
    }

    /// Polls without waiting, as a caller does who goes away again.
    pub fn glance(&mut self) -> Option<IpChangeEvent> {
        let event = self.runtime.block_on(async {
            tokio::select! {
                biased;
                event = self.stream.next() => event,
                () = tokio::task::yield_now() => None,
            }
        });
        event.map(|event| event.expect("no error"))
    }
}

/// The address in the snapshot, whatever its interface.
pub fn find<'a>(snapshot: &'a Snapshot, address: &str) -> Option<&'a InterfaceAddress> {
    let address: IpAddr = address.parse().unwrap();
    snapshot.addresses().iter().find(|entry| entry.address == address)
}

/// Lines that the code and the eBPF program logged.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub fn count(&self, part: &str) -> usize {
        self.text().lines().filter(|line| line.contains(part)).count()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
