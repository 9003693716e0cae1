use std::time::Duration;

use ddns_core::driver::View;
use ddns_core::engine::{Status, Transition};
use ddns_core::time::Instant;
use sd_notify::NotifyState;
use tokio::time::{sleep, timeout};

use crate::measure::Asker;

/// Tells systemd the readiness, as `STATUS=`.
pub(crate) struct StatusView;

impl View for StatusView {
    fn observe(&mut self, _now: Instant, transition: &Transition, status: &Status) {
        if matches!(transition, Transition::Readiness { .. } | Transition::Converged(_)) {
            let right = status.records.iter().filter(|record| record.converged).count();
            let text = format!("{}; {right} of {} records verified", status.readiness, status.records.len());
            tell(&[NotifyState::Status(&text)]);
        }
    }
}

/// Tells systemd that the loop turns: once, and as often as its watchdog wants to hear it. Each time the loop itself
/// has answered.
pub(crate) async fn keep_notified(asker: Asker) {
    if asker.status().await.is_some() {
        tell(&[NotifyState::Ready]);
    }
    let Some(watchdog) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let pause = (watchdog / 2).max(Duration::from_millis(1));
    loop {
        sleep(pause).await;
        if let Ok(Some(_)) = timeout(pause, asker.status()).await {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// The shutdown has begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd can't be notified");
    }
}
