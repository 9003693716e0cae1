mod addresses;
mod power;
mod queue;
mod record;
mod turns;
mod way;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ddns_core::engine::{Action, Effects, Event, RecordId, Stage, Status, Transition};
use ddns_core::ports::{PlugOrder, ProviderError, UpdateRequest};
use ddns_core::publish::State;
use ddns_core::readiness::Readiness;
use ddns_core::recovery::RecoveryPhase;
use ddns_core::state::SavedState;
use ddns_core::time::{Instant, Wall};

use super::history::About;
use super::plan::Plan;
use super::provider::Provider;
use super::resolvers::{RESOLVERS, agreeing};
use addresses::Addresses;
use power::Power;
use queue::{Queue, saved_of};
use record::Record;
use way::Way;

const HOUR: Duration = Duration::from_secs(3600);
const SAVE_HANGS: Duration = Duration::from_secs(10);
/// Saved times are in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);
/// From the end of a cached answer to the next one: a question and the slowest answer.
const ASKS_AGAIN: Duration = Duration::from_secs(40);
/// The longest time between two undecided answers.
const UNDECIDED: Duration = Duration::from_secs(120);
/// The least time between two attempts at something that fails.
const ATTEMPTS: Duration = Duration::from_millis(700);

/// A broken invariant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
    /// The record that it is about, if it is one.
    pub about: About,
}

pub type Judged = Result<(), Violation>;

pub fn violated(invariant: &'static str, what: impl Into<String>) -> Judged {
    Err(Violation { invariant, what: what.into(), about: None })
}

/// Says which record a violation is about.
pub fn about(record: usize, judged: Judged) -> Judged {
    judged.map_err(|violation| Violation { about: Some(record), ..violation })
}

pub fn hold(fine: bool, invariant: &'static str, what: impl FnOnce() -> String) -> Judged {
    if fine { Ok(()) } else { violated(invariant, what()) }
}

/// Watches one engine after another from outside, and knows what each has been told.
pub struct Judge {
    plan: Rc<Plan>,
    records: Vec<Record>,
    addresses: Addresses,
    queues: Vec<Queue>,
    way: Way,
    power: Power,
    sources_failed: Vec<Option<Duration>>,
    save_failed: Option<Duration>,
    /// Since when, and the number of the save.
    saving: Option<(Duration, u64)>,
    /// The last save that the process knows to be on disk; `None`: the process has no memory and makes none.
    durable: Option<u64>,
    stopping: bool,
    asked: BTreeMap<(usize, u64), Duration>,
    ticks: (u64, u32),
    /// The end of the last sleep.
    pub woke: Duration,
    /// The process is looked at for the first time since a sleep.
    asleep: bool,
    /// Records that were proven and at rest.
    proven: Vec<bool>,
    /// Questions since the last sleep, as long as nothing else calls for some.
    questions: Option<Vec<u32>>,
}

impl Judge {
    pub fn new(plan: Rc<Plan>) -> Self {
        let records = plan.config.records.iter().map(|_| Record::default()).collect();
        Self {
            addresses: Addresses::new(&plan),
            queues: plan.config.providers.iter().map(|_| Queue::default()).collect(),
            way: Way::default(),
            power: Power::default(),
            sources_failed: vec![None; plan.config.sources.len()],
            plan,
            records,
            save_failed: None,
            saving: None,
            durable: None,
            stopping: false,
            asked: BTreeMap::new(),
            ticks: Default::default(),
            woke: Duration::ZERO,
            asleep: false,
            proven: Vec::new(),
            questions: None,
        }
    }

    /// A process starts with the save so-and-so, or with nothing.
    pub fn restarts(&mut self, now: Duration, wall: Wall, durable: Option<u64>, saved: Option<&SavedState>) {
        let plan = Rc::clone(&self.plan);
        let mut records = std::mem::take(&mut self.records);
        for (record, spec) in records.iter_mut().zip(&plan.config.records) {
            let key = spec.key.to_string();
            let pending = saved_of(saved, &key).is_some_and(|before| before.pending.is_some());
            record.restarts(now, wall, durable, plan.config.pace.min_interval, pending);
        }
        let queue = |provider: usize| {
            let specs = plan.config.records.iter().filter(move |spec| spec.provider.0 == provider);
            Queue::restarts(now, wall, specs.filter_map(|spec| saved_of(saved, &spec.key.to_string())))
        };
        let queues = (0..plan.config.providers.len()).map(queue).collect();
        let power = self.power.restarts(now);
        *self = Self { records, queues, power, woke: self.woke, durable, ..Self::new(plan) };
    }

