//! The driver with ports made of memory, on tokio's paused clock: time moves only when nothing else can.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::address::{AddressFlags, Family, Hint, InterfaceAddress, IpChangeEvent, Snapshot};
use ddns_core::config::{Config, SecretFile, SecretFiles, Settings, VARIABLES};
use ddns_core::driver::{Connections, DdnsEngine, Handle, Ports, View};
use ddns_core::engine::{Status, Transition};
use ddns_core::memory_store::MemoryStore;
use ddns_core::ports::{
    Answer, Clock, DnsProvider, IpSource, LanReport, LoadError, Observed, PathProbe, PathReport, PlugAddress,
    PlugChoice, PlugError, PlugOrder, PlugReport, PowerSwitch, PowerSwitches, ProviderError, SaveError, SourceError,
    StateStore, TargetReport, UpdateKind, UpdateRequest, UpdateResult, Verifier, Vote,
};
use ddns_core::record::RecordKey;
use ddns_core::state::SavedState;
use ddns_core::time::{Instant, Wall};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time;

type News = Result<IpChangeEvent, SourceError>;

/// The whole world: what it holds, and how it behaves.
#[derive(Default)]
struct World {
    held: Mutex<BTreeSet<IpAddr>>,
    news: Mutex<Option<mpsc::UnboundedSender<News>>>,
    watches: AtomicUsize,
    record: Mutex<BTreeSet<IpAddr>>,
    update_takes: Mutex<Duration>,
    updates_begun: AtomicUsize,
    updates_dropped: AtomicUsize,
    log: Mutex<Vec<Transition>>,
    wan_down: AtomicBool,
    power_off: AtomicBool,
    /// The plug answers nothing but an order to switch off.
    plug_deaf: AtomicBool,
    /// It obeys an order to switch off, and never answers that.
    plug_hangs: AtomicBool,
}

impl World {
    fn event(&self) -> IpChangeEvent {
        let address = |address: &IpAddr| InterfaceAddress {
            index: 2,
            interface: "wan0".into(),
            address: *address,
            prefix_len: 24,
            flags: AddressFlags::default(),
            link_up: true,
        };
        let snapshot = Snapshot::new(self.held.lock().unwrap().iter().map(address).collect());
        let now = Instant::default();
        let hint = Hint::new("model", now, 1);
        IpChangeEvent::new(snapshot, hint)
    }

    /// The host holds exactly this, and the source is told if it listens.
    fn hold(&self, address: &str) {
        *self.held.lock().unwrap() = BTreeSet::from([address.parse().unwrap()]);
        let event = self.event();
        if let Some(news) = &*self.news.lock().unwrap() {
            let _ = news.send(Ok(event));
        }
    }

    fn holds_record(&self, address: &str) -> bool {
        *self.record.lock().unwrap() == BTreeSet::from([address.parse().unwrap()])
    }
}

/// Every port, on one world.
#[derive(Clone)]
struct Port(Arc<World>, time::Instant);

#[async_trait]
impl IpSource for Port {
    async fn current(&self) -> Result<Snapshot, SourceError> {
        Ok(self.0.event().snapshot)
    }

    fn watch(&self) -> BoxStream<'static, News> {
        self.0.watches.fetch_add(1, SeqCst);
        let (sender, mut receiver) = mpsc::unbounded_channel();
        *self.0.news.lock().unwrap() = Some(sender);
        let first = Ok(self.0.event());
        let rest = futures_util::stream::poll_fn(move |context| receiver.poll_recv(context));
        futures_util::stream::once(async { first }).chain(rest).boxed()
    }
}

struct Dropped(Arc<World>, bool);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.updates_dropped.fetch_add(usize::from(!self.1), SeqCst);
    }
}

#[async_trait]
impl DnsProvider for Port {
    fn name(&self) -> &'static str {
        "model"
    }

    fn supports(&self, _key: &RecordKey) -> bool {
        true
    }

    async fn read(&self, _key: &RecordKey) -> Result<Observed, ProviderError> {
        Ok(Observed { addresses: self.0.record.lock().unwrap().clone(), proxied: false, handle: None })
    }

    async fn update(&self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        self.0.updates_begun.fetch_add(1, SeqCst);
        let mut guard = Dropped(Arc::clone(&self.0), false);
        let takes = *self.0.update_takes.lock().unwrap();
        time::sleep(takes).await;
        *self.0.record.lock().unwrap() = BTreeSet::from([request.address]);
        guard.1 = true;
        Ok(UpdateResult { kind: UpdateKind::Changed, proxied: false, handle: None })
    }
}

