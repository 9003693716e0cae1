//! A model of the world around one engine: API, DNS, way to the Internet and store, each of which can be told to fail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ddns_core::address::{AddressFlags, Distress, Family, Hint, InterfaceAddress, IpChangeEvent, Snapshot};
use ddns_core::config::{Config, Kind, ProviderId, SecretFile, SecretFiles, Settings, SourceId, VARIABLES, Variable};
use ddns_core::engine::{Action, Effects, Engine, Event, Start, Status, Transition};
use ddns_core::ports::{
    Answer, LanReport, LookupError, Observed, PathReport, PlugAddress, PlugChoice, PlugOrder, PlugReport,
    ProviderError, RecordHandle, SaveError, TargetReport, UpdateKind, UpdateRequest, UpdateResult, Vote,
};
use ddns_core::record::RecordKey;
use ddns_core::state::SavedState;
use ddns_core::time::{Instant, Wall};
use ddns_core::uptime::History;
use ddns_core::verify::Whom;

pub const NAME: &str = "vpn.example.com";
/// A variable of some provider.
const SERVER: Variable =
    Variable { name: "DDNS_PROVIDER_SERVER", kind: Kind::Optional { format: "a server" }, help: "" };

/// How the provider fails.
#[derive(Clone, Copy, Debug)]
pub enum Fails {
    Unreachable,
    Unavailable(Option<u64>),
    Unauthorized,
    Refused,
    Unknown { applied: bool },
    Stale,
}

type Sets = BTreeMap<String, BTreeSet<IpAddr>>;

pub struct Bench {
    config: Config,
    engine: Engine,
    now: Instant,
    api: Sets,
    dns: Sets,
    calls: Vec<Call>,
    pending: VecDeque<Action>,
    pub log: Vec<Transition>,
    pub saved: Option<SavedState>,
    pub saves: usize,
    pub probes: usize,
    pub watches: usize,
    /// The zone's own; without any nobody knows who they are.
    pub name_servers: Vec<NameServer>,
    pub authority_calls: usize,
    pub looks_again: usize,
    /// What connections were told to be from.
    pub held: Vec<Vec<IpAddr>>,
    pub most_provider_calls_at_once: usize,
    pub fails: Option<Fails>,
    pub fail_times: Option<usize>,
    pub fail_name: Option<String>,
    pub lag: bool,
    pub wan: bool,
    pub most_targets_down: bool,
    pub proxied: bool,
    pub store_fails: bool,
    pub reads_fail: bool,
    /// The service can't be asked what it holds.
    pub unreadable: bool,
    pub store_hangs: bool,
    /// A provider that never answers.
    pub hangs: Option<ProviderId>,
    pub ttls: Vec<Option<u32>>,
    hanging: Option<SavedState>,
    pub plug_on: bool,
    pub orders: Vec<PlugOrder>,
}

/// What a name server of the zone does.
#[derive(Clone, Copy, Debug)]
pub enum NameServer {
    /// It answers with what the provider holds.
    Serves,
    /// It answers with this.
    Lags(&'static str),
    Silent,
}

enum Call {
    Read,
    Resolve,
    Attempt,
    Write(String, String),
}

struct NoFiles;

impl SecretFiles for NoFiles {
    fn read(&self, _path: &std::path::Path) -> std::io::Result<SecretFile> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

impl Bench {
    /// A fresh engine with this environment, without audits unless it says so; the source is watched, no address has
    /// been seen.
    pub fn new(environment: &[(&str, &str)]) -> Self {
        Self::with(environment, None)
    }

    /// The same with a plug that feeds the router, and targets that can prove a dead line.
    pub fn with_plug(environment: &[(&str, &str)]) -> Self {
        let plug = PlugAddress { kind: "model".into(), endpoint: "http://192.0.2.9:80".into(), details: [].into() };
        Self::with(environment, Some(PlugChoice { plug, has_timer: true, reachable_without_router: false }))
    }