    /// Someone else has changed the record. Nobody tells the engine, and it does not look while all is well: such a
    /// change is found at the next start, outage or change of address. Noticing it sooner would be another feature.
    pub fn meddled(&mut self, now: Duration, record: usize, holds: &BTreeSet<IpAddr>) {
        self.records[record].meddled(now, holds);
    }

    pub fn untold(&self) -> bool {
        self.records.iter().any(|record| record.truth.meddled)
    }

    /// A request has come to the service.
    pub fn arrived(&mut self, now: Duration, record: usize) {
        self.records[record].arrived = now;
    }

    /// A write has had an effect.
    pub fn wrote(&mut self, now: Duration, record: usize, began: Duration) -> Judged {
        let least = self.plan.config.pace.min_interval;
        about(record, self.records[record].wrote(now, began, least))
    }

    /// A write of a process that is no more has had an effect; the save on disk that tells of it.
    pub fn landed(&mut self, now: Duration, record: usize, save: Option<(u64, Wall)>, began: Duration) -> Judged {
        let least = self.plan.config.pace.min_interval;
        let save = save.filter(|(save, _)| self.durable.is_some_and(|durable| *save <= durable));
        about(record, self.records[record].landed(now, save, began, least))
    }

    /// The first save that tells of the write under way.
    pub fn saved_write(&self, record: usize) -> Option<(u64, Wall)> {
        self.records[record].running.as_ref().and_then(|running| running.save)
    }

    /// The service held already what was to be written.
    pub fn needless(&self, record: usize) -> Judged {
        let judged = hold(!self.records[record].truth.learned, "c: no write of what is there", || {
            format!("record {record}: known from answers or from the saved state")
        });
        about(record, judged)
    }

    /// Takes note of what the engine is about to be told. `asleep`: nobody came when something was due.
    pub fn tells(&mut self, (now, wall): (Duration, Wall), event: &Event, asleep: bool) {
        self.asleep = asleep && !self.stopping;
        if asleep {
            self.power.woke();
        }
        let pace = self.plan.config.pace;
        match event {
            Event::Addresses { source, event: news } => {
                self.sources_failed[source.0] = None;
                if news.hint.distress.is_some() {
                    self.way.suffers(now);
                }
                if self.addresses.told(now, source.0, &news.snapshot) {
                    self.way.news();
                    self.questions = None;
                    self.records.iter_mut().for_each(Record::changes);
                }
            }
            Event::SourceFailed { source, .. } => self.sources_failed[source.0] = Some(now),
            Event::Resolved { record, ask, votes } => self.resolved(now, *record, *ask, votes),
            Event::Read { record, result } => {
                self.answered((now, wall), record.0, result.as_ref().err());
                let state = &mut self.records[record.0];
                match result {
                    Ok(observed) => {
                        state.learns();
                        let sole = observed.addresses.first().filter(|_| observed.addresses.len() == 1);
                        state.acknowledged = sole.copied();
                        if observed.proxied {
                            state.proven.clone_from(&observed.addresses);
                        }
                    }
                    Err(error) => state.failed(now, false, error, &pace),
                }
            }
            Event::Updated { record, result } => {
                self.answered((now, wall), record.0, result.as_ref().err());
                let state = &mut self.records[record.0];
                let running = state.running.take();
                match result {
                    Ok(_) => {
                        state.learns();
                        state.acknowledged = running.map(|running| running.address);
                    }
                    Err(error) => {
                        state.doubt = matches!(error, ProviderError::Unknown { .. });
                        if !state.doubt && state.proven.is_empty() {
                            (state.proven, state.wrote_at) = std::mem::take(&mut state.before);
                        }
                        state.failed(now, true, error, &pace);
                    }
                }
            }
            Event::Probed(report) => {
                self.power.probed(now, report);
                if self.way.probed(now, report) {
                    self.records.iter_mut().for_each(Record::changes);
                }
            }
            Event::Saved(result) => {
                let saving = self.saving.take();
                match result {
                    Ok(()) => (self.durable, self.save_failed) = (saving.map(|(_, number)| number), None),
                    Err(_) => self.save_failed = Some(now),
                }
            }
            Event::Shutdown => self.stopping = true,
            Event::Plug(_) | Event::Started | Event::Tick => {}
        }
    }

