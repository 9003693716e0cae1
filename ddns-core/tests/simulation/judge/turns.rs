//! Whose turn it is at the providers, and what follows a sleep.

use std::net::IpAddr;

use ddns_core::publish::Step;

use super::*;

/// Questions about one record after a sleep, as long as nothing else happens; their pauses double from 200 ms on.
const QUESTIONS: u32 = 12;
const AFTER_SLEEP: Duration = Duration::from_secs(10);

impl Judge {
    /// What may be published for a record.
    pub(super) fn fit(&self, record: usize) -> Vec<IpAddr> {
        let told = &self.addresses.told[self.plan.config.records[record].source.0];
        told.as_ref().map(|told| self.plan.fit(record, told)).unwrap_or_default()
    }

    /// A record's provider has answered.
    pub(super) fn answered(&mut self, (now, wall): (Duration, Wall), record: usize, error: Option<&ProviderError>) {
        let queue = &mut self.queues[self.plan.config.records[record].provider.0];
        queue.calls -= 1;
        if let Some(ProviderError::Unavailable { retry_after: Some(after), .. }) = error {
            queue.asks(now, wall, *after);
        }
    }

    /// Records of one provider go in the order of the configuration, and wait for nothing but it.
    pub(super) fn turns(&self, now: Instant, effects: &Effects, status: &Status) -> Judged {
        for (index, spec) in self.plan.config.records.iter().enumerate() {
            let there = || self.addresses.of(index).is_some_and(|(_, there)| there);
            let waits = match status.records[index].state {
                State::Due { step: Step::Read, at, .. } => at <= now,
                State::Due { step: Step::Write, at, .. } => at <= now && there(),
                State::Due { step: Step::Check, .. } | State::Rest | State::Running { .. } => false,
            };
            if !waits || self.stopping {
                continue;
            }
            let free = self.queues[spec.provider.0].calls == 0;
            about(index, hold(!free, "f: a provider that is free is asked", || format!("{} waits", spec.key)))?;
            let overtakes = |action: &&Action| match action {
                Action::Update { provider, record, .. } | Action::Read { provider, record, .. } => {
                    *provider == spec.provider && record.0 > index
                }
                _ => false,
            };
            let overtaken = effects.actions.iter().find(overtakes);
            about(index, hold(overtaken.is_none(), "records go in their order", || format!("{overtaken:?}")))?;
        }
        Ok(())
    }

    /// After a sleep all that was proven is looked at again, once.
    pub(super) fn wakes(&mut self, now: Duration, effects: &Effects, status: &Status) -> Judged {
        let woke = effects.transitions.iter().any(|told| matches!(told, Transition::Woke { .. }));
        hold(woke == self.asleep, "a sleep is noticed", || format!("told: {woke}"))?;
        let asked = |index: usize| {
            let about = |action: &&Action| match action {
                Action::Resolve { record, .. } | Action::Read { record, .. } => record.0 == index,
                _ => false,
            };
            u32::try_from(effects.actions.iter().filter(about).count()).unwrap()
        };
        if woke {
            self.questions = Some(vec![0; status.records.len()]);
            for index in (0..status.records.len()).filter(|index| self.proven.get(*index) == Some(&true)) {
                let rests = status.records[index].state == State::Rest;
                let asking = asked(index) > 0 || self.asked.keys().any(|(record, _)| *record == index);
                let judged = hold(!rests || asking || self.stopping, "all is looked at after a sleep", || {
                    format!("{} is not", status.records[index].key)
                });
                about(index, judged)?;
                self.records[index].unasked |= rests;
            }
        }
        if now > self.woke + AFTER_SLEEP {
            self.questions = None;
        }
        for (index, questions) in self.questions.iter_mut().flatten().enumerate() {
            *questions += asked(index);
            let judged =
                hold(*questions <= QUESTIONS, "a sleep ends without a burst", || format!("{questions} questions"));
            about(index, judged)?;
        }
        let proven = |record: &ddns_core::engine::RecordStatus| {
            record.state == State::Rest && record.desired.is_some() && record.desired == record.verified
        };
        self.proven = status.records.iter().map(proven).collect();
        Ok(())
    }
}
