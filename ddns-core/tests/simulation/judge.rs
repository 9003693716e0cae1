use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ddns_core::address::{Family, Snapshot};
use ddns_core::engine::{Action, Effects, Event, RecordId, Stage, Status, Transition};
use ddns_core::ports::{PathReport, ProviderError, UpdateRequest};
use ddns_core::publish::{HOLD, RETRY_AFTER_CAP};
use ddns_core::readiness::Readiness;
use ddns_core::state::SavedState;
use ddns_core::time::Wall;

use super::history::About;
use super::host::publishable;
use super::plan::Plan;
use super::provider::Provider;
use super::resolvers::{RESOLVERS, agreeing};

const HOUR: Duration = Duration::from_secs(3600);
const SAVE_HANGS: Duration = Duration::from_secs(10);
/// Saved times are in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(2);

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

fn hold(fine: bool, invariant: &'static str, what: impl FnOnce() -> String) -> Judged {
    if fine { Ok(()) } else { violated(invariant, what()) }
}

/// Watches one engine after another from outside, and knows what each has been told.
pub struct Judge {
    plan: Plan,
    records: Vec<Record>,
    told: Snapshot,
    /// Since when the family's publishable addresses have been as they are, and since when they change.
    changed: [(Duration, Duration); 2],
    calls: usize,
    good_rounds: u32,
    bad_round: bool,
    overtaken: bool,
    probed: Option<Duration>,
    source_fails: bool,
    save_failed: bool,
    saving_since: Option<Duration>,
    stopping: bool,
    asked: BTreeMap<(usize, u64), Duration>,
    ticks: (Duration, u32),
    pub wall_steps: u32,
    /// The end of the last sleep.
    pub woke: Duration,
}

#[derive(Default)]
struct Record {
    write: Option<Write>,
    running: Option<(Duration, Wall, IpAddr)>,
    not_before: Option<(Duration, &'static str)>,
    wrote_at: Duration,
    /// The latest question that was answered.
    answered: u64,
    proven: BTreeSet<IpAddr>,
    /// What was proven, and since which write, before the write under way.
    before: (BTreeSet<IpAddr>, Duration),
    /// When something happened to the record that the engine was not told of.
    untold: Option<Duration>,
    arrived: Duration,
    window: (Duration, u32, u32),
}

/// The last write that had an effect.
struct Write {
    began: Duration,
    /// The first save that tells of it.
    save: Option<u64>,
    wall_steps: u32,
}

impl Judge {
    pub fn new(plan: Plan) -> Self {
        let records = plan.config.records.iter().map(|_| Record::default()).collect();
        Self {
            plan,
            records,
            told: Snapshot::default(),
            changed: Default::default(),
            calls: 0,
            good_rounds: 0,
            bad_round: false,
            overtaken: false,
            probed: None,
            source_fails: false,
            save_failed: false,
            saving_since: None,
            stopping: false,
            asked: BTreeMap::new(),
            ticks: Default::default(),
            wall_steps: 0,
            woke: Duration::ZERO,
        }
    }

    /// The process has ended; the next one begins with what `durable` holds, or with nothing.
    pub fn restarts(&mut self, now: Duration, durable: Option<u64>) {
        for record in &mut self.records {
            let known = |write: &Write| write.save.is_some_and(|save| durable.is_some_and(|durable| save <= durable));
            let lost = record.write.as_ref().is_some_and(|write| !known(write));
            // Without its memory an engine has nothing to hold against a resolver's cache.
            if lost || durable.is_none() {
                record.untold = Some(now);
            }
            record.write = record.write.take().filter(|write| !lost && write.wall_steps == self.wall_steps);
            *record = Record {
                write: record.write.take(),
                untold: record.untold,
                window: (record.window.0, record.window.1, record.window.2 + 1),
                ..Record::default()
            };
        }
        let plan = self.plan.clone();
        let records = std::mem::take(&mut self.records);
        *self = Self { records, wall_steps: self.wall_steps, woke: self.woke, ..Self::new(plan) };
    }