#[async_trait]
impl Verifier for Port {
    fn resolvers(&self) -> usize {
        1
    }

    async fn resolve(&self, _key: &RecordKey, _quorum: usize) -> Vec<Vote> {
        let addresses = self.0.record.lock().unwrap().clone();
        vec![Vote { resolver: "model".into(), answer: Ok(Answer { addresses, ttl: Duration::ZERO }) }]
    }
}

#[async_trait]
impl PathProbe for Port {
    async fn probe(&self) -> PathReport {
        let silent = self.0.wan_down.load(SeqCst).then(|| "no answer".to_owned());
        let target = |name: &str| TargetReport::new(name, Some(Family::V4), silent.clone());
        let lan = LanReport { carrier: Some(true), routers: Vec::new() };
        PathReport { targets: ["11.9.0.1:443", "11.9.0.2:443"].map(target).into(), lan: Some(lan) }
    }
}

#[async_trait]
impl PowerSwitch for Port {
    async fn carry_out(&self, order: PlugOrder) -> Result<PlugReport, PlugError> {
        time::sleep(Duration::from_millis(100)).await;
        match order {
            PlugOrder::Off { .. } => {
                self.0.power_off.store(true, SeqCst);
                if self.0.plug_hangs.load(SeqCst) {
                    std::future::pending::<()>().await;
                }
            }
            PlugOrder::Look | PlugOrder::On if self.0.plug_deaf.load(SeqCst) => {
                return Err(PlugError::Unreachable { at: "192.0.2.9".into(), cause: "no route".into() });
            }
            PlugOrder::Look => {}
            PlugOrder::On => self.0.power_off.store(false, SeqCst),
        }
        Ok(PlugReport { on: !self.0.power_off.load(SeqCst), device: None })
    }
}

impl PowerSwitches for Port {
    fn configured(&self) -> Option<&PlugChoice> {
        None
    }

    fn open(&self, _plug: &PlugAddress) -> Arc<dyn PowerSwitch> {
        Arc::new(self.clone())
    }
}

impl Clock for Port {
    fn now(&self) -> Instant {
        Instant::since_boot(Duration::from_secs(1000) + self.1.elapsed())
    }

    fn wall(&self) -> Wall {
        Wall::from_millis(1_700_000_000_000)
    }

    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        time::sleep(deadline.saturating_since(self.now())).boxed()
    }
}

impl Connections for Port {
    fn addresses_held(&self, _held: &[IpAddr]) {}
    fn close_idle(&self) {}
}

impl View for Port {
    fn observe(&mut self, _now: Instant, transition: &Transition, _status: &Status) {
        self.0.log.lock().unwrap().push(transition.clone());
    }
}

struct NoFiles;