    fn with(environment: &[(&str, &str)], plug: Option<PlugChoice>) -> Self {
        let without_audit = environment.iter().all(|(name, _)| *name != "DDNS_AUDIT_INTERVAL_SECS");
        let audit = without_audit.then_some(&("DDNS_AUDIT_INTERVAL_SECS", "0"));
        let environment =
            environment.iter().chain(audit).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut settings = Settings::new(environment, &[VARIABLES, &[SERVER]].concat(), &NoFiles);
        let mut config = Config::read(&mut settings);
        config.recovery.plug = plug;
        let (_, problems) = settings.finish();
        assert!(problems.is_empty(), "{problems:?}");
        let now = Instant::from_nanos(1_000_000_000_000);
        let engine = Engine::new(&config, |_, _| true, start(None, now));
        let mut bench = Self {
            config,
            engine,
            now,
            api: Sets::new(),
            dns: Sets::new(),
            calls: Vec::new(),
            pending: VecDeque::new(),
            log: Vec::new(),
            saved: None,
            saves: 0,
            probes: 0,
            watches: 0,
            name_servers: Vec::new(),
            authority_calls: 0,
            looks_again: 0,
            held: Vec::new(),
            most_provider_calls_at_once: 0,
            fails: None,
            fail_times: None,
            fail_name: None,
            lag: false,
            wan: true,
            most_targets_down: false,
            proxied: false,
            store_fails: false,
            reads_fail: false,
            unreadable: false,
            store_hangs: false,
            hangs: None,
            ttls: Vec::new(),
            hanging: None,
            plug_on: true,
            orders: Vec::new(),
        };
        bench.step(Event::Started);
        bench.settle();
        bench
    }

    /// The process ends and starts again, with this state on disk.
    pub fn restart(&mut self, saved: Option<SavedState>) {
        self.engine = Engine::new(&self.config, |_, _| true, start(saved, self.now));
        self.pending.clear();
        self.step(Event::Started);
        self.settle();
    }

    /// The host holds exactly these addresses.
    pub fn addresses(&mut self, held: &[&str]) {
        let held: Vec<_> = held.iter().map(|address| ("wan0", *address)).collect();
        self.told(SourceId(0), &held);
    }

    /// Connections make no progress; the addresses are as before.
    pub fn distress(&mut self, held: &[&str]) {
        let held: Vec<_> = held.iter().map(|address| ("wan0", *address)).collect();
        let distress = Some(Distress { retransmissions: 3, resets: 0 });
        self.news(SourceId(0), &held, Hint { distress, ..Hint::new("model", self.now, 0) });
    }

    /// A source tells these addresses of these interfaces.
    pub fn told(&mut self, source: SourceId, held: &[(&str, &str)]) {
        self.news(source, held, Hint::new("model", self.now, 1));
    }

    /// A source that asks others has this to tell.
    pub fn discovered(&mut self, event: IpChangeEvent) {
        self.step(Event::Addresses { source: SourceId(0), event });
        self.settle();
    }

    pub fn hint(&self) -> Hint {
        Hint::new("model", self.now, 1)
    }

    fn news(&mut self, source: SourceId, held: &[(&str, &str)], hint: Hint) {
        let held = held.iter().map(|(interface, address)| InterfaceAddress {
            index: 2,
            interface: (*interface).into(),
            address: address.parse().unwrap(),
            prefix_len: 24,
            flags: AddressFlags::default(),
            link_up: true,
        });
        let event = IpChangeEvent::new(Snapshot::new(held.collect()), hint);
        self.step(Event::Addresses { source, event });
        self.settle();
    }

    /// The save that hangs ends after all.
    pub fn save_ends(&mut self) {
        self.saved = self.hanging.take();
        self.step(Event::Saved(Ok(())));
        self.settle();
    }

    pub fn source_ends(&mut self, source: SourceId) {
        self.step(Event::SourceFailed { source, what: "the end".into() });
        self.settle();
    }

    /// Lets time pass, deadline by deadline.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut steps = 0;
        while let Some(deadline) = self.engine.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.step(Event::Tick);
            self.settle();
            steps += 1;
            assert!(steps < 1_000_000, "the engine does not come to rest: {:?}", self.status());
        }
        self.now = end;
    }

    /// Time passes, and nobody looks.
    pub fn sleep(&mut self, duration: Duration) {
        self.now += duration;
        self.step(Event::Tick);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(action) = self.pending.pop_front() {
            let event = self.carry_out(action);
            event.into_iter().for_each(|event| self.step(event));
        }
    }

