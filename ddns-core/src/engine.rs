//! The composition of the machines: one pure step for everything that happens.

mod addresses;
mod drift;
mod effects;
mod lane;
mod persist;
mod record;
mod retrying;
mod source;
mod stamp;
mod status;

use std::time::Duration;

pub use effects::{Action, Effects, Event, RecordId, Stage, Transition};
pub use status::{Next, NextStep, RecordStatus, SourceStatus, Status};

use crate::address::Family;
use crate::backoff::Jitter;
use crate::config::{Config, PluginChoice, ProviderId, RecordSpec, SourceId};
use crate::ports::{PathReport, TargetReport};
use crate::readiness::{Readiness, ReadinessMachine};
use crate::record::RecordKey;
use crate::recovery::{Around, Recovery};
use crate::state::SavedState;
use crate::time::{Instant, Wall};
use crate::uptime::{History, Uptime};
use lane::Lane;
use record::Record;
use retrying::Retrying;
use source::Source;

/// Later than any turn of a loop that is awake.
const ASLEEP: Duration = Duration::from_secs(30);

/// Decides. It is told what happened and what time it is, and says what to save, what to do and what has changed; it
/// never blocks, never fails and reads no clock. The same events give the same effects.
#[derive(Debug)]
pub struct Engine {
    dry_run: bool,
    durable: bool,
    resolvers: usize,
    records: Vec<Record>,
    lanes: Vec<Lane>,
    sources: Vec<Source>,
    readiness: ReadinessMachine,
    readiness_since: Wall,
    recovery: Recovery,
    uptime: Uptime,
    reached: bool,
    ever_reached: bool,
    store: Retrying,
    saved: SavedState,
    saving_since: Option<Instant>,
    /// The save under way holds the intent to switch a plug off.
    saving_intent: bool,
    busy: Vec<bool>,
    in_flight: u32,
    connections_kept: bool,
    audit: Option<Duration>,
    audit_at: Option<Instant>,
    folded: u64,
    folded_warned: Option<(Instant, u64)>,
    converged: bool,
    draining: bool,
    jitter: Jitter,
    started: Wall,
    now: Instant,
    wall: Wall,
}

/// What the engine starts from, beside its configuration.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// The state saved last.
    pub saved: Option<SavedState>,
    /// Why nothing is to be saved: the state that is there could not be read and must not be overwritten.
    pub not_durable: Option<String>,
    /// How many resolvers the verifier asks.
    pub resolvers: usize,
    /// Seeds the jitter.
    pub seed: u64,
    /// The monotonic time.
    pub now: Instant,
    /// The wall time.
    pub wall: Wall,
}

impl Engine {
    /// An engine for these records; `supports` is the word of a record's provider on it.
    pub fn new(config: &Config, supports: impl Fn(ProviderId, &RecordKey) -> bool, start: Start) -> Self {
        let saved = start.saved.unwrap_or_default();
        let mut lanes = Vec::new();
        let record = |spec: &RecordSpec| {
            let lane = lane_of(spec, config.settle, &mut lanes);
            let before = saved.records.get(&spec.key.to_string());
            let supported = supports(spec.provider, &spec.key);
            Record::new(spec.clone(), lane, supported, config.pace, config.drift, before, (start.now, start.wall))
        };
        let records = config.records.iter().map(record).collect();
        let first = start.now + config.startup_delay;
        let source = |choice: &PluginChoice| Source::new(choice.name.clone(), first);
        Self {
            dry_run: config.dry_run,
            durable: start.not_durable.is_none() && !config.dry_run,
            resolvers: start.resolvers,
            records,
            lanes,
            sources: config.sources.iter().map(source).collect(),
            readiness: ReadinessMachine::new(config.probe_interval),
            readiness_since: start.wall,
            recovery: Recovery::new(config.recovery.clone(), config.dry_run, &saved.recovery, start.now, start.wall),
            uptime: Uptime::new(saved.history.clone(), start.now, start.wall),
            reached: false,
            ever_reached: false,
            store: Retrying::given_up(start.not_durable),
            saved,
            saving_since: None,
            saving_intent: false,
            busy: vec![false; config.providers.len()],
            in_flight: 0,
            connections_kept: false,
            audit: config.audit_interval,
            audit_at: config.audit_interval.map(|audit| first + audit),
            folded: 0,
            folded_warned: None,
            converged: false,
            draining: false,
            jitter: Jitter::new(start.seed),
            started: start.wall,
            now: start.now,
            wall: start.wall,
        }
    }

