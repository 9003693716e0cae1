use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ddns_core::address::{AddressFlags, Family, Hint, InterfaceAddress, IpChangeEvent, Snapshot};
use ddns_core::driver::{DdnsEngine, Handle};
use ddns_core::engine::{Status, Transition};
use ddns_core::ports::{ProviderError, SourceError, StateStore};
use ddns_core::time::Instant;
use futures_util::FutureExt;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time;

use crate::ports::{config, ports};

pub type News = Result<IpChangeEvent, SourceError>;

/// One use of a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Call {
    Watch,
    Resolve(String),
    Read(String),
    Update(String, IpAddr),
    Updated(String, IpAddr),
    Probe,
    Save,
    Saved,
    AddressesHeld,
    CloseIdle,
}

/// What a resolver shows of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shows {
    Truth,
    Only(&'static str),
    Nothing,
    Fails,
}

/// How the world behaves.
#[derive(Default)]
pub struct Manners {
    /// Each write takes this long.
    pub update_takes: Duration,
    /// It has had its effect before that.
    pub effect_first: bool,
    /// Writes to a name fail.
    pub fails: BTreeMap<String, fn() -> ProviderError>,
    /// Reads fail.
    pub read_fails: Option<fn() -> ProviderError>,
    /// Names that the provider can't hold.
    pub unsupported: BTreeSet<String>,
    /// Each save takes this long.
    pub save_takes: Duration,
    /// What the resolvers do, one by one; a single truthful one if empty.
    pub resolvers: Vec<Shows>,
    /// The targets of the probe, and whether they answer; a single good one if empty.
    pub targets: Vec<(Option<Family>, bool)>,
    /// Streams of the source end with this poll; the first count is for the next stream.
    pub streams_end: Vec<usize>,
    /// Announcements that each look at the addresses answers.
    pub announcements: u32,
    /// The source gives no first item.
    pub mute: bool,
}

/// All that is around an engine: what it holds, how it behaves, what was asked of it.
pub struct World {
    began: time::Instant,
    held: Mutex<Vec<IpAddr>>,
    api: Mutex<BTreeMap<String, BTreeSet<IpAddr>>>,
    manners: Mutex<Manners>,
    news: Mutex<Option<mpsc::UnboundedSender<News>>>,
    calls: Mutex<Vec<(Duration, Call)>>,
    log: Mutex<Vec<Transition>>,
    end_after: AtomicUsize,
    end: Notify,
    ended_at: Mutex<Option<time::Instant>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

impl World {
    pub fn new(held: &[&str]) -> Arc<Self> {
        Arc::new(Self {
            began: time::Instant::now(),
            held: Mutex::new(held.iter().map(|address| ip(address)).collect()),
            api: Mutex::default(),
            manners: Mutex::new(Manners { announcements: 1, ..Manners::default() }),
            news: Mutex::default(),
            calls: Mutex::default(),
            log: Mutex::default(),
            end_after: AtomicUsize::new(usize::MAX),
            end: Notify::new(),
            ended_at: Mutex::default(),
        })
    }

    pub fn manners(&self) -> MutexGuard<'_, Manners> {
        lock(&self.manners)
    }

    pub fn api(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<IpAddr>>> {
        lock(&self.api)
    }

    pub fn log(&self) -> MutexGuard<'_, Vec<Transition>> {
        lock(&self.log)
    }

    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub fn listen(&self, news: mpsc::UnboundedSender<News>) {
        *lock(&self.news) = Some(news);
    }

    pub fn event(&self) -> IpChangeEvent {
        let address = |address: &IpAddr| InterfaceAddress {
            index: 2,
            interface: "wan0".into(),
            address: *address,
            prefix_len: 24,
            flags: AddressFlags::default(),
            link_up: true,
        };
        let snapshot = Snapshot::new(lock(&self.held).iter().map(address).collect());
        let announcements = self.manners().announcements;
        let received_at = Instant::default();
        IpChangeEvent::new(snapshot, Hint::new("model", received_at, announcements))
    }

    /// The host holds exactly these, and the source is told if it listens.
    pub fn hold(&self, held: &[&str]) {
        *lock(&self.held) = held.iter().map(|address| ip(address)).collect();
        let event = self.event();
        if let Some(news) = &*lock(&self.news) {
            let _ = news.send(Ok(event));
        }
    }

    /// Whether the provider holds exactly this under a name.
    pub fn holds(&self, name: &str, address: &str) -> bool {
        self.api().get(&format!("{name} A")) == Some(&BTreeSet::from([ip(address)]))
    }

    /// Takes note of a use of a port, which may be the one after which the end comes.
    pub fn called(&self, call: Call) {
        let mut calls = lock(&self.calls);
        calls.push((self.elapsed(), call));
        if calls.len() == self.end_after.load(SeqCst) {
            drop(calls);
            self.shut_down();
        }
    }

    pub fn shut_down(&self) {
        lock(&self.ended_at).get_or_insert_with(time::Instant::now);
        self.end.notify_one();
    }

    pub fn shut_down_after(&self, calls: usize) {
        self.end_after.store(calls, SeqCst);
    }

    /// How long ago the end was asked for.
    pub fn since_shutdown(&self) -> Duration {
        lock(&self.ended_at).unwrap().elapsed()
    }

    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).iter().map(|(_, call)| call.clone()).collect()
    }

    pub fn forget(&self) {
        lock(&self.calls).clear();
        self.log().clear();
    }

    /// The writes: when, which name, which address.
    pub fn updates(&self) -> Vec<(Duration, String, IpAddr)> {
        let calls = lock(&self.calls);
        let update = |(at, call): &(Duration, Call)| match call {
            Call::Update(key, to) => Some((*at, key.split(' ').next().unwrap().to_owned(), *to)),
            _ => None,
        };
        calls.iter().filter_map(update).collect()
    }

    pub fn updated_names(&self) -> Vec<String> {
        self.updates().into_iter().map(|(_, name, _)| name).collect()
    }

    pub async fn engine(
        self: &Arc<Self>,
        environment: &[(&str, &str)],
        store: Arc<dyn StateStore>,
    ) -> (DdnsEngine, Handle) {
        let (ports, view) = ports(self, store);
        DdnsEngine::new(&config(environment), ports, vec![view], 7).await
    }

    /// Runs an engine until the story ends.
    pub async fn during<T>(
        self: &Arc<Self>,
        environment: &[(&str, &str)],
        store: Arc<dyn StateStore>,
        story: impl AsyncFnOnce(Handle) -> T,
    ) -> T {
        let (engine, handle) = self.engine(environment, store).await;
        let (end, ended) = oneshot::channel::<()>();
        let told = async {
            let told = story(handle).await;
            drop(end);
            told
        };
        tokio::join!(told, engine.run(ended.map(drop))).0
    }

    /// Runs an engine until [`Self::shut_down`], whatever becomes of the story.
    pub async fn until_shut_down(
        self: &Arc<Self>,
        environment: &[(&str, &str)],
        store: Arc<dyn StateStore>,
        story: impl AsyncFnOnce(Handle),
    ) {
        let (engine, handle) = self.engine(environment, store).await;
        tokio::select! {
            () = engine.run(self.end.notified()) => {}
            () = async { story(handle).await; std::future::pending().await } => {}
        }
    }
}

/// Waits until the state is as wanted, in the driver's own time.
pub async fn until(handle: &Handle, wanted: impl Fn(&Status) -> bool) -> Status {
    for _ in 0..20_000 {
        if let Some(status) = handle.status().await.filter(|status| wanted(status)) {
            return status;
        }
        time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came: {:?}", handle.status().await);
}
