//! The composition of the machines: one pure step for everything that happens.

mod effects;
mod family;
mod record;
mod retrying;
mod status;

use std::net::IpAddr;
use std::time::Duration;

pub use effects::{Action, Effects, Event, RecordId, Stage, Transition};
pub use status::{RecordStatus, Status};

use crate::address::{Family, Hint, IpChangeEvent, Snapshot};
use crate::backoff::Jitter;
use crate::config::{Config, RecordSpec};
use crate::readiness::{Readiness, ReadinessMachine};
use crate::record::RecordKey;
use crate::state::SavedState;
use crate::time::{Instant, Wall};
use family::FamilyState;
use record::Record;
use retrying::Retrying;

/// At most one warning about folded announcements in this time.
const FOLDED_WARNING: Duration = Duration::from_secs(60);
/// A save that takes longer than this hangs.
const SAVE_HANGS: Duration = Duration::from_secs(10);
const SAVE_HANGS_SAID: &str = "the disk has not answered for 10 seconds";
/// Folded announcements worth a warning.
const FOLDED_MANY: u64 = 100;

/// Decides. It is told what happened and what time it is, and says what to save, what to do and what has changed; it
/// never blocks, never fails and reads no clock. The same events give the same effects.
#[derive(Debug)]
pub struct Engine {
    dry_run: bool,
    durable: bool,
    interface: Option<String>,
    resolvers: usize,
    records: Vec<Record>,
    families: [FamilyState; 2],
    snapshot: Option<Snapshot>,
    hint: Option<Hint>,
    readiness: ReadinessMachine,
    reached: bool,
    source: Retrying,
    store: Retrying,
    saved: SavedState,
    saving_since: Option<Instant>,
    provider_busy: bool,
    in_flight: u32,
    connections_kept: bool,
    folded: u64,
    folded_warned: Option<(Instant, u64)>,
    converged: bool,
    draining: bool,
    jitter: Jitter,
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
    /// An engine for these records; `supports` is the provider's word on each of them.
    pub fn new(config: &Config, supports: impl Fn(&RecordKey) -> bool, start: Start) -> Self {
        let saved = start.saved.unwrap_or_default();
        let record = |spec: &RecordSpec| {
            let before = saved.records.get(&spec.key.to_string());
            let since = |at: Wall| start.wall.saturating_since(at).min(config.pace.min_interval);
            let written_at = before.and_then(|before| before.written_at).map(|at| start.now - since(at));
            Record::new(spec.clone(), supports(&spec.key), config.pace, before, written_at)
        };
        Self {
            dry_run: config.dry_run,
            durable: start.not_durable.is_none() && !config.dry_run,
            interface: config.interface.clone(),
            resolvers: start.resolvers,
            records: config.records.iter().map(record).collect(),
            families: Family::ALL.map(|family| FamilyState::new(family, config.settle)),
            snapshot: None,
            hint: None,
            readiness: ReadinessMachine::new(config.probe_interval),
            reached: false,
            source: Retrying::at(start.now + config.startup_delay),
            store: Retrying::given_up(start.not_durable),
            saved,
            saving_since: None,
            provider_busy: false,
            in_flight: 0,
            connections_kept: false,
            folded: 0,
            folded_warned: None,
            converged: false,
            draining: false,
            jitter: Jitter::new(start.seed),
            now: start.now,
            wall: start.wall,
        }
    }