    fn resolved(&mut self, now: Duration, record: RecordId, ask: u64, votes: &[ddns_core::ports::Vote]) {
        let asked = self.asked.remove(&(record.0, ask)).unwrap_or_default();
        let state = &mut self.records[record.0];
        let agreeing = agreeing(votes, RESOLVERS / 2 + 1);
        state.undecided = agreeing.is_none().then_some(now);
        state.unasked = false;
        let Some(set) = agreeing else { return };
        if set.len() > 1 || ask < state.answered {
            return;
        }
        if asked >= state.wrote_at {
            state.answered = ask;
            state.proven.clone_from(set);
        } else if state.running.is_some() && asked >= state.before.1 {
            // Asked before the write under way, and about what was there until then.
            state.before.0.clone_from(set);
        }
    }

    /// A step without any event of the world.
    pub fn ticks(&mut self, now: Duration, next: Option<Duration>) -> Judged {
        let second = now.as_secs();
        self.ticks = (second, if self.ticks.0 == second { self.ticks.1 + 1 } else { 1 });
        let fine = self.ticks.1 <= 500 && next.is_none_or(|next| next > now);
        hold(fine, "no tight loop", || format!("tick {} of the second, next at {next:?}", self.ticks.1))
    }

    /// Judges what the engine answered. `save` is the number of the save that begins with it.
    pub fn after(
        &mut self,
        (now, wall, stamp): (Duration, Wall, Instant),
        effects: &Effects,
        status: &Status,
        save: Option<u64>,
        api: &Provider,
    ) -> Judged {
        for told in &effects.transitions {
            self.transition(now, told, status)?;
        }
        for action in &effects.actions {
            self.action(now, wall, action, status, save)?;
        }
        if let (Some(state), Some(number)) = (&effects.persist, save) {
            self.saves(now, wall, state, number, status)?;
        }
        let closed = Transition::Readiness { from: Readiness::Ready, to: Readiness::NotReady };
        if effects.transitions.contains(&closed) {
            for (record, status) in self.records.iter_mut().zip(&status.records) {
                record.unasked |= status.state == State::Rest;
            }
        }
        self.remembers()?;
        self.turns(stamp, effects, status)?;
        self.wakes(now, effects, status)?;
        self.status(now, status, api)
    }

    /// How often power was taken in the last day.
    pub fn cycles(&self) -> usize {
        self.power.cycles()
    }

    /// Judges what is done about power, by what is on disk before it is done.
    pub fn power(
        &mut self,
        clocks: (Duration, Duration, Duration),
        effects: &Effects,
        disk: Option<&SavedState>,
    ) -> Judged {
        let off = |action: &Action| matches!(action, Action::Plug { order: PlugOrder::Off { .. }, .. });
        if effects.actions.iter().any(off) {
            let intent = disk.is_some_and(|state| state.recovery().intent().is_some());
            self.power.off(clocks, intent, &self.plan.config, self.stopping)?;
        }
        Ok(())
    }

