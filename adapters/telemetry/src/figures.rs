use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ddns_core::engine::Status;
use ddns_core::ports::PathReport;
use ddns_core::time::Wall;
use ddns_core::uptime::History;
use tokio_metrics::TaskMetrics;

use crate::process::Process;
use crate::runtime::RuntimeTotals;

/// What the engine says at the moment of a reading.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Its state.
    pub status: Status,
    /// What it has counted.
    pub history: History,
    /// The time.
    pub wall: Wall,
    /// Power cycles that there may be within 24 hours.
    pub attempts_limit: u32,
    /// A plug is configured.
    pub plug: bool,
    /// The WireGuard interface that is looked at.
    pub tunnel: Option<TunnelFigures>,
}

/// A WireGuard interface and its peers.
#[derive(Clone, Debug)]
pub struct TunnelFigures {
    /// Its name.
    pub interface: String,
    /// Each peer, by the beginning of its public key, and the time since its last handshake.
    pub peers: Vec<(String, Option<Duration>)>,
}

/// All that gauges are read from.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) figures: Option<Figures>,
    pub(crate) probe: Option<PathReport>,
    pub(crate) runtime: RuntimeTotals,
    pub(crate) tasks: Vec<(&'static str, TaskMetrics)>,
    pub(crate) process: Option<Process>,
}

/// What the last look has shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastLook(Arc<Mutex<Seen>>);

impl LastLook {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
