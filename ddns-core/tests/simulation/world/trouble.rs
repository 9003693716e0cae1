//! Faults: when they begin, what they do, and that all heals after them.

use ddns_core::config::RecordSpec;
use ddns_core::engine::Status;
use ddns_core::readiness::Readiness;

use super::*;
use crate::simulation::judge::about;

/// What stays ill while all else heals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sick {
    Record(usize),
    Provider(usize),
    Source(usize),
}

impl Sick {
    /// Whether this record suffers from it.
    fn has(self, index: usize, spec: &RecordSpec) -> bool {
        match self {
            Self::Record(record) => record == index,
            Self::Provider(provider) => provider == spec.provider.0,
            Self::Source(source) => source == spec.source.0,
        }
    }
}

impl World {
    pub(super) fn troubles(&mut self, number: u64) {
        let mut dice = Dice::new(self.plan.seed, 1000 + number);
        let length = dice.magnitude(Duration::from_secs(10), self.plan.trouble);
        self.history.say(self.now, None, format_args!("--- episode {number}, {length:?} ---"));
        (self.episode, self.next_episode) = (number, number + 1);
        self.dice = Dice::new(self.plan.seed, 1_000_000 + number);
        let theme: Vec<Fault> = (0..=dice.below(5)).map(|_| dice.pick(&Fault::ALL)).collect();
        if dice.percent(30) && self.plan.faults.has(Fault::RouterFreezes) {
            self.after(dice.up_to(length), Item::Begins(Fault::RouterFreezes, number, Duration::ZERO));
        }
        let mut at = Duration::ZERO;
        for nth in 0..=dice.below(self.plan.most_faults) {
            let fault = match dice.below(3) {
                0 => dice.pick(&[Fault::Swap, Fault::Swap, Fault::Flap, Fault::Gone]),
                1 | 2 => dice.pick(&theme),
                _ => continue,
            };
            at = if dice.percent(50) {
                dice.up_to(length)
            } else {
                at + dice.magnitude(Duration::from_millis(1), length)
            };
            at = at.min(length);
            let lasts = dice.magnitude(Duration::from_millis(5), length).min(length - at);
            let salt = dice.next();
            if self.plan.faults.has(fault) && !self.plan.without.contains(&(number, nth)) {
                self.after(at, Item::Begins(fault, salt, lasts));
            }
        }
        self.after(length + Duration::from_millis(1), Item::Heals);
    }

    pub(super) fn begins(&mut self, fault: Fault, salt: u64, lasts: Duration) -> Judged {
        let mut dice = Dice::new(salt, 3);
        self.totals.faults += 1;
        self.history.mark(fault as u8);
        self.history.say(self.now, None, format_args!("fault: {fault:?} for {lasts:?}"));
        let record = dice.below(self.plan.config.records.len());
        let source = dice.below(self.plan.config.sources.len());
        let interface = dice.pick(self.plan.interfaces());
        match fault {
            Fault::Swap | Fault::Flap | Fault::NotPublishable | Fault::Gone | Fault::Several => {
                let family = dice.pick(self.plan.families);
                for (after, change) in self.sources[source].host.changes(fault, (family, interface), lasts, &mut dice) {
                    self.after(after, Item::Changes(change));
                }
            }
            Fault::SourceEnds | Fault::SourceBroken => {
                self.lasting(fault, source, lasts);
                self.stream_ends(source);
            }
            Fault::AnnouncementsLost | Fault::AnnouncementsRepeated | Fault::SnapshotsLate => {
                self.lasting(fault, source, lasts);
            }
            Fault::ProviderUnreachable
            | Fault::ProviderUnavailable
            | Fault::ProviderRetryAfter
            | Fault::ProviderUnauthorized
            | Fault::ProviderRefuses
            | Fault::AnswerLostWithEffect
            | Fault::AnswerLostWithoutEffect
            | Fault::ProviderSlow
            | Fault::ProviderHangs => {
                let (one, all) = (dice.below(self.plan.config.providers.len()), dice.percent(25));
                for provider in (0..self.plan.config.providers.len()).filter(|provider| all || *provider == one) {
                    self.lasting(fault, provider, lasts);
                }
            }
            Fault::Distress => {
                if dice.percent(50) {
                    self.lasting(Fault::WanDown, 0, lasts);
                }
                let gap = dice.magnitude(Duration::from_millis(500), Duration::from_secs(300));
                for nth in 0..=u32::try_from(dice.below(100)).unwrap() {
                    if gap * nth <= lasts {
                        self.after(gap * nth, Item::Suffers(self.run, source));
                    }
                }
            }
            Fault::HandleStale => self.provider.moves(record),
            Fault::Meddler | Fault::FurtherAddress => {
                let (plan, spec) = (Rc::clone(&self.plan), &self.plan.config.records[record]);
                let interface = spec.interface.as_deref().unwrap_or(interface);
                let address = host::public(spec.source.0, spec.key.rtype.family(), interface, &mut dice).address;
                let address = plan.of_record(record, address);
                let before = self.provider.sets[record].clone();
                if fault == Fault::Meddler {
                    self.provider.sets[record].clear();
                }
                self.provider.sets[record].insert(address);
                self.resolvers.others_asked(self.now, record, &before, &mut dice);
                self.judge.meddled(self.now, record, &self.provider.sets[record]);
                self.history.say(
                    self.now,
                    Some(record),
                    format_args!("someone: record {record} holds {address} (too)"),
                );
            }
            Fault::WallStep => {
                let step = dice.magnitude(Duration::from_secs(1), Duration::from_secs(86_400 * 400));
                let step = i64::try_from(step.as_millis()).unwrap();
                let ahead = self.wall_ahead + if dice.percent(50) { -step } else { step };
                self.clock_set(if ahead < EPOCH / 3 { EPOCH } else { ahead });
            }
            Fault::OneRecordFails => {
                self.provider.victim = record;
                self.lasting(fault, 0, lasts);
            }
            Fault::RouterFreezes => self.router.freezes(),
            // The clock goes on, nobody looks.
            Fault::Suspend => {
                self.now += lasts;
                self.judge.woke = self.now;
            }
            Fault::Crash | Fault::Reboot => {
                let down = dice.magnitude(Duration::from_millis(100), lasts.max(Duration::from_millis(200)));
                self.dies();
                self.rebooting |= fault == Fault::Reboot;
                self.after(down, Item::Starts);
            }
            Fault::Stop => {
                if self.engine.is_some() {
                    self.stopping = true;
                    self.after(DRAINS_WITHIN, Item::Killed(self.run));
                    self.after(DRAINS_WITHIN + lasts, Item::Starts);
                    return self.tell(Event::Shutdown);
                }
            }
            _ => self.lasting(fault, 0, lasts),
        }
        Ok(())
    }