    fn transition(&mut self, now: Duration, told: &Transition, status: &Status) -> Judged {
        match told {
            Transition::Readiness { from, to } => {
                use Readiness::{Init, NotReady, Probing, Ready};
                let legal =
                    [(Init, Probing), (Probing, Ready), (Probing, NotReady), (Ready, NotReady), (NotReady, Ready)];
                hold(legal.contains(&(*from, *to)), "legal readiness", || format!("{from} to {to}"))?;
                let rounds = self.way.good_rounds;
                hold(*to != Ready || rounds >= 2, "ready after two good rounds", || format!("{rounds} of them"))?;
                if *to == Ready {
                    self.records.iter_mut().for_each(Record::changes);
                }
                let earned = *to != NotReady || self.way.bad_round;
                hold(earned, "only a bad round demotes", || "half of a family's targets answered".into())
            }
            Transition::AddressChanged { family, from, to, .. } => {
                let late = self.stopping || now < self.woke + Duration::from_secs(1);
                let (change, pace) = ((*family, *from, *to), (self.plan.config.settle, late));
                let follows = |record: usize| status.records[record].desired == Some(self.plan.of_record(record, *to));
                for record in self.addresses.chooses(now, change, pace, follows)? {
                    self.records[*record].desires(self.plan.of_record(*record, *to));
                }
                Ok(())
            }
            Transition::Distress(_) => {
                self.way.alarm();
                Ok(())
            }
            Transition::Woke { .. } => {
                self.way.news();
                Ok(())
            }
            Transition::Verified { key, address, stage } => {
                let index = self.plan.config.records.iter().position(|spec| spec.key == *key).unwrap();
                let state = &self.records[index];
                let proven = &state.proven;
                let others = state.running.as_ref().filter(|running| running.address != *address);
                let before = others.is_some() && state.before.0.contains(address);
                let judged = hold(before || proven.contains(address), "proven by a quorum or the service", || {
                    format!("{key} {address} by {}, seen: {proven:?}", Stage::as_str(*stage))
                });
                about(index, judged)
            }
            _ => Ok(()),
        }
    }

    fn action(&mut self, now: Duration, wall: Wall, action: &Action, status: &Status, save: Option<u64>) -> Judged {
        let fresh = !matches!(action, Action::AddressesHeld(_) | Action::CloseIdle | Action::LookAgain { .. });
        let fresh = fresh && !matches!(action, Action::Plug { order: PlugOrder::Look | PlugOrder::On, .. });
        hold(!(self.stopping && fresh), "nothing new while stopping", || format!("{action:?}"))?;
        match action {
            Action::Update { record, request, .. } => {
                about(record.0, self.update(record.0, request))?;
                about(record.0, self.called(now, record.0))?;
                about(record.0, self.records[record.0].writes(now, wall, request, save))
            }
            Action::Read { record, .. } => {
                let desired = status.records[record.0].desired.is_some();
                hold(desired, "no read without an address", || format!("{action:?}"))?;
                about(record.0, self.called(now, record.0))
            }
            Action::Resolve { record, ask, .. } => {
                self.asked.insert((record.0, *ask), now);
                hold(self.asked.len() <= 64, "bounded questions", || format!("{} under way", self.asked.len()))
            }
            Action::Probe => self.way.begins(now, self.plan.config.probe_interval),
            Action::Watch { source } => {
                let pause = self.sources_failed[source.0].map_or(HOUR, |failed| now - failed);
                hold(pause >= ATTEMPTS, "no storm of attempts", || format!("the source is watched after {pause:?}"))
            }
            Action::AddressesHeld(_) | Action::CloseIdle | Action::LookAgain { .. } | Action::Plug { .. } => Ok(()),
        }
    }

    fn update(&self, record: usize, request: &UpdateRequest) -> Judged {
        hold(!self.plan.config.dry_run, "a dry run writes nothing", || format!("{request:?}"))?;
        let there = self.fit(record);
        let fine = there.contains(&request.address) && request.key == self.plan.config.records[record].key;
        hold(fine, "a: only what the host holds", || format!("{} is written, {there:?} is there", request.address))
    }

    fn called(&mut self, now: Duration, record: usize) -> Judged {
        self.queues[self.plan.config.records[record].provider.0].called(now)?;
        self.records[record].called(now, self.plan.config.pace.min_interval)
    }

