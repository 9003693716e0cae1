//! Ctrl-C and SIGTERM, as the story sees them.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Result, ensure};
use ddns_testbed::{ProcessHandle, Signal};

/// Ends the story at its next step. A story that waits for the daemon is woken by the daemon's end.
#[derive(Default)]
pub struct Interrupt {
    tripped: AtomicBool,
    daemon: Mutex<Option<ProcessHandle>>,
}

impl Interrupt {
    /// From here on every check fails.
    pub fn trip(&self) {
        eprintln!("\ninterrupted: cleaning up");
        self.tripped.store(true, Ordering::SeqCst);
        self.stop_daemon();
    }

    /// Whether a signal came.
    pub fn is_tripped(&self) -> bool {
        self.tripped.load(Ordering::SeqCst)
    }

    /// Fails after a signal.
    pub fn check(&self) -> Result<()> {
        ensure!(!self.is_tripped(), "interrupted; everything is cleaned up");
        Ok(())
    }

    /// Tells whom to end.
    pub fn watch(&self, daemon: ProcessHandle) {
        *self.daemon.lock().unwrap_or_else(PoisonError::into_inner) = Some(daemon);
        if self.is_tripped() {
            self.stop_daemon();
        }
    }

    fn stop_daemon(&self) {
        if let Some(daemon) = &*self.daemon.lock().unwrap_or_else(PoisonError::into_inner)
            && let Err(error) = daemon.signal(Signal::KILL)
        {
            eprintln!("ddnsd could not be ended: {error:#}");
        }
    }
}
