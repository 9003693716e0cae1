use std::time::Duration;

use crate::config::DriftPolicy;
use crate::time::Instant;

/// So many changes against us within [`WINDOW`] are no accident.
const CONTEST: usize = 3;
const WINDOW: Duration = Duration::from_secs(3600);

/// What somebody else has done to a record, and what is done about it.
///
/// ```text
///  ┌───────┐ found ┌────────────────┐ 3rd within an hour  ┌───────────┐
///  │ ours  │──────▶│ repaired       │────────────────────▶│ contested │──┐ an hour later:
///  └───────┘       │ (or reported)  │                     └───────────┘  │ read again
///      ▲           └────────────────┘                           ▲────────┘
///      └──────────────── put right, or another address ─────────┘
/// ```
#[derive(Debug)]
pub(super) struct Drift {
    policy: DriftPolicy,
    found: Vec<Instant>,
    /// It is left as it is, until then if at all.
    left: Option<Option<Instant>>,
}

impl Drift {
    pub(super) const fn new(policy: DriftPolicy) -> Self {
        Self { policy, found: Vec::new(), left: None }
    }

    /// Somebody else has changed the record; what is to be done.
    pub(super) fn found(&mut self, now: Instant) -> DriftPolicy {
        self.found.retain(|before| now.saturating_since(*before) < WINDOW);
        self.found.push(now);
        let contested = self.found.len() >= CONTEST;
        match self.policy {
            DriftPolicy::Repair if contested => {
                self.found.clear();
                self.left = Some(Some(now + WINDOW));
                DriftPolicy::Contested
            }
            DriftPolicy::Repair => DriftPolicy::Repair,
            policy @ (DriftPolicy::Report | DriftPolicy::Contested) => {
                self.left = Some(None);
                policy
            }
        }
    }

    /// It is right, or is to be another one.
    pub(super) const fn mended(&mut self) {
        self.left = None;
    }

    /// It is left as somebody else wants it.
    pub(super) const fn left(&self) -> bool {
        self.left.is_some()
    }

    /// It is to be left as it is. A contest is over when its time is, and then it is not.
    pub(super) fn leaves(&mut self, now: Instant) -> bool {
        self.left = self.left.filter(|until| until.is_none_or(|until| until > now));
        self.left()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Instant {
        Instant::from_nanos(minutes * 60_000_000_000)
    }

    /// FAULTS 44.
    #[test]
    fn the_third_change_within_an_hour_is_left_for_an_hour() {
        let mut drift = Drift::new(DriftPolicy::Repair);
        assert_eq!(drift.found(at(0)), DriftPolicy::Repair);
        assert_eq!(drift.found(at(50)), DriftPolicy::Repair);
        assert_eq!(drift.found(at(70)), DriftPolicy::Repair, "the first is an hour ago");
        assert_eq!(drift.found(at(75)), DriftPolicy::Contested);
        assert!(drift.leaves(at(134)));
        assert!(!drift.leaves(at(135)));
    }

    #[test]
    fn what_is_only_reported_is_left_until_it_is_mended() {
        let mut drift = Drift::new(DriftPolicy::Report);
        assert_eq!(drift.found(at(0)), DriftPolicy::Report);
        assert!(drift.leaves(at(1_000_000)));
        drift.mended();
        assert!(!drift.leaves(at(1_000_000)));
    }
}