impl SecretFiles for NoFiles {
    fn read(&self, _path: &std::path::Path) -> std::io::Result<SecretFile> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// An engine on a world that holds 11.0.0.1.
async fn engine(world: &Arc<World>) -> (DdnsEngine, Handle, Arc<MemoryStore>) {
    let store = Arc::new(MemoryStore::default());
    let (engine, handle) = engine_with(world, Arc::<MemoryStore>::clone(&store)).await;
    (engine, handle, store)
}

async fn engine_with(world: &Arc<World>, store: Arc<dyn StateStore>) -> (DdnsEngine, Handle) {
    let environment = [
        ("DDNS_RECORDS", "vpn.example.com:A"),
        ("DDNS_MIN_UPDATE_INTERVAL_SECS", "0"),
        ("DDNS_ALLOW_PHYSICAL_RECOVERY", "true"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut settings = Settings::new(environment, VARIABLES, &NoFiles);
    let mut config = Config::read(&mut settings);
    let plug = PlugAddress { kind: "model".into(), endpoint: "http://192.0.2.9:80".into(), details: [].into() };
    config.recovery.plug = Some(PlugChoice { plug, has_timer: false, reachable_without_router: true });
    world.hold("11.0.0.1");
    let port = Port(Arc::clone(world), time::Instant::now());
    let ports = Ports {
        sources: vec![Arc::new(port.clone())],
        providers: vec![Arc::new(port.clone())],
        verifier: Arc::new(port.clone()),
        store,
        probe: Arc::new(port.clone()),
        plugs: Some(Arc::new(port.clone())),
        clock: Arc::new(port.clone()),
        connections: Arc::new(port.clone()),
    };
    DdnsEngine::new(&config, ports, vec![Box::new(port)], 7).await
}

/// Runs the engine beside a story; the story's end is the shutdown.
async fn during<T>(world: &Arc<World>, story: impl AsyncFnOnce(Handle) -> T) -> (T, Arc<MemoryStore>) {
    let (engine, handle, store) = engine(world).await;
    let (end, ended) = oneshot::channel::<()>();
    let told = async {
        let told = story(handle).await;
        drop(end);
        told
    };
    let (told, ()) = tokio::join!(told, engine.run(ended.map(drop)));
    (told, store)
}

/// Waits until the state is as wanted, in the driver's own time.
async fn until(handle: &Handle, wanted: impl Fn(&Status) -> bool) -> Status {
    for _ in 0..10_000 {
        if let Some(status) = handle.status().await.filter(|status| wanted(status)) {
            return status;
        }
        time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came: {:?}", handle.status().await);
}

#[tokio::test(start_paused = true)]
async fn an_address_becomes_a_proven_record_and_the_state_is_saved() {
    let world = Arc::<World>::default();
    let ((), store) = during(&world, async |handle| {
        until(&handle, Status::ready).await;
        world.hold("11.0.0.2");
        until(&handle, |status| status.ready() && world.holds_record("11.0.0.2")).await;
    })
    .await;
    let saved = store.load().await.unwrap().unwrap();
    assert_eq!(saved.records().next().unwrap().1.confirmed, Some("11.0.0.2".parse().unwrap()));
}

/// Trap 21, and `watch` dropped at any point: the change that came in between is in the first item of the next watch.
#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_is_watched_again_and_nothing_is_lost() {
    let world = Arc::<World>::default();
    during(&world, async |handle| {
        until(&handle, Status::ready).await;
        *world.news.lock().unwrap() = None;
        until(&handle, |status| status.source_error().is_some()).await;
        world.hold("11.0.0.2");
        until(&handle, |status| status.source_error().is_none() && world.holds_record("11.0.0.2")).await;
    })
    .await;
    assert_eq!(world.watches.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_errs_is_watched_again() {
    let world = Arc::<World>::default();
    during(&world, async |handle| {
        until(&handle, Status::ready).await;
        let error = SourceError::Interrupted { what: "reading", cause: "ENOBUFS".into() };
        world.news.lock().unwrap().as_ref().unwrap().send(Err(error)).unwrap();
        let status = until(&handle, |status| status.source_error().is_some()).await;
        assert_eq!(status.source_error(), Some("reading: ENOBUFS"));
        until(&handle, |status| status.source_error().is_none()).await;
    })
    .await;
}

/// FAULTS 12: an update under way is finished, and what it led to is saved.
#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_an_update_under_way() {
    let world = Arc::<World>::default();
    *world.update_takes.lock().unwrap() = Duration::from_secs(9);
    let ((), store) = during(&world, async |_| {
        while world.updates_begun.load(SeqCst) == 0 {
            time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(world.holds_record("11.0.0.1"));
    let saved = store.load().await.unwrap().unwrap();
    let record = saved.records().next().unwrap().1;
    assert_eq!((record.confirmed, record.pending), (Some("11.0.0.1".parse().unwrap()), None));
}

/// FAULTS 12: an update that does not end is left in doubt, and on disk as such.
#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_ever() {
    let world = Arc::<World>::default();
    *world.update_takes.lock().unwrap() = Duration::from_secs(3600);
    let begun = time::Instant::now();
    let ((), store) = during(&world, async |_| {
        while world.updates_begun.load(SeqCst) == 0 {
            time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(begun.elapsed() <= Duration::from_secs(16), "{:?} of the paused clock", begun.elapsed());
    assert_eq!(world.updates_dropped.load(SeqCst), 1, "nothing outlives run");
    let saved = store.load().await.unwrap().unwrap();
    let record = saved.records().next().unwrap().1;
    assert_eq!((record.confirmed, record.pending), (None, Some("11.0.0.1".parse().unwrap())));
}

#[tokio::test(start_paused = true)]
async fn an_idle_engine_ends_at_once_and_its_handle_then_has_no_answer() {
    let world = Arc::<World>::default();
    let (handle, _) = during(&world, async |handle| {
        until(&handle, Status::ready).await;
        handle
    })
    .await;
    assert_eq!(handle.status().await, None);
}

/// A storm in the source never keeps a request from its answer.
#[tokio::test(start_paused = true)]
async fn a_request_is_answered_in_the_middle_of_a_storm() {
    let world = Arc::<World>::default();
    during(&world, async |handle| {
        until(&handle, Status::ready).await;
        for number in 0..100_000_u32 {
            world.hold(&format!("11.1.{}.{}", number / 250 % 250, number % 250));
        }
        assert!(handle.status().await.is_some());
        world.hold("11.0.0.9");
        until(&handle, |_| world.holds_record("11.0.0.9")).await;
    })
    .await;
    assert!(world.updates_begun.load(SeqCst) < 20, "{} updates", world.updates_begun.load(SeqCst));
}

/// A disk that never answers.
struct Hangs;

#[async_trait]
impl StateStore for Hangs {
    async fn load(&self) -> Result<Option<SavedState>, LoadError> {
        std::future::pending().await
    }

    async fn save(&self, _state: &SavedState) -> Result<(), SaveError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_never_answers_does_not_keep_dns_from_being_right() {
    let world = Arc::<World>::default();
    let (engine, handle) = engine_with(&world, Arc::new(Hangs)).await;
    let (end, ended) = oneshot::channel::<()>();
    let story = async {
        let status = until(&handle, Status::ready).await;
        assert!(status.store_error.is_some_and(|error| error.contains("not read within")));
        drop(end);
    };
    tokio::join!(story, engine.run(ended.map(drop)));
    assert!(world.holds_record("11.0.0.1"));
}

/// The line is dead for long enough; the story ends while the router is off.
async fn power_goes(world: &Arc<World>) -> (Duration, Arc<MemoryStore>) {
    let (begun, store) = during(world, async |handle| {
        until(&handle, Status::ready).await;
        world.wan_down.store(true, SeqCst);
        while !world.power_off.load(SeqCst) {
            time::sleep(Duration::from_millis(100)).await;
        }
        time::sleep(Duration::from_secs(3)).await;
        time::Instant::now()
    })
    .await;
    (begun.elapsed(), store)
}

/// FAULTS 59: SIGTERM while the router is off.
#[tokio::test(start_paused = true)]
async fn a_shutdown_while_the_router_is_off_switches_it_on() {
    let world = Arc::<World>::default();
    let (took, store) = power_goes(&world).await;
    assert!(!world.power_off.load(SeqCst));
    assert!(took < Duration::from_secs(2), "{took:?} of the paused clock");
    assert!(store.load().await.unwrap().unwrap().recovery().intent().is_none());
}

/// It tries for 25 seconds; what is not confirmed by then is the next start's first work.
#[tokio::test(start_paused = true)]
async fn a_shutdown_leaves_the_intent_if_the_plug_does_not_answer() {
    let world = Arc::<World>::default();
    let deafens = async {
        while !world.power_off.load(SeqCst) {
            time::sleep(Duration::from_millis(10)).await;
        }
        // The answer to the order itself still comes.
        time::sleep(Duration::from_millis(500)).await;
        world.plug_deaf.store(true, SeqCst);
    };
    let ((took, store), ()) = tokio::join!(power_goes(&world), deafens);
    assert!(took >= Duration::from_secs(25) && took < Duration::from_secs(30), "{took:?} of the paused clock");
    let saved = store.load().await.unwrap().unwrap();
    assert_eq!(saved.recovery().intent().map(|intent| &*intent.plug.endpoint), Some("http://192.0.2.9:80"));
}

/// An adapter that breaks its promise to be bounded in time.
#[tokio::test(start_paused = true)]
async fn a_plug_that_never_answers_an_off_is_switched_on_all_the_same() {
    let world = Arc::<World>::default();
    world.plug_hangs.store(true, SeqCst);
    during(&world, async |handle| {
        until(&handle, Status::ready).await;
        world.wan_down.store(true, SeqCst);
        while !world.power_off.load(SeqCst) {
            time::sleep(Duration::from_secs(1)).await;
        }
        world.wan_down.store(false, SeqCst);
        for _ in 0..300 {
            time::sleep(Duration::from_secs(1)).await;
        }
        assert!(!world.power_off.load(SeqCst), "{:?}", handle.status().await);
    })
    .await;
}
