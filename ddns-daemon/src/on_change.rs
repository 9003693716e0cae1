//! Tells a program and a URL of verified changes. What fails there is one line of the log and nothing else.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ddns_core::config::Config;
use ddns_core::driver::{Connections, View};
use ddns_core::engine::{Status, Transition};
use ddns_core::ports::HttpTransport;
use ddns_core::record::RecordKey;
use ddns_core::time::Instant;
use ddns_core::verified_change::{VerifiedChange, VerifiedChanges, WaitingChanges};
use ddns_telemetry::Telemetry;
use tokio::sync::mpsc;
use tracing::{info, warn};

mod output;
mod program;
mod webhook;

/// A change as it is told.
pub(crate) struct Notice {
    change: VerifiedChange,
    /// The kind of source that the address came from.
    source: String,
}

impl Notice {
    /// The variables of the program, and the fields of the JSON.
    fn told(&self) -> [(&'static str, String); 5] {
        let VerifiedChange { key, before, address } = &self.change;
        [
            ("RECORD", key.name.to_string()),
            ("TYPE", key.rtype.to_string()),
            ("ADDRESS", address.to_string()),
            ("ADDRESS_BEFORE", before.map(|before| before.to_string()).unwrap_or_default()),
            ("SOURCE", self.source.clone()),
        ]
    }
}

/// Who is told.
pub(crate) struct Listeners {
    pub(crate) program: Option<PathBuf>,
    pub(crate) webhook: Option<Arc<dyn HttpTransport>>,
    pub(crate) connections: Arc<dyn Connections>,
    pub(crate) limit: Duration,
    pub(crate) telemetry: Option<Arc<Telemetry>>,
}

/// Finds the changes among the transitions.
pub(crate) struct ChangeView {
    changes: VerifiedChanges,
    /// Received at once, and merged there: it never holds more than one step's transitions.
    found: mpsc::UnboundedSender<VerifiedChange>,
}

impl View for ChangeView {
    fn observe(&mut self, _now: Instant, transition: &Transition, _status: &Status) {
        if let Some(change) = self.changes.of(transition) {
            // Nobody listens any more at the very end alone.
            let _ = self.found.send(change);
        }
    }
}

impl Listeners {
    /// The view that the engine tells, and what follows its news: it ends when the view is gone and all is told.
    pub(crate) fn listen(self, config: &Config) -> (ChangeView, impl Future<Output = ()> + use<>) {
        let (found, changes) = mpsc::unbounded_channel();
        let source = |record: &ddns_core::config::RecordSpec| {
            let source = config.sources.get(record.source.0).map(|source| source.name.clone());
            (record.key.clone(), source.unwrap_or_default())
        };
        let sources = config.records.iter().map(source).collect();
        (ChangeView { changes: VerifiedChanges::default(), found }, tell_all(self, sources, changes))
    }

    async fn tell(&self, notice: &Notice) {
        let program = async {
            let Some(program) = &self.program else { return };
            let told = program::run(program, notice, self.limit).await.map_err(|error| chain(&error));
            self.counted("program", &told);
            log(notice, "DDNS_ON_CHANGE", told);
        };
        let webhook = async {
            let Some(transport) = &self.webhook else { return };
            let posted = webhook::post(&**transport, notice, self.limit).await;
            self.connections.close_idle();
            let told = posted.map_err(|error| chain(&error));
            self.counted("webhook", &told);
            log(notice, "DDNS_ON_CHANGE_URL", told);
        };
        tokio::join!(program, webhook);
    }

    fn counted(&self, hook: &'static str, told: &Result<(), String>) {
        if let Some(telemetry) = &self.telemetry {
            telemetry.hook_run(hook, told.is_ok());
        }
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    ddns_core::error_chain(error)
}

fn log(notice: &Notice, listener: &'static str, told: Result<(), String>) {
    let VerifiedChange { key, address, .. } = &notice.change;
    let (record, rtype) = (&key.name, key.rtype);
    match told {
        Ok(()) => info!(%record, r#type = %rtype, %address, listener, "A verified change was told"),
        Err(error) => warn!(%record, r#type = %rtype, %address, listener, error, "A verified change could not be told"),
    }
}

/// One at a time; the latest of each record waits meanwhile.
async fn tell_all(
    listeners: Listeners,
    sources: BTreeMap<RecordKey, String>,
    mut changes: mpsc::UnboundedReceiver<VerifiedChange>,
) {
    let (mut waiting, mut open) = (WaitingChanges::default(), true);
    loop {
        let Some(change) = waiting.take() else {
            match changes.recv().await {
                Some(change) => waiting.add(change),
                None => return,
            }
            continue;
        };
        let notice = Notice { source: sources.get(&change.key).cloned().unwrap_or_default(), change };
        let telling = listeners.tell(&notice);
        tokio::pin!(telling);
        loop {
            tokio::select! {
                biased;
                found = changes.recv(), if open => match found {
                    Some(change) => waiting.add(change),
                    None => open = false,
                },
                () = &mut telling => break,
            }
        }
    }
}
