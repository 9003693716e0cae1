use std::time::Duration;

use super::Engine;
use super::effects::{Effects, Transition};
use crate::ports::SaveError;
use crate::time::Instant;

/// A save that takes longer than this hangs.
const SAVE_HANGS: Duration = Duration::from_secs(10);
const SAVE_HANGS_SAID: &str = "the disk has not answered for 10 seconds";

/// What is kept on disk.
impl Engine {
    /// A save has ended.
    pub(super) fn saved(&mut self, error: Option<SaveError>, effects: &mut Effects) {
        self.saving_since = None;
        if std::mem::take(&mut self.saving_intent) {
            self.recovery.saved(error.is_none());
        }
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

    /// Saves what has to be, one save at a time.
    pub(super) fn persist(&mut self, effects: &mut Effects) {
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
        changed |= self.recovery.save_into(&mut self.saved, self.now, self.wall);
        if changed || self.uptime.dirty() {
            self.uptime.save_into(&mut self.saved);
            self.saving_since = Some(self.now);
            self.saving_intent = self.recovery.waits_for_disk();
            effects.persist = Some(self.saved.clone());
        }
    }

    /// When a save is wanted or is too late.
    pub(super) fn save_deadline(&self) -> Option<Instant> {
        let save = self.store.deadline().filter(|_| self.durable && self.saving_since.is_none());
        let hang = self.saving_since.filter(|_| self.store.error().is_none()).map(|since| since + SAVE_HANGS);
        save.or(hang)
    }
}
