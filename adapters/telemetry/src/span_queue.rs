use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::Notify;

use crate::instruments::Instruments;

/// Spans that wait for the collector at most; a change has six.
const MOST: usize = 600;

/// The spans that wait to be exported. A collector that takes none costs the oldest of them, and those are counted.
#[derive(Clone)]
pub(crate) struct SpanQueue(Arc<Inner>);

struct Inner {
    waiting: Mutex<VecDeque<SpanData>>,
    filled: Notify,
    instruments: Arc<Instruments>,
}

impl fmt::Debug for SpanQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanQueue({})", self.waiting().len())
    }
}

impl SpanQueue {
    pub(crate) fn new(instruments: Arc<Instruments>) -> Self {
        Self(Arc::new(Inner { waiting: Mutex::default(), filled: Notify::new(), instruments }))
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<SpanData>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When there is something to export.
    pub(crate) async fn filled(&self) {
        self.0.filled.notified().await;
    }

    /// All that wait.
    pub(crate) fn take(&self) -> Vec<SpanData> {
        self.waiting().drain(..).collect()
    }

    /// What could not be exported waits again, before what came since.
    pub(crate) fn put_back(&self, batch: Vec<SpanData>) {
        let mut waiting = self.waiting();
        for span in batch.into_iter().rev() {
            waiting.push_front(span);
        }
        self.shorten(&mut waiting);
    }

    fn shorten(&self, waiting: &mut VecDeque<SpanData>) {
        let too_many = waiting.len().saturating_sub(MOST);
        if too_many > 0 {
            waiting.drain(..too_many);
            self.0.instruments.dropped_spans.add(u64::try_from(too_many).unwrap_or(u64::MAX), &[]);
        }
    }
}

impl SpanProcessor for SpanQueue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        let mut waiting = self.waiting();
        waiting.push_back(span);
        self.shorten(&mut waiting);
        drop(waiting);
        self.0.filled.notify_one();
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}
