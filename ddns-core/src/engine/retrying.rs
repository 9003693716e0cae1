use std::time::Duration;

use crate::backoff::{Backoff, Jitter};
use crate::time::Instant;

/// Between attempts to watch a source or to save a state.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

/// Something that is tried again until it works.
#[derive(Debug, Default)]
pub(super) struct Retrying {
    failures: u32,
    error: Option<String>,
    again_at: Option<Instant>,
}

impl Retrying {
    /// Begins with an attempt at `first`.
    pub(super) const fn at(first: Instant) -> Self {
        Self { failures: 0, error: None, again_at: Some(first) }
    }

    /// Has failed before it began, and is not tried again.
    pub(super) const fn given_up(error: Option<String>) -> Self {
        Self { failures: 0, error, again_at: None }
    }

    /// An attempt failed; true for the first of a row.
    pub(super) fn failed(&mut self, now: Instant, error: String, jitter: &mut Jitter) -> bool {
        let first = self.error.replace(error).is_none();
        self.again_at = Some(now + RETRY.wait(self.failures, jitter));
        self.failures = self.failures.saturating_add(1);
        first
    }

    /// An attempt does not end; true if nothing was wrong before.
    pub(super) fn hangs(&mut self, error: &str) -> bool {
        let first = self.error.is_none();
        self.error.get_or_insert_with(|| error.to_owned());
        first
    }

    /// An attempt worked; true if the one before had failed.
    pub(super) fn worked(&mut self) -> bool {
        self.failures = 0;
        self.again_at = None;
        self.error.take().is_some()
    }

    /// Whether the next attempt is to be made now; true once.
    pub(super) fn due(&mut self, now: Instant) -> bool {
        self.again_at.take_if(|at| *at <= now).is_some()
    }

    /// When [`Self::due`] has to be asked.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.again_at
    }

    /// Why the last attempt failed.
    pub(super) const fn error(&self) -> Option<&String> {
        self.error.as_ref()
    }
}