    /// Someone else has changed the record.
    pub fn meddled(&mut self, now: Duration, record: usize) {
        self.records[record].untold = Some(now);
    }

    pub fn untold(&self) -> bool {
        self.records.iter().any(|record| record.untold.is_some())
    }

    /// A request has come to the service.
    pub fn arrived(&mut self, now: Duration, record: usize) {
        self.records[record].arrived = now;
    }

    /// A write has had an effect.
    pub fn wrote(&mut self, record: usize, began: Duration, save: Option<u64>) -> Judged {
        let least = self.plan.config.pace.min_interval;
        let state = &mut self.records[record];
        if let Some(before) = &state.write {
            let fine = began + ROUNDING >= before.began + least;
            hold(fine, "d: one write per record and interval", || format!("{:?} apart", began - before.began))?;
        }
        state.write = Some(Write { began, save, wall_steps: self.wall_steps });
        Ok(())
    }

    /// The service held already what was to be written.
    pub fn needless(&self, record: usize) -> Judged {
        hold(self.records[record].untold.is_some(), "c: no write of what is there", || {
            format!("record {record}: known from answers or from the saved state")
        })
    }

    /// Takes note of what the engine is about to be told.
    pub fn tells(&mut self, now: Duration, event: &Event) {
        match event {
            Event::Addresses(news) => {
                self.source_fails = false;
                if news.snapshot != self.told {
                    for (family, changed) in Family::ALL.into_iter().zip(&mut self.changed) {
                        if publishable(&news.snapshot, family) != publishable(&self.told, family) {
                            let restless = now < changed.0 + Duration::from_millis(500);
                            *changed = (now, if restless { changed.1 } else { now });
                        }
                    }
                    self.told = news.snapshot.clone();
                    (self.good_rounds, self.overtaken) = (0, true);
                    self.records.iter_mut().for_each(|record| record.window.2 += 1);
                }
            }
            Event::SourceFailed { .. } => self.source_fails = true,
            Event::Resolved { record, ask, votes } => self.resolved(*record, *ask, votes),
            Event::Read { record, result } => {
                self.calls -= 1;
                let state = &mut self.records[record.0];
                match result {
                    Ok(observed) => {
                        state.untold = state.untold.filter(|untold| *untold > state.arrived);
                        if observed.proxied {
                            state.proven.clone_from(&observed.addresses);
                        }
                    }
                    Err(error) => state.failed(now, error),
                }
            }
            Event::Updated { record, result } => {
                self.calls -= 1;
                let state = &mut self.records[record.0];
                state.running = None;
                match result {
                    Ok(_) => state.untold = state.untold.filter(|untold| *untold > state.arrived),
                    Err(error) => {
                        if !matches!(error, ProviderError::Unknown { .. }) && state.proven.is_empty() {
                            (state.proven, state.wrote_at) = std::mem::take(&mut state.before);
                        }
                        state.failed(now, error);
                    }
                }
            }
            Event::Probed(report) => self.probed(report),
            Event::Saved(result) => {
                self.save_failed = result.is_err();
                self.saving_since = None;
            }
            Event::Shutdown => self.stopping = true,
            Event::Started | Event::Tick => {}
        }
    }

    fn resolved(&mut self, record: RecordId, ask: u64, votes: &[ddns_core::ports::Vote]) {
        let asked = self.asked.remove(&(record.0, ask)).unwrap_or_default();
        let state = &mut self.records[record.0];
        let Some(set) = agreeing(votes, RESOLVERS / 2 + 1) else { return };
        if asked >= state.wrote_at && set.len() == 1 && ask >= state.answered {
            state.answered = ask;
            state.proven.clone_from(set);
        }
    }

    fn probed(&mut self, report: &PathReport) {
        let reached = report.targets.iter().filter(|(_, _, error)| error.is_none()).count();
        let good = reached * 2 >= report.targets.len();
        if reached > 0 {
            self.records.iter_mut().for_each(|record| record.window.2 += 1);
        }
        if !self.overtaken {
            self.good_rounds = if good { self.good_rounds + 1 } else { 0 };
            self.bad_round = !good;
        }
    }