    /// Takes note of what happened and says what follows.
    pub fn step(&mut self, now: Instant, wall: Wall, event: Event) -> Effects {
        let mut effects = Effects::default();
        let late = self.asleep_for(now);
        if late.is_some() {
            self.doubt_all();
        }
        self.now = self.now.max(now);
        self.wall = wall;
        self.uptime.pass(self.now, wall, late.unwrap_or_default());
        let readiness_before = self.readiness.state();
        match event {
            Event::Started => self.started(&mut effects),
            Event::Addresses { source, event } => self.addresses(source, event, &mut effects),
            Event::SourceFailed { source, what } => self.source_failed(source, what, &mut effects),
            Event::Resolved { record, ask, votes } => self.resolved(record, ask, &votes, &mut effects),
            Event::Read { record, result } => self.read(record, &result, &mut effects),
            Event::Updated { record, result } => self.updated(record, result, &mut effects),
            // What nobody asked for says nothing of the line.
            Event::Probed(_) if !self.readiness.probing() => {}
            Event::Probed(report) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.recovery.probed(self.now, &report);
                self.readiness.probed(self.now, &report, &mut self.jitter);
                self.uptime.judged(self.readiness.state() == Readiness::Ready);
                self.readiness_follows(readiness_before, &report, &mut effects);
            }
            Event::Plug(result) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                let around = around(&self.readiness, &self.store, (self.now, self.wall), self.draining);
                self.recovery.told(around, result, &mut self.jitter, &mut effects.transitions);
            }
            Event::Saved(result) => self.saved(result.err(), &mut effects),
            Event::Tick => {}
            Event::Shutdown => {
                self.draining = true;
                self.uptime.end();
            }
        }
        if let Some(late) = late {
            self.woke(late, &mut effects);
        }
        self.advance(&mut effects);
        let (from, to) = (readiness_before, self.readiness.state());
        if from != to {
            self.readiness_since = self.wall;
            effects.transitions.push(Transition::Readiness { from, to });
        }
        self.uptime.observe(self.recovery.line(), &effects.transitions);
        self.persist(&mut effects);
        effects
    }

    /// The time at which [`Event::Tick`] is wanted next.
    pub fn deadline(&self) -> Option<Instant> {
        let recovery = self.recovery.deadline(self.draining);
        if self.draining {
            return recovery;
        }
        let records =
            self.records.iter().filter_map(|record| record.deadline(self.is_free(record.spec.provider))).min();
        let lanes = self.lanes.iter().filter_map(Lane::deadline).min();
        let sources = self.sources.iter().filter_map(|source| source.watching.deadline()).min();
        let mark = Some(self.uptime.deadline());
        let rest = [self.readiness.deadline(), self.audit_at, recovery, mark];
        [records, lanes, sources, self.save_deadline()].into_iter().chain(rest).flatten().min()
    }

    /// How late it is, if nobody came when something was due: the host slept.
    fn asleep_for(&self, now: Instant) -> Option<Duration> {
        if now.saturating_since(self.now) <= ASLEEP {
            return None;
        }
        self.deadline().map(|due| now.saturating_since(due)).filter(|late| *late > ASLEEP)
    }

    /// What was proven before the host slept may be so no more (FAULTS 13).
    fn woke(&mut self, late: Duration, effects: &mut Effects) {
        effects.transitions.push(Transition::Woke { late });
        self.readiness.addresses_changed(self.now);
        self.recovery.woke();
        self.look_again(effects);
        // What came late may be an answer from before.
        self.doubt_all();
        for record in &mut self.records {
            record.look_again(self.now);
        }
    }

    /// Sources that ask others may have asked in vain, or have heard what is true no more.
    fn look_again(&self, effects: &mut Effects) {
        let all = (0..self.sources.len()).map(SourceId);
        effects.actions.extend(all.map(|source| Action::LookAgain { source }));
    }

    fn doubt_all(&mut self) {
        self.records.iter_mut().for_each(|record| record.certain = false);
    }

    fn started(&self, effects: &mut Effects) {
        if let Some(error) = self.store.error() {
            effects.transitions.push(Transition::StoreFailed { what: error.clone() });
        }
        for record in self.records.iter().filter(|record| !record.supported) {
            effects.transitions.push(Transition::Unsupported { key: record.key().clone() });
        }
    }

    fn is_free(&self, provider: ProviderId) -> bool {
        self.busy.get(provider.0) == Some(&false)
    }

    fn resolved(&mut self, id: RecordId, ask: u64, votes: &[crate::ports::Vote], effects: &mut Effects) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let (now, resolvers) = ((self.now, self.wall), self.resolvers);
        if let Some(record) = self.records.get_mut(id.0) {
            record.resolved(now, ask, votes, resolvers, &mut self.jitter, &mut effects.transitions);
        }
    }

    fn read(&mut self, id: RecordId, result: &effects::ReadResult, effects: &mut Effects) {
        let now = (self.now, self.wall);
        if let Some(record) = self.records.get_mut(id.0) {
            record.read(now, result, &mut self.jitter, &mut effects.transitions);
            self.provider_done(id);
        }
    }

    fn updated(&mut self, id: RecordId, result: effects::UpdatedResult, effects: &mut Effects) {
        let now = self.now;
        if let Some(record) = self.records.get_mut(id.0) {
            record.updated(now, result, &mut self.jitter, &mut effects.transitions);
            self.provider_done(id);
        }
    }

    /// A record's provider has answered. If it asked for patience, that holds for all its records (FAULTS 36).
    fn provider_done(&mut self, id: RecordId) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let (provider, until) = (self.records[id.0].spec.provider, self.records[id.0].publish.asked_until());
        self.busy[provider.0] = false;
        for record in self.records.iter_mut().filter(|record| record.spec.provider == provider) {
            record.publish.be_patient(self.now, until);
        }
    }

    /// An outage puts what we verified in doubt; its end is the time to look.
    fn readiness_follows(&mut self, before: Readiness, report: &PathReport, effects: &mut Effects) {
        let after = self.readiness.state();
        let reached = report.targets.iter().any(TargetReport::reached);
        let reached_before = std::mem::replace(&mut self.reached, reached);
        if reached && !reached_before && before == Readiness::NotReady {
            self.look_again(effects);
        }
        // Once: a way that is half open for hours must not make a storm of attempts.
        let reached_at_last = reached && !self.ever_reached;
        self.ever_reached |= reached;
        let reached_again = reached_at_last || (before != Readiness::Ready && after == Readiness::Ready);
        for record in &mut self.records {
            if before == Readiness::Ready && after == Readiness::NotReady {
                record.certain = false;
            }
            if reached_again {
                record.publish.nudge(self.now);
            }
            if before == Readiness::NotReady && after == Readiness::Ready {
                record.look_again(self.now);
            }
        }
    }

    fn advance(&mut self, effects: &mut Effects) {
        for index in 0..self.lanes.len() {
            if self.lanes[index].settled(self.now) {
                self.adopt(index, effects);
            }
            let lane = &mut self.lanes[index];
            effects.transitions.extend(lane.tell_unavailable(self.now));
            for record in self.records.iter_mut().filter(|record| record.lane == index) {
                record.lost = lane.lost();
            }
        }
        if !self.draining {
            self.act(effects);
        }
        let around = around(&self.readiness, &self.store, (self.now, self.wall), self.draining);
        if let Some((plug, order)) = self.recovery.advance(around, &mut effects.transitions) {
            self.send(Action::Plug { plug, order }, effects);
        }
        if self.recovery.settles() {
            self.readiness.hurry();
        }
        let wants = self.records.iter().any(|record| record.wants_provider(self.now));
        if self.connections_kept && self.in_flight == 0 && !wants {
            self.connections_kept = false;
            effects.actions.push(Action::CloseIdle);
        }
        let converged = self.converged();
        if converged != self.converged {
            self.converged = converged;
            effects.transitions.push(Transition::Converged(converged));
        }
    }

    fn act(&mut self, effects: &mut Effects) {
        for (index, source) in self.sources.iter_mut().enumerate() {
            if source.watching.due(self.now) {
                effects.actions.push(Action::Watch { source: SourceId(index) });
            }
        }
        if self.readiness.due(self.now) {
            self.readiness.begin(self.now);
            self.send(Action::Probe, effects);
        }
        if let Some(audit) = self.audit.filter(|_| self.audit_at.is_some_and(|at| at <= self.now)) {
            self.audit_at = Some(self.now + self.jitter.spread(audit));
            self.records.iter_mut().for_each(|record| record.audit(self.now));
        }
        for index in 0..self.records.len() {
            let provider = self.records[index].spec.provider;
            let (id, free, told) = (RecordId(index), self.is_free(provider), &mut effects.transitions);
            let action = self.records[index].provider_action(id, self.now, self.dry_run, free, told);
            self.records[index].tell_deferred(told);
            if let Some(action) = action {
                self.busy[provider.0] = true;
                self.send(action, effects);
            }
        }
        for index in 0..self.records.len() {
            let quorum = crate::verify::quorum(self.resolvers);
            if let Some(action) = self.records[index].verifier_action(RecordId(index), self.now, quorum) {
                self.send(action, effects);
            }
        }
    }

    fn send(&mut self, action: Action, effects: &mut Effects) {
        self.in_flight += 1;
        self.connections_kept = true;
        effects.actions.push(action);
    }

    /// Whether all is right: of every name at least one record is proven, and none is wrong.
    fn converged(&self) -> bool {
        // The two records of a bare name stand beside each other.
        let twin = |index: usize| {
            let name = &self.records[index].key().name;
            let beside = [index.checked_sub(1), Some(index + 1)].into_iter().flatten();
            beside
                .filter_map(|index| self.records.get(index))
                .any(|other| other.key().name == *name && other.converged())
        };
        let fine = |(index, record): (usize, &Record)| {
            record.converged() || (!record.spec.required && record.untouched() && twin(index))
        };
        !self.records.is_empty() && self.records.iter().enumerate().all(fine)
    }

    /// The state of everything, for views.
    pub fn status(&self) -> Status {
        Status {
            readiness: self.readiness.state(),
            since: self.readiness_since,
            started: self.started,
            line: self.recovery.line().cloned(),
            converged: self.converged(),
            records: self.records.iter().map(|record| record.status(self.audit_at, self.draining)).collect(),
            sources: self.sources.iter().map(Source::status).collect(),
            recovery: self.recovery.status(self.now),
            durable: self.durable && self.store.error().is_none(),
            store_error: self.store.error().cloned(),
            folded: self.folded,
        }
    }

    /// What was counted.
    pub fn history(&self) -> History {
        self.uptime.history()
    }

    /// Whether nothing is under way that a shutdown should wait for.
    pub const fn idle(&self) -> bool {
        self.in_flight == 0 && self.saving_since.is_none() && !self.owes_power()
    }

    /// Whether power was taken from the router and is not known to be back.
    pub const fn owes_power(&self) -> bool {
        self.recovery.owes_power()
    }
}

/// What recovery has to know of the rest.
fn around<'a>(
    readiness: &ReadinessMachine,
    store: &'a Retrying,
    (now, wall): (Instant, Wall),
    ending: bool,
) -> Around<'a> {
    let not_durable = store.error().map(String::as_str);
    Around { now, wall, readiness: readiness.state(), not_durable, ending }
}

/// The lane that a record's address comes from. Both families of a source and interface have one, since a change of
/// either may open a way to the Internet.
fn lane_of(spec: &RecordSpec, pause: Duration, lanes: &mut Vec<Lane>) -> usize {
    let fits = |lane: &Lane| lane.source == spec.source && lane.interface == spec.interface;
    if !lanes.iter().any(fits) {
        lanes.extend(Family::ALL.map(|family| Lane::new(spec.source, family, spec.interface.clone(), pause)));
    }
    let family = spec.key.rtype.family();
    lanes.iter().position(|lane| fits(lane) && lane.family == family).unwrap_or_default()
}