    fn step(&mut self, event: Event) {
        let wall = wall(self.now);
        let Effects { persist, actions, transitions } = self.engine.step(self.now, wall, event);
        self.log.extend(transitions);
        self.pending.extend(actions);
        let first = |id: &ProviderId| *id == ProviderId(0);
        let provider = |action: &&Action| matches!(action, Action::Read { provider, .. } | Action::Update { provider, .. } if first(provider));
        let at_once = self.pending.iter().filter(provider).count();
        self.most_provider_calls_at_once = self.most_provider_calls_at_once.max(at_once);
        if let Some(state) = persist {
            if self.store_hangs {
                self.hanging = Some(state);
                return;
            }
            let result = if self.store_fails {
                Err(SaveError { what: "no".into(), cause: "the disk is full".into() })
            } else {
                assert_ne!(self.saved.as_ref(), Some(&state), "saved without a change");
                self.saves += 1;
                self.saved = Some(state);
                Ok(())
            };
            self.step(Event::Saved(result));
        }
    }

    fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Watch { .. } => {
                self.watches += 1;
                None
            }
            Action::LookAgain { .. } => {
                self.looks_again += 1;
                None
            }
            Action::AddressesHeld(held) => {
                self.held.push(held);
                None
            }
            Action::CloseIdle => None,
            Action::Plug { order, .. } => {
                self.orders.push(order);
                match order {
                    PlugOrder::Look => {}
                    PlugOrder::Off { .. } => self.plug_on = false,
                    PlugOrder::On => self.plug_on = true,
                }
                Some(Event::Plug(Ok(PlugReport { on: self.plug_on, device: Some("a1".into()) })))
            }
            Action::Probe => {
                self.probes += 1;
                let error = (!self.wan).then(|| "no answer".to_owned());
                let mut targets = vec![TargetReport::new("t", None, error)];
                if self.most_targets_down {
                    let down = |name: &str| TargetReport::new(name, None, Some("no answer".to_owned()));
                    targets.extend(["u", "v"].map(down));
                }
                if self.config.recovery.plug.is_some() {
                    let target = |name: &str| TargetReport {
                        family: Some(Family::V4),
                        target: name.into(),
                        ..targets[0].clone()
                    };
                    targets = ["11.0.0.1:443", "11.0.0.2:443"].map(target).into();
                }
                let lan = Some(LanReport { carrier: Some(true), routers: Vec::new() });
                Some(Event::Probed(PathReport { targets, lan }))
            }
            Action::Resolve { whom: Whom::Authorities, record, key, ask, .. } => {
                let addresses = self.zone(&key.to_string());
                let answer = |addresses: &BTreeSet<IpAddr>| {
                    Ok(Answer { addresses: addresses.clone(), ttl: Duration::from_secs(300) })
                };
                let votes = self.name_servers.iter().map(|server| {
                    let answer = match server {
                        NameServer::Serves => answer(&addresses),
                        NameServer::Lags(old) => answer(&BTreeSet::from([old.parse().unwrap()])),
                        NameServer::Silent => Err(LookupError::NoAnswer { cause: "time-out".into() }),
                    };
                    Vote { resolver: "ns".into(), answer }
                });
                let votes = votes.collect();
                self.authority_calls += 1;
                Some(Event::Resolved { record, ask, votes })
            }
            Action::Resolve { record, key, ask, .. } => {
                self.calls.push(Call::Resolve);
                let addresses = self.dns.get(&key.to_string()).cloned().unwrap_or_default();
                let answer = Ok(Answer { addresses, ttl: Duration::from_secs(300) });
                Some(Event::Resolved { record, ask, votes: vec![Vote { resolver: "r".into(), answer }] })
            }
            Action::Read { provider, .. } | Action::Update { provider, .. } if self.hangs == Some(provider) => None,
            Action::Read { record, key, .. } => {
                self.calls.push(Call::Read);
                Some(Event::Read { record, result: self.read(&key) })
            }
            Action::Update { record, request, .. } => {
                self.ttls.push(request.ttl);
                self.calls.push(Call::Attempt);
                Some(Event::Updated { record, result: self.update(&request) })
            }
        }
    }

    fn zone(&self, key: &str) -> BTreeSet<IpAddr> {
        self.api.get(key).cloned().unwrap_or_default()
    }

    fn read(&self, key: &RecordKey) -> Result<Observed, ProviderError> {
        let class = matches!(self.fails, Some(Fails::Unreachable | Fails::Unavailable(_) | Fails::Unauthorized));
        let failing = class || (self.reads_fail && self.fails.is_some());
        if failing && self.concerns(key) {
            return Err(error(self.fails.unwrap()));
        }
        if self.unreadable {
            return Err(ProviderError::Unreadable);
        }
        let addresses = self.api.get(&key.to_string()).cloned().unwrap_or_default();
        let handle = (addresses.len() == 1).then(|| RecordHandle(format!("h/{key}")));
        Ok(Observed { addresses, proxied: self.proxied, handle })
    }

    fn update(&mut self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        if let Some(fails) = self.fails.filter(|_| self.concerns(&request.key)) {
            if let Some(times) = &mut self.fail_times {
                *times -= 1;
                if *times == 0 {
                    (self.fails, self.fail_times) = (None, None);
                }
            }
            if matches!(fails, Fails::Unknown { applied: true }) {
                self.apply(request);
            }
            return Err(error(fails));
        }
        let kind =
            if self.api.contains_key(&request.key.to_string()) { UpdateKind::Changed } else { UpdateKind::Created };
        self.apply(request);
        self.calls.push(Call::Write(request.key.name.to_string(), request.address.to_string()));
        let handle = (!self.unreadable).then(|| RecordHandle(format!("h/{}", request.key)));
        Ok(UpdateResult { kind, proxied: self.proxied, handle })
    }

    fn apply(&mut self, request: &UpdateRequest) {
        let set = BTreeSet::from([request.address]);
        if !self.lag {
            self.dns.insert(request.key.to_string(), set.clone());
        }
        self.api.insert(request.key.to_string(), set);
    }

    fn concerns(&self, key: &RecordKey) -> bool {
        self.fail_name.as_deref().is_none_or(|name| name == key.name.as_str())
    }

    pub fn history(&self) -> History {
        self.engine.history()
    }

    /// The driver tells something, and what follows is done.
    pub fn tell(&mut self, event: Event) {
        self.step(event);
        self.settle();
    }

    pub fn status(&self) -> Status {
        self.engine.status()
    }

    /// Forgets what happened, not what is.
    pub fn forget(&mut self) {
        self.calls.clear();
        self.log.clear();
        (self.saves, self.authority_calls) = (0, 0);
    }

    pub fn api_holds(&mut self, name: &str, rtype: &str, address: &str) {
        self.api.insert(format!("{name} {rtype}"), BTreeSet::from([address.parse().unwrap()]));
        self.dns_shows(name, rtype, &[address]);
    }

    pub fn dns_shows(&mut self, name: &str, rtype: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.dns.insert(format!("{name} {rtype}"), addresses);
    }

    pub fn api(&self, name: &str, rtype: &str) -> Vec<String> {
        self.api.get(&format!("{name} {rtype}")).into_iter().flatten().map(ToString::to_string).collect()
    }

    /// The addresses that were written, in order.
    pub fn writes(&self) -> Vec<String> {
        self.calls
            .iter()
            .filter_map(|call| if let Call::Write(_, to) = call { Some(to.clone()) } else { None })
            .collect()
    }

    /// The names that were written, in order.
    pub fn written_names(&self) -> Vec<String> {
        self.calls
            .iter()
            .filter_map(|call| if let Call::Write(name, _) = call { Some(name.clone()) } else { None })
            .collect()
    }

    pub fn attempts(&self) -> usize {
        self.calls.iter().filter(|call| matches!(call, Call::Attempt)).count()
    }

    pub fn reads(&self) -> usize {
        self.calls.iter().filter(|call| matches!(call, Call::Read)).count()
    }

    pub fn resolved(&self) -> usize {
        self.calls.iter().filter(|call| matches!(call, Call::Resolve)).count()
    }
}

fn start(saved: Option<SavedState>, now: Instant) -> Start {
    Start { saved, not_durable: None, resolvers: 1, seed: 7, now, wall: wall(now) }
}

fn wall(now: Instant) -> Wall {
    Wall::from_millis(1_700_000_000_000 + now.as_nanos() / 1_000_000)
}

fn error(fails: Fails) -> ProviderError {
    let what = "the model says so".to_owned();
    match fails {
        Fails::Unreachable => ProviderError::Unreachable { what, cause: None },
        Fails::Unavailable(seconds) => {
            ProviderError::Unavailable { what, retry_after: seconds.map(Duration::from_secs), cause: None }
        }
        Fails::Unauthorized => ProviderError::Unauthorized { what },
        Fails::Refused => ProviderError::Refused { what },
        Fails::Unknown { .. } => ProviderError::Unknown { what, cause: None },
        Fails::Stale => ProviderError::Stale { what },
    }
}