    /// A step without any event of the world.
    pub fn ticks(&mut self, now: Duration, next: Option<Duration>) -> Judged {
        let second = Duration::from_secs(now.as_secs());
        self.ticks = (second, if self.ticks.0 == second { self.ticks.1 + 1 } else { 1 });
        let fine = self.ticks.1 <= 500 && next.is_none_or(|next| next > now);
        hold(fine, "no tight loop", || format!("tick {} of the second, next at {next:?}", self.ticks.1))
    }

    /// Judges what the engine answered. `save` is the number of the save that begins with it.
    pub fn after(
        &mut self,
        now: Duration,
        wall: Wall,
        effects: &Effects,
        status: &Status,
        save: Option<u64>,
        api: &Provider,
    ) -> Judged {
        for told in &effects.transitions {
            self.transition(now, told)?;
        }
        for action in &effects.actions {
            self.action(now, wall, action, status)?;
        }
        if let (Some(state), Some(number)) = (&effects.persist, save) {
            hold(self.saving_since.is_none(), "one save at a time", || "a second one".into())?;
            self.saving_since = Some(now);
            self.save_failed &= status.store_error.is_some();
            self.persisted(state, number)?;
        }
        self.status(now, status, api)
    }

    fn transition(&mut self, now: Duration, told: &Transition) -> Judged {
        match told {
            Transition::Readiness { from, to } => {
                use Readiness::{Init, NotReady, Probing, Ready};
                let legal =
                    [(Init, Probing), (Probing, Ready), (Probing, NotReady), (Ready, NotReady), (NotReady, Ready)];
                hold(legal.contains(&(*from, *to)), "legal readiness", || format!("{from} to {to}"))?;
                let earned = *to != Ready || self.good_rounds >= 2;
                hold(earned, "ready after two good rounds", || format!("{} of them", self.good_rounds))
            }
            Transition::AddressChanged { family, to, .. } => {
                let there = publishable(&self.told, *family);
                hold(there.contains(to), "a: only what the host holds", || format!("{to} is not publishable"))?;
                let (last, first) = self.changed[*family as usize];
                let rest = (last + self.plan.config.settle).min(first + Duration::from_millis(500));
                let late = self.stopping || now < self.woke + Duration::from_secs(1);
                let fine = there.len() == 1 || now >= rest || late;
                hold(fine, "doubt settles first", || format!("{to} out of {there:?} after {:?}", now - last))
            }
            Transition::Verified { key, address, stage } => {
                let index = self.plan.config.records.iter().position(|spec| spec.key == *key).unwrap();
                let proven = &self.records[index].proven;
                let judged = hold(proven.contains(address), "proven by a quorum or the service", || {
                    format!("{key} {address} by {}, seen: {proven:?}", Stage::as_str(*stage))
                });
                about(index, judged)
            }
            _ => Ok(()),
        }
    }

