use std::time::Duration;

use crate::time::{Instant, Wall};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(6 * 3600);
/// The wall clock was set, rather than corrected.
const STEP: Duration = Duration::from_secs(60);

/// The attempts of the last 24 hours. Their age is measured by the monotonic clock; what is saved is worked out anew
/// when the wall clock is set (FAULTS 56).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Attempts {
    /// When each will be a day old, and its wall time, oldest first.
    expire: Vec<(Instant, Wall)>,
    /// Those in a row that did not help; one whose outcome is not known counts.
    pub(super) failures: u32,
}

impl Attempts {
    /// What was saved. A time that lies ahead, since the clock was set back or is not set yet, counts as now
    /// (FAULTS 57).
    pub(super) fn restored(saved: &[Wall], failures: u32, now: Instant, wall: Wall) -> Self {
        let expires = |at: &Wall| {
            let left = DAY.checked_sub(wall.saturating_since(*at)).filter(|left| !left.is_zero())?;
            Some((now + left, *at))
        };
        Self { expire: saved.iter().filter_map(expires).collect(), failures }
    }

    pub(super) fn begun(&mut self, now: Instant, wall: Wall) {
        self.expire.push((now + DAY, wall));
        self.failures = self.failures.saturating_add(1);
    }

    /// The last one was given up before anything was switched.
    pub(super) fn undone(&mut self) {
        self.expire.pop();
        self.failures = self.failures.saturating_sub(1);
    }

    /// Forgets what is older than a day.
    pub(super) fn pass(&mut self, now: Instant) {
        self.expire.retain(|(expires, _)| *expires > now);
    }

    pub(super) const fn count(&self) -> usize {
        self.expire.len()
    }

    /// The end of the pause after the last attempt: it doubles with each failed one.
    pub(super) fn cool_until(&self, pause: Duration, now: Instant) -> Option<Instant> {
        let doubled = 1_u32.checked_shl(self.failures).and_then(|factor| pause.checked_mul(factor));
        let pause = doubled.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE.max(pause));
        let (expires, _) = self.expire.last()?;
        let age = DAY.saturating_sub(expires.saturating_since(now));
        pause.checked_sub(age).filter(|left| !left.is_zero()).map(|left| now + left)
    }

    /// When there may be a further one, if there were as many as there may be.
    pub(super) fn spent_until(&self, most: u32) -> Option<Instant> {
        let spare = self.expire.len().checked_sub(usize::try_from(most).unwrap_or(usize::MAX))?;
        self.expire.get(spare).map(|(expires, _)| *expires)
    }

    /// Their wall times, as the clock shows now.
    pub(super) fn saved(&mut self, now: Instant, wall: Wall) -> impl Iterator<Item = Wall> {
        for (expires, saved) in &mut self.expire {
            let at = wall.before(DAY.saturating_sub(expires.saturating_since(now)));
            if at.saturating_since(*saved).max(saved.saturating_since(at)) > STEP {
                *saved = at;
            }
        }
        self.expire.iter().map(|(_, saved)| *saved)
    }
}
