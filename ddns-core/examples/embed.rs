//! Another program around the engine: a source and a provider of its own, and nothing of the workspace but `ddns-core`.
//!
//! `cargo run --package ddns-core --example embed`. Its zone is a map. A real provider sends requests there, a real
//! verifier asks resolvers, and a real probe connects to somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use ddns_core::address::{AddressFlags, Hint, InterfaceAddress, IpChangeEvent, Snapshot};
use ddns_core::config::{Config, SecretFile, SecretFiles, Settings, VARIABLES};
use ddns_core::driver::{Connections, DdnsEngine, Ports};
use ddns_core::memory_store::MemoryStore;
use ddns_core::ports::{
    Answer, Clock, DnsProvider, IpSource, Observed, PathProbe, PathReport, ProviderError, SourceError, TargetReport,
    UpdateKind, UpdateRequest, UpdateResult, Verifier, Vote,
};
use ddns_core::record::RecordKey;
use ddns_core::time::{Instant, Wall};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{sleep, timeout};

const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(11, 0, 0, 1));
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(11, 0, 0, 2));

/// An interface that gets a new address after a while.
struct Line;

fn holding(address: IpAddr) -> Snapshot {
    let (interface, flags) = ("wan0".to_owned(), AddressFlags::default());
    Snapshot::new(vec![InterfaceAddress { index: 2, interface, address, prefix_len: 24, flags, link_up: true }])
}

#[async_trait]
impl IpSource for Line {
    async fn current(&self) -> Result<Snapshot, SourceError> {
        Ok(holding(SECOND))
    }
    fn watch(&self) -> BoxStream<'static, Result<IpChangeEvent, SourceError>> {
        let event = |address| async move {
            sleep(Duration::from_millis(if address == FIRST { 0 } else { 50 })).await;
            let received_at = World.now();
            let hint = Hint::new("embed", received_at, 1);
            Ok(IpChangeEvent::new(holding(address), hint))
        };
        stream::iter([FIRST, SECOND]).then(event).chain(stream::pending()).boxed()
    }
}

/// Provider and verifier: what is written is what DNS answers.
#[derive(Default)]
struct Zone(Mutex<BTreeMap<RecordKey, IpAddr>>);

impl Zone {
    fn holds(&self, key: &RecordKey) -> BTreeSet<IpAddr> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied().into_iter().collect()
    }
}

#[async_trait]
impl DnsProvider for Zone {
    fn name(&self) -> &'static str {
        "map"
    }
    fn supports(&self, key: &RecordKey) -> bool {
        key.name.is_within("example.com")
    }
    async fn read(&self, key: &RecordKey) -> Result<Observed, ProviderError> {
        Ok(Observed { addresses: self.holds(key), proxied: false, handle: None })
    }
    async fn update(&self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        let mut zone = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = zone.insert(request.key.clone(), request.address);
        let kind = if before.is_none() { UpdateKind::Created } else { UpdateKind::Changed };
        Ok(UpdateResult { kind, proxied: false, handle: None })
    }
}

#[async_trait]
impl Verifier for Zone {
    fn resolvers(&self) -> usize {
        1
    }
    async fn resolve(&self, key: &RecordKey, _quorum: usize) -> Vec<Vote> {
        let answer = Answer { addresses: self.holds(key), ttl: Duration::ZERO };
        vec![Vote { resolver: "map".to_owned(), answer: Ok(answer) }]
    }
}

/// What is left of the world: clocks, a way to the Internet, no connections to care for, no secrets in files.
struct World;

impl Clock for World {
    fn now(&self) -> Instant {
        Instant::since_boot(UNIX_EPOCH.elapsed().unwrap_or_default())
    }
    fn wall(&self) -> Wall {
        Wall::from_millis(self.now().as_nanos() / 1_000_000)
    }
    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        sleep(deadline.saturating_since(self.now())).boxed()
    }
}

#[async_trait]
impl PathProbe for World {
    async fn probe(&self) -> PathReport {
        PathReport { targets: vec![TargetReport::new("anywhere", None, None)], lan: None }
    }
}

impl Connections for World {
    fn addresses_held(&self, _held: &[IpAddr]) {}
    fn close_idle(&self) {}
}

impl SecretFiles for World {
    fn read(&self, _path: &Path) -> std::io::Result<SecretFile> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// Runs the engine until the record with the second address is proven.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> Result<(), Box<dyn Error>> {
    let variables = [("DDNS_RECORDS", "vpn.example.com:A"), ("DDNS_MIN_UPDATE_INTERVAL_SECS", "0")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut settings = Settings::new(variables, VARIABLES, &World);
    let config = Config::read(&mut settings);
    let (_warnings, problems) = settings.finish();
    if let Some(problem) = problems.first() {
        return Err(problem.to_string().into());
    }

    let zone = Arc::new(Zone::default());
    let ports = Ports {
        sources: vec![Arc::new(Line)],
        providers: vec![Arc::<Zone>::clone(&zone)],
        verifier: Arc::<Zone>::clone(&zone),
        store: Arc::new(MemoryStore::default()),
        probe: Arc::new(World),
        plugs: None,
        clock: Arc::new(World),
        connections: Arc::new(World),
    };
    let (engine, handle) = DdnsEngine::new(&config, ports, Vec::new(), 7).await;
    let key = config.records[0].key.clone();
    let proven = async {
        while handle.status().await.is_none_or(|status| status.records[0].verified != Some(SECOND)) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let mut in_time = None;
    engine.run(async { in_time = Some(timeout(Duration::from_secs(30), proven).await) }).await;
    in_time.ok_or("the engine ended early")??;
    println!("{key} = {:?}, proven", zone.holds(&key));
    Ok(())
}