    fn action(&mut self, now: Duration, wall: Wall, action: &Action, status: &Status) -> Judged {
        let fresh = !matches!(action, Action::AddressesHeld(_) | Action::CloseIdle);
        hold(!(self.stopping && fresh), "nothing new while stopping", || format!("{action:?}"))?;
        match action {
            Action::Update { record, request } => {
                about(record.0, self.update(record.0, request))?;
                about(record.0, self.called(now, record.0))?;
                let state = &mut self.records[record.0];
                state.running = Some((now, wall, request.address));
                state.before = (std::mem::take(&mut state.proven), std::mem::replace(&mut state.wrote_at, now));
                Ok(())
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
            Action::Probe => {
                let pause = self.probed.replace(now).map_or(HOUR, |before| now - before);
                self.overtaken = false;
                hold(pause >= Duration::from_millis(700), "no storm of probes", || format!("{pause:?} apart"))
            }
            Action::Watch | Action::AddressesHeld(_) | Action::CloseIdle => Ok(()),
        }
    }

    fn update(&self, record: usize, request: &UpdateRequest) -> Judged {
        let family = self.plan.config.records[record].key.rtype.family();
        let there = publishable(&self.told, family);
        let fine = there.contains(&request.address) && request.key == self.plan.config.records[record].key;
        hold(fine, "a: only what the host holds", || format!("{} is written, {there:?} is there", request.address))
    }

    fn called(&mut self, now: Duration, record: usize) -> Judged {
        self.calls += 1;
        hold(self.calls == 1, "d: one provider call at a time", || format!("{} under way", self.calls))?;
        let state = &mut self.records[record];
        if let Some((until, why)) = state.not_before.take_if(|(until, _)| *until > now) {
            return violated(why, format!("record {record}: {:?} too early", until - now));
        }
        if now >= state.window.0 + HOUR {
            state.window = (now, 0, 0);
        }
        state.window.1 += 1;
        let (_, calls, changes) = state.window;
        let intervals = 3600 / u32::try_from(self.plan.config.pace.min_interval.as_secs()).unwrap();
        let most = 80 + changes.saturating_mul(20).min(changes * 3 + 3 * intervals + 400);
        hold(calls <= most, "d: bounded attempts", || format!("{calls} in an hour with {changes} changes"))
    }

    fn persisted(&mut self, state: &SavedState, number: u64) -> Judged {
        for (record, spec) in self.records.iter_mut().zip(&self.plan.config.records) {
            if let Some(write) = &mut record.write {
                write.save.get_or_insert(number);
            }
            let Some((_, wall, address)) = record.running else { continue };
            let key = spec.key.to_string();
            let saved = state.records().find(|(known, _)| *known == key).map(|(_, saved)| saved);
            let fine = saved.is_some_and(|saved| saved.pending == Some(address) && saved.written_at.is_some());
            hold(fine, "c: a write under way is saved", || format!("{key} {address} of {wall:?}: {saved:?}"))?;
        }
        Ok(())
    }

    fn status(&self, now: Duration, status: &Status, api: &Provider) -> Judged {
        hold(status.source_error.is_some() == self.source_fails, "g: a failing source is told", || {
            format!("{:?}", status.source_error)
        })?;
        let hangs = self.saving_since.is_some_and(|since| now >= since + SAVE_HANGS);
        let fine = status.store_error.is_some() || !(hangs || self.save_failed);
        hold(fine, "g: a failing store is told", || "nothing is told".into())?;
        let demoted = !(self.bad_round && status.readiness == Readiness::Ready);
        hold(demoted, "a bad round demotes", || "still ready".into())?;
        if !status.converged {
            return Ok(());
        }
        for ((index, record), spec) in status.records.iter().enumerate().zip(&self.plan.config.records) {
            let Some(desired) = record.desired else {
                hold(!spec.required, "converged is true", || format!("{} has no address", record.key))?;
                continue;
            };
            let state = &self.records[index];
            let held = publishable(&self.told, spec.key.rtype.family()).contains(&desired);
            let there = state.untold.is_some() || api.sets[index].contains(&desired);
            let judged = hold(held && there && state.proven.contains(&desired), "converged is true", || {
                let proven = &state.proven;
                format!("{} {desired}: host {held}, service {:?}, proven {proven:?}", record.key, api.sets[index])
            });
            about(index, judged)?;
        }
        Ok(())
    }
}

impl Record {
    fn failed(&mut self, now: Duration, error: &ProviderError) {
        self.not_before = match error {
            ProviderError::Unavailable { retry_after: Some(after), .. } => {
                Some((now + (*after).min(RETRY_AFTER_CAP), "d: Retry-After is obeyed"))
            }
            ProviderError::Unauthorized { .. } => Some((now + HOLD * 3 / 4, "d: held while unauthorized")),
            _ => None,
        };
    }
}