    pub(super) fn clock_set(&mut self, ahead: i64) {
        (self.wall_ahead, self.wall_set) = (ahead, self.now);
        let wall = self.wall();
        self.history.say(self.now, None, format_args!("clock: {wall:?}"));
    }

    pub(super) fn lasting(&mut self, fault: Fault, place: usize, lasts: Duration) {
        self.weather.begins(fault, place);
        self.after(lasts, Item::Ends(fault, place));
    }

    pub(super) fn heals(&mut self) {
        self.history.say(self.now, None, format_args!("--- all heals ---"));
        self.weather = Weather::CALM;
        self.power_heals();
        self.sick = if self.dice.percent(25) { self.falls_ill() } else { None };
        // What is under way ends within its own time; everybody's changes do so before the host comes to rest.
        self.queue.retain(|_, item| {
            !matches!(item, Item::Changes(_) | Item::Begins(..) | Item::Suffers(..) | Item::Ends(..))
        });
        for source in 0..self.sources.len() {
            for family in self.plan.families.iter().copied() {
                for interface in self.plan.interfaces() {
                    let held = vec![host::public(source, family, interface, &mut self.dice)];
                    self.changes(Change { source, family, interface, held });
                }
            }
        }
        for (record, set) in self.provider.sets.iter_mut().enumerate() {
            while set.len() > 1 {
                set.pop_last();
                self.judge.meddled(self.now, record, set);
            }
        }
        if self.disk.busy() {
            self.after(Duration::from_secs(1), Item::SaveEnds(self.run, true));
        }
        // What nobody has told the engine is found at the next start.
        if self.judge.untold() || self.engine.is_none() || self.stopping || self.store_given_up() {
            self.dies();
        }
        self.after(Duration::from_secs(1), Item::Starts);
        self.after(HEALED_WITHIN, Item::Healthy);
    }

    /// One thing stays ill, if there is another one of its kind.
    fn falls_ill(&mut self) -> Option<Sick> {
        let (config, faults) = (&self.plan.config, self.plan.faults);
        let several = [
            (Fault::OneRecordFails, config.records.len()),
            (Fault::ProviderHangs, config.providers.len()),
            (Fault::SourceBroken, config.sources.len()),
        ];
        let several: Vec<_> = several.into_iter().filter(|(fault, of)| *of > 1 && faults.has(*fault)).collect();
        if several.is_empty() {
            return None;
        }
        let (kind, of) = self.dice.pick(&several);
        let which = self.dice.below(of);
        let (sick, fault, place) = match kind {
            Fault::OneRecordFails => (Sick::Record(self.provider.victim), kind, 0),
            Fault::ProviderHangs => {
                let fault = self.dice.pick(&[
                    Fault::ProviderUnreachable,
                    Fault::ProviderUnavailable,
                    Fault::ProviderRetryAfter,
                    Fault::ProviderUnauthorized,
                    Fault::ProviderHangs,
                ]);
                (Sick::Provider(which), fault, which)
            }
            _ => {
                self.stream_ends(which);
                (Sick::Source(which), kind, which)
            }
        };
        self.history.say(self.now, None, format_args!("--- but {sick:?} stays ill: {fault:?} ---"));
        self.weather.begins(fault, place);
        Some(sick)
    }