    /// Takes note of what happened and says what follows.
    pub fn step(&mut self, now: Instant, wall: Wall, event: Event) -> Effects {
        self.now = self.now.max(now);
        self.wall = wall;
        let mut effects = Effects::default();
        let readiness_before = self.readiness.state();
        match event {
            Event::Started => self.started(&mut effects),
            Event::Addresses(event) => self.addresses(event, &mut effects),
            Event::SourceFailed { what } => {
                if self.source.failed(self.now, what.clone(), &mut self.jitter) {
                    effects.transitions.push(Transition::SourceFailed { what });
                }
            }
            Event::Resolved { record, ask, votes } => self.resolved(record, ask, &votes, &mut effects),
            Event::Read { record, result } => self.read(record, &result, &mut effects),
            Event::Updated { record, result } => self.updated(record, result, &mut effects),
            Event::Probed(report) => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.readiness.probed(self.now, &report, &mut self.jitter);
                self.readiness_follows(readiness_before, &report);
            }
            Event::Saved(result) => self.saved(result.err(), &mut effects),
            Event::Tick => {}
            Event::Shutdown => self.draining = true,
        }
        self.advance(&mut effects);
        let (from, to) = (readiness_before, self.readiness.state());
        if from != to {
            effects.transitions.push(Transition::Readiness { from, to });
        }
        effects
    }

    /// The time at which [`Event::Tick`] is wanted next.
    pub fn deadline(&self) -> Option<Instant> {
        if self.draining {
            return None;
        }
        let free = !self.provider_busy;
        let records = self.records.iter().filter_map(|record| record.deadline(free)).min();
        let families = self.families.iter().filter_map(FamilyState::deadline).min();
        let save = self.store.deadline().filter(|_| self.durable && self.saving_since.is_none());
        let hang = self.saving_since.filter(|_| self.store.error().is_none()).map(|since| since + SAVE_HANGS);
        [records, families, save, hang, self.source.deadline(), self.readiness.deadline()].into_iter().flatten().min()
    }

    fn started(&self, effects: &mut Effects) {
        if let Some(error) = self.store.error() {
            effects.transitions.push(Transition::StoreFailed { what: error.clone() });
        }
        for record in self.records.iter().filter(|record| !record.supported) {
            effects.transitions.push(Transition::Unsupported { key: record.key().clone() });
        }
    }

    fn addresses(&mut self, event: IpChangeEvent, effects: &mut Effects) {
        if self.source.worked() {
            effects.transitions.push(Transition::SourceRestored);
        }
        self.count_folded(&event.hint, effects);
        self.hint = Some(event.hint);
        if self.snapshot.as_ref() == Some(&event.snapshot) {
            return;
        }
        let gone = self.snapshot.as_ref().is_some_and(|before| {
            let held = |address: &IpAddr| event.snapshot.addresses().iter().any(|now| now.address == *address);
            before.addresses().iter().any(|before| !held(&before.address))
        });
        if gone && self.connections_kept {
            let held = event.snapshot.addresses().iter().map(|held| held.address).collect();
            effects.actions.push(Action::AddressesHeld(held));
        }
        let mut changed = self.snapshot.is_none();
        let mut adopt = [false; 2];
        for (state, adopt) in self.families.iter_mut().zip(&mut adopt) {
            let wanted = self.records.iter().any(|record| record.spec.required && record.family() == state.family);
            let seen = state.observe(self.now, &event.snapshot, self.interface.as_deref(), wanted);
            changed |= seen.changed;
            *adopt = seen.adopt;
        }
        self.snapshot = Some(event.snapshot);
        for (index, _) in adopt.into_iter().enumerate().filter(|(_, adopt)| *adopt) {
            self.adopt(index, effects);
        }
        if changed {
            self.readiness.addresses_changed(self.now);
            for record in &mut self.records {
                record.publish.nudge(self.now);
            }
        }
    }

    fn count_folded(&mut self, hint: &Hint, effects: &mut Effects) {
        self.folded += u64::from(hint.announcements.saturating_sub(1));
        let (last, told) = self.folded_warned.unwrap_or((Instant::default(), 0));
        let calm = self.folded_warned.is_none() || self.now.saturating_since(last) >= FOLDED_WARNING;
        if calm && self.folded - told >= FOLDED_MANY {
            effects.transitions.push(Transition::Folded { announcements: self.folded - told });
            self.folded_warned = Some((self.now, self.folded));
        }
    }

    fn adopt(&mut self, index: usize, effects: &mut Effects) {
        let state = &mut self.families[index];
        let family = state.family;
        let Some((address, news)) = state.adopt(self.hint) else { return };
        effects.transitions.push(news);
        for record in self.records.iter_mut().filter(|record| record.family() == family && record.supported) {
            record.desire(self.now, address);
        }
    }

    fn resolved(&mut self, id: RecordId, ask: u64, votes: &[crate::ports::Vote], effects: &mut Effects) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let (now, resolvers) = (self.now, self.resolvers);
        if let Some(record) = self.records.get_mut(id.0) {
            record.resolved(now, ask, votes, resolvers, &mut self.jitter, &mut effects.transitions);
        }
    }

    fn read(&mut self, id: RecordId, result: &effects::ReadResult, effects: &mut Effects) {
        self.provider_done();
        let now = self.now;
        if let Some(record) = self.records.get_mut(id.0) {
            record.read(now, result, &mut self.jitter, &mut effects.transitions);
        }
    }

    fn updated(&mut self, id: RecordId, result: effects::UpdatedResult, effects: &mut Effects) {
        self.provider_done();
        let now = self.now;
        if let Some(record) = self.records.get_mut(id.0) {
            record.updated(now, result, &mut self.jitter, &mut effects.transitions);
        }
    }

    fn provider_done(&mut self) {
        self.provider_busy = false;
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    fn saved(&mut self, error: Option<crate::ports::SaveError>, effects: &mut Effects) {
        self.saving_since = None;
        match error {
            None => {
                if self.store.worked() {
                    effects.transitions.push(Transition::StoreRestored);
                }
            }
            Some(error) => {
                let what = crate::error_chain(&error);
                if self.store.failed(self.now, what.clone(), &mut self.jitter) {
                    effects.transitions.push(Transition::StoreFailed { what });
                }
            }
        }
    }

    /// An outage puts what we verified in doubt; its end is the time to look.
    fn readiness_follows(&mut self, before: Readiness, report: &crate::ports::PathReport) {
        let after = self.readiness.state();
        // Once: a way that is half open for hours must not make a storm of attempts.
        let reached = report.targets.iter().any(|(_, _, error)| error.is_none());
        let reached_again = reached && !std::mem::replace(&mut self.reached, reached)
            || (before != Readiness::Ready && after == Readiness::Ready);
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
        for index in 0..self.families.len() {
            if self.families[index].settled(self.now) {
                self.adopt(index, effects);
            }
            let state = &mut self.families[index];
            effects.transitions.extend(state.tell_unavailable(self.now));
            for record in self.records.iter_mut().filter(|record| record.family() == state.family) {
                record.lost = state.lost();
            }
        }
        if !self.draining {
            self.act(effects);
        }
        let wants = self.records.iter().any(|record| record.wants_provider(self.now));
        if self.connections_kept && self.in_flight == 0 && !wants {
            self.connections_kept = false;
            effects.actions.push(Action::CloseIdle);
        }
        self.persist(effects);
        let converged = self.converged();
        if converged != self.converged {
            self.converged = converged;
            effects.transitions.push(Transition::Converged(converged));
        }
    }

    fn act(&mut self, effects: &mut Effects) {
        if self.source.due(self.now) {
            effects.actions.push(Action::Watch);
        }
        if self.readiness.due(self.now) {
            self.readiness.begin(self.now);
            self.send(Action::Probe, effects);
        }
        for index in 0..self.records.len() {
            let (id, free, told) = (RecordId(index), !self.provider_busy, &mut effects.transitions);
            let action = self.records[index].provider_action(id, self.now, self.dry_run, free, told);
            self.records[index].tell_deferred(told);
            if let Some(action) = action {
                self.provider_busy = true;
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

    fn persist(&mut self, effects: &mut Effects) {
        if let Some(since) = self.saving_since {
            let hangs = self.now.saturating_since(since) >= SAVE_HANGS;
            if hangs && self.store.hangs(SAVE_HANGS_SAID) {
                effects.transitions.push(Transition::StoreFailed { what: SAVE_HANGS_SAID.to_owned() });
            }
            return;
        }
        if !self.durable {
            return;
        }
        let retry = self.store.due(self.now);
        if self.store.error().is_some() && !retry {
            return;
        }
        let mut changed = retry;
        for record in &mut self.records {
            changed |= record.save_into(&mut self.saved, self.now, self.wall);
        }
        if changed {
            self.saving_since = Some(self.now);
            effects.persist = Some(self.saved.clone());
        }
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
            converged: self.converged(),
            records: self.records.iter().map(Record::status).collect(),
            rung: self.hint.map(|hint| hint.rung),
            source_error: self.source.error().cloned(),
            store_error: self.store.error().cloned(),
            folded: self.folded,
        }
    }

    /// Whether nothing is under way that a shutdown should wait for.
    pub const fn idle(&self) -> bool {
        self.in_flight == 0 && self.saving_since.is_none()
    }
}
