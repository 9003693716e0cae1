//! An engine and a model of its world, in which time is a number and every answer takes a while.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use ddns_core::address::{AddressFlags, Hint, InterfaceAddress, IpChangeEvent, Snapshot};
use ddns_core::config::{Config, SecretFile, SecretFiles, Settings, SourceId, VARIABLES};
use ddns_core::engine::{Action, Effects, Engine, Event, Start};
use ddns_core::ports::{Answer, Observed, PathReport, RecordHandle, TargetReport, UpdateKind, UpdateResult, Vote};
use ddns_core::time::{Instant, Wall};

struct NoFiles;

impl SecretFiles for NoFiles {
    fn read(&self, _path: &std::path::Path) -> std::io::Result<SecretFile> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// The engine, and what the world around it holds.
pub struct World {
    /// The engine itself, for a step whose effects are looked at or thrown away.
    pub engine: Engine,
    /// What time it is.
    pub now: Instant,
    /// Steps so far.
    pub steps: u64,
    /// Writes so far.
    pub updates: u64,
    /// The least time between two writes of one record.
    pub closest: Duration,
    latency: Duration,
    records: Vec<Kept>,
    under_way: VecDeque<(Instant, Event)>,
}

#[derive(Default)]
struct Kept {
    addresses: BTreeSet<IpAddr>,
    written_at: Option<Instant>,
}

impl World {
    /// A host that has held `address` for an hour under this many names: published, proven, saved.
    pub fn settled(records: usize, latency: Duration, address: u32) -> Self {
        let names: Vec<String> = (0..records).map(|number| format!("host-{number}.example.com:A")).collect();
        let environment = [("DDNS_RECORDS".to_owned(), names.join(","))];
        let mut settings = Settings::new(environment, VARIABLES, &NoFiles);
        let config = Config::read(&mut settings);
        assert_eq!(settings.finish().1, [], "the configuration is good");
        let now = Instant::from_nanos(1_000_000_000_000);
        let start = Start { saved: None, not_durable: None, resolvers: 1, seed: 7, now, wall: wall(now) };
        let mut world = Self {
            engine: Engine::new(&config, |_, _| true, start),
            now,
            steps: 0,
            updates: 0,
            closest: Duration::MAX,
            latency,
            records: (0..records).map(|_| Kept::default()).collect(),
            under_way: VecDeque::new(),
        };
        world.step(Event::Started);
        world.step(seen(now, address));
        world.run_for(Duration::from_secs(3600));
        assert!(world.engine.status().ready(), "{:?}", world.engine.status());
        world
    }

    /// Lets time pass, from one deadline or answer to the next.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let answer = self.under_way.front().map(|(at, _)| *at);
            let Some(next) = [answer, self.engine.deadline()].into_iter().flatten().min() else { break };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            let event = match answer.filter(|at| *at <= self.now).and_then(|_| self.under_way.pop_front()) {
                Some((_, event)) => event,
                None => Event::Tick,
            };
            self.step(event);
        }
        self.now = end;
    }

    /// One step and what follows from it.
    pub fn step(&mut self, event: Event) {
        let effects = self.engine.step(self.now, wall(self.now), event);
        self.carry_out(effects);
    }

    /// The answers to these effects are under way.
    pub fn carry_out(&mut self, effects: Effects) {
        self.steps += 1;
        if effects.persist.is_some() {
            self.answer(Event::Saved(Ok(())));
        }
        for action in effects.actions {
            match action {
                Action::Watch { .. } | Action::LookAgain { .. } | Action::AddressesHeld(_) | Action::CloseIdle => {}
                Action::Plug { .. } => unreachable!("no plug is configured"),
                Action::Probe => self
                    .answer(Event::Probed(PathReport { targets: vec![TargetReport::new("t", None, None)], lan: None })),
                Action::Resolve { record, ask, .. } => {
                    let addresses = self.records[record.0].addresses.clone();
                    let answer = Ok(Answer { addresses, ttl: Duration::from_secs(300) });
                    self.answer(Event::Resolved { record, ask, votes: vec![Vote { resolver: "r".into(), answer }] });
                }
                Action::Read { record, .. } => {
                    let addresses = self.records[record.0].addresses.clone();
                    let result = Ok(Observed { addresses, proxied: false, handle: handle() });
                    self.answer(Event::Read { record, result });
                }
                Action::Update { record, request, .. } => {
                    let kept = &mut self.records[record.0];
                    let since = kept.written_at.map_or(Duration::MAX, |at| self.now.saturating_since(at));
                    self.closest = self.closest.min(since);
                    self.updates += 1;
                    *kept = Kept { addresses: BTreeSet::from([request.address]), written_at: Some(self.now) };
                    let result = Ok(UpdateResult { kind: UpdateKind::Changed, proxied: false, handle: handle() });
                    self.answer(Event::Updated { record, result });
                }
            }
        }
    }

    fn answer(&mut self, event: Event) {
        self.under_way.push_back((self.now + self.latency, event));
    }

    /// Whether every record holds exactly this address.
    pub fn all_hold(&self, address: u32) -> bool {
        self.records.iter().all(|kept| kept.addresses.iter().eq([&IpAddr::from(address.to_be_bytes())]))
    }
}

fn handle() -> Option<RecordHandle> {
    Some(RecordHandle("0123456789abcdef/0123456789abcdef".into()))
}

/// The wall time of the model.
pub fn wall(now: Instant) -> Wall {
    Wall::from_millis(1_700_000_000_000 + now.as_nanos() / 1_000_000)
}

/// The news that the host holds exactly this address.
pub fn seen(now: Instant, address: u32) -> Event {
    let held = InterfaceAddress {
        index: 2,
        interface: "wan0".into(),
        address: IpAddr::from(address.to_be_bytes()),
        prefix_len: 24,
        flags: AddressFlags::default(),
        link_up: true,
    };
    let hint = Hint::new("model", now, 1);
    Event::Addresses { source: SourceId(0), event: IpChangeEvent::new(Snapshot::new(vec![held]), hint) }
}