    pub(super) fn store_given_up(&self) -> bool {
        let error = self.engine.as_ref().and_then(|engine| engine.status().store_error);
        error.is_some_and(|error| error.contains("damaged"))
    }

    pub(super) fn healthy(&mut self) -> Judged {
        let victim = self.sick;
        let Some(engine) = &self.engine else { return violated("f: heals", "no process") };
        let status = engine.status();
        let dry_run = self.plan.config.dry_run;
        let deaf = matches!(victim, Some(Sick::Source(_)));
        let fine = status.readiness == Readiness::Ready
            && (deaf || status.source_error().is_none())
            && status.store_error.is_none();
        let fine = fine && (dry_run || victim.is_some() || status.converged);
        let busy = victim.is_some() || dry_run || self.plan.config.probe_interval.is_some();
        let owes = self.disk.state().is_some_and(|state| state.recovery().intent().is_some());
        let fine = fine && self.plug.is_on() && !owes;
        if !(fine && (engine.idle() || busy || self.disk.busy())) {
            return violated("f: heals", format!("{status:#?}, idle: {}", engine.idle()));
        }
        if !dry_run {
            self.published(&status, victim)?;
        }
        if victim.is_some() {
            self.recovers();
            return Ok(());
        }
        let (steps, calls) = (self.totals.steps, self.totals.calls);
        self.after(QUIET, Item::StillQuiet { steps, calls });
        Ok(())
    }

    /// Every record is at its address, known and saved; those that something `sick` concerns may not.
    fn published(&self, status: &Status, sick: Option<Sick>) -> Judged {
        let concerned = |index, spec: &RecordSpec| sick.is_some_and(|sick| sick.has(index, spec));
        for (index, spec) in self.plan.config.records.iter().enumerate() {
            let there = self.plan.fit(index, &self.sources[spec.source.0].host.snapshot());
            let Some(address) = there.iter().find(|address| status.records[index].desired == Some(**address)) else {
                if there.is_empty() || concerned(index, spec) {
                    continue;
                }
                return about(index, violated("f: heals", format!("{}: host {there:?}, not wanted", spec.key)));
            };
            if concerned(index, spec) {
                continue;
            }
            let key = spec.key.to_string();
            let set = &self.provider.sets[index];
            let saved = self.disk.state().and_then(|state| state.records().find(|(known, _)| *known == key));
            let saved = saved.and_then(|(_, record)| record.confirmed);
            let proven = status.records[index].converged;
            if !(set.len() == 1 && set.contains(address) && saved == Some(*address) && proven) {
                let invariant = if sick.is_some() { "f: a record heals alone" } else { "f: heals" };
                let what = format!("{key}: host {there:?}, service {set:?}, saved {saved:?}, proven {proven}");
                return about(index, violated(invariant, what));
            }
        }
        Ok(())
    }

    /// The last record heals too.
    pub(super) fn recovers(&mut self) {
        (self.weather, self.sick) = (Weather::CALM, None);
        self.after(HEALED_WITHIN, Item::Healthy);
    }

    pub(super) fn still_quiet(&mut self, steps: u64, calls: u64) -> Judged {
        let per_hour = |interval: Duration| QUIET.as_secs() * 4 / (interval.as_secs() * 3) + 1;
        let beats = self.plan.config.probe_interval.map_or(0, per_hour);
        let audits = self.plan.config.audit_interval.map_or(0, per_hour);
        // An audit asks the name servers, and the resolvers where these can't be asked; the API about a proxied record.
        let records = self.plan.config.records.len() as u64;
        let (answers, reads) = (audits * (1 + 2 * records), if self.plan.proxied { audits * records } else { 0 });
        let taken = self.totals.steps - steps;
        // The mark of liveness, and its save.
        let marks = 4;
        if taken > 2 * beats + answers + marks || self.totals.calls > calls + reads {
            return violated("f: idle when all is well", format!("{taken} steps in an hour"));
        }
        let pause = self.dice.up_to(self.plan.pause * 2);
        self.after(pause, Item::Episode(self.next_episode));
        Ok(())
    }
}
