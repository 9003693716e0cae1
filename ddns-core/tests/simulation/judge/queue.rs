//! What the judge knows of one provider.

use std::time::Duration;

use ddns_core::publish::RETRY_AFTER_CAP;
use ddns_core::state::{SavedState, StateRecord};
use ddns_core::time::Wall;

use super::{Judged, ROUNDING, hold};

#[derive(Default)]
pub struct Queue {
    /// Requests under way.
    pub calls: usize,
    /// It asked for patience until then; in the time on the wall, as of its answer.
    patience: Duration,
    by_wall: Wall,
    /// What a save told of that.
    saved: Option<Wall>,
}

impl Queue {
    /// What a process knows that starts from what is `saved` of the provider's records.
    pub fn restarts<'a>(now: Duration, wall: Wall, saved: impl Iterator<Item = &'a StateRecord>) -> Self {
        let asked_until = saved.filter_map(|record| record.asked_until).max();
        let wait = asked_until.map(|until| until.saturating_since(wall).min(RETRY_AFTER_CAP)).unwrap_or_default();
        let by_wall = asked_until.unwrap_or_default();
        Self { calls: 0, patience: (now + wait).saturating_sub(ROUNDING), by_wall, saved: asked_until }
    }

    /// The provider asks for patience.
    pub fn asks(&mut self, now: Duration, wall: Wall, patience: Duration) {
        let patience = patience.min(RETRY_AFTER_CAP);
        (self.patience, self.by_wall, self.saved) = (now + patience, wall.after(patience), None);
    }

    /// A request begins.
    pub fn called(&mut self, now: Duration) -> Judged {
        self.calls += 1;
        hold(self.calls == 1, "d: one provider call at a time", || format!("{} under way", self.calls))?;
        let early = self.patience.saturating_sub(now);
        hold(early.is_zero(), "d: Retry-After is obeyed", || format!("{early:?} too early"))
    }

    /// A save begins; `record` is what it tells of one of the provider's records.
    pub fn persisted(&mut self, now: Duration, wall: Wall, record: Option<&StateRecord>) -> Judged {
        let rest = self.patience.saturating_sub(now);
        if rest <= ROUNDING * 2 {
            return Ok(());
        }
        let told = record.and_then(|record| record.asked_until);
        let near = |of: Wall| {
            told.is_some_and(|told| told.saturating_since(of).max(of.saturating_since(told)) <= ROUNDING * 2)
        };
        let fine = near(self.by_wall) || near(wall.after(rest)) || self.saved.is_some_and(near);
        hold(fine, "d: what a provider asks for is saved", || format!("{told:?}, {:?}", self.by_wall))?;
        self.saved = told;
        Ok(())
    }
}

/// What is saved of a record.
pub fn saved_of<'a>(state: Option<&'a SavedState>, key: &str) -> Option<&'a StateRecord> {
    state.and_then(|state| state.records().find(|(known, _)| *known == key)).map(|(_, saved)| saved)
}
