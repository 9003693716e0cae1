use std::fmt;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_metrics::{RuntimeMetrics, RuntimeMonitor};

/// What the runtime has done since it was first looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct RuntimeTotals {
    pub(crate) tasks: usize,
    pub(crate) parks: u64,
    pub(crate) busy: Duration,
}

/// Adds up what the monitor tells by intervals.
pub(crate) struct Runtime {
    intervals: Box<dyn Iterator<Item = RuntimeMetrics> + Send>,
    totals: RuntimeTotals,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.totals.fmt(f)
    }
}

impl Runtime {
    /// The runtime that this is called in.
    pub(crate) fn current() -> Self {
        let intervals = RuntimeMonitor::new(&Handle::current()).intervals();
        Self { intervals: Box::new(intervals), totals: RuntimeTotals::default() }
    }

    /// Up to this moment.
    pub(crate) fn look(&mut self) -> RuntimeTotals {
        if let Some(interval) = self.intervals.next() {
            self.totals.tasks = interval.live_tasks_count;
            self.totals.parks = self.totals.parks.saturating_add(interval.total_park_count);
            self.totals.busy = self.totals.busy.saturating_add(interval.total_busy_duration);
        }
        self.totals
    }
}