    fn saves(&mut self, now: Duration, wall: Wall, state: &SavedState, number: u64, status: &Status) -> Judged {
        hold(self.saving.is_none(), "one save at a time", || "a second one".into())?;
        let may = self.durable.is_some() && !self.plan.config.dry_run;
        hold(may, "c: what could not be read is not overwritten", || "nor does a dry run save".into())?;
        let pause = self.save_failed.map_or(HOUR, |failed| now - failed);
        hold(pause >= ATTEMPTS, "no storm of attempts", || format!("a state is saved after {pause:?}"))?;
        self.saving = Some((now, number));
        self.save_failed = self.save_failed.filter(|_| status.store_error.is_some());
        for (index, (record, spec)) in self.records.iter_mut().zip(&self.plan.config.records).enumerate() {
            let key = spec.key.to_string();
            let saved = saved_of(Some(state), &key);
            about(index, record.persisted(now, wall, number, saved))?;
            about(index, self.queues[spec.provider.0].persisted(now, wall, saved))?;
        }
        Ok(())
    }

    /// With a store that works and rests, what the process knows is on disk.
    fn remembers(&mut self) -> Judged {
        if self.saving.is_some() || self.save_failed.is_some() || self.plan.config.dry_run {
            return Ok(());
        }
        let Some(durable) = self.durable else { return Ok(()) };
        for (index, record) in self.records.iter_mut().enumerate() {
            let saved = record.running.as_ref().is_none_or(|running| running.save.is_some());
            about(index, hold(saved, "c: a write under way is saved", || "the store rests".into()))?;
            if record.truth.learned {
                record.truth.save.get_or_insert(durable);
            }
        }
        Ok(())
    }

    fn status(&mut self, now: Duration, status: &Status, api: &Provider) -> Judged {
        let failed = self.sources_failed.iter().map(Option::is_some);
        let told = status.sources.iter().map(|source| source.error.is_some());
        hold(failed.eq(told), "g: a failing source is told", || format!("{:?}", status.sources))?;
        let hangs = self.saving.is_some_and(|(since, _)| now >= since + SAVE_HANGS);
        let fine = status.store_error.is_some() || !(hangs || self.save_failed.is_some());
        hold(fine, "g: a failing store is told", || "nothing is told".into())?;
        let demoted = !(self.way.bad_round && status.readiness == Readiness::Ready);
        hold(demoted, "a bad round demotes", || "still ready".into())?;
        if !self.stopping && now >= self.woke + Duration::from_secs(1) {
            self.addresses.in_time(now)?;
            self.way.in_time(now)?;
        }
        for (index, record) in status.records.iter().enumerate() {
            let follows = self.addresses.of(index).map(|(address, _)| self.plan.of_record(index, address));
            let judged =
                hold(record.desired == follows, "a: a record follows its own source, interface and suffix", || {
                    format!("{:?}, its lane has {follows:?}", record.desired)
                });
            about(index, judged)?;
        }
        self.way.state = Some(status.readiness);
        let settles = status.recovery.phase == RecoveryPhase::Settling;
        self.way.settles = (settles, if settles { Some(now) } else { self.way.settles.1 });
        if !status.converged {
            return Ok(());
        }
        for ((index, record), spec) in status.records.iter().enumerate().zip(&self.plan.config.records) {
            let Some(desired) = record.desired else {
                hold(!spec.required, "converged is true", || format!("{} has no address", record.key))?;
                continue;
            };
            let state = &self.records[index];
            let held = self.fit(index).contains(&desired);
            let there = self.may_be_mistaken(now, index) || api.sets[index].contains(&desired);
            let judged = hold(held && there && state.proven.contains(&desired), "converged is true", || {
                let proven = &state.proven;
                format!("{} {desired}: host {held}, service {:?}, proven {proven:?}", record.key, api.sets[index])
            });
            about(index, judged)?;
        }
        Ok(())
    }

    /// Whether the process can't know what the service holds: somebody has changed it behind its back, or an earlier
    /// process has and could not save it, and the caches that it asks may still hold what was there before.
    fn may_be_mistaken(&self, now: Duration, record: usize) -> bool {
        let Record { truth, undecided, .. } = &self.records[record];
        let cached = now <= truth.changed + self.plan.ttl + ASKS_AGAIN || now <= self.woke + ASKS_AGAIN;
        let asking = undecided.is_some_and(|at| now <= at + UNDECIDED);
        truth.meddled || (!truth.learned && (cached || asking))
    }
}
