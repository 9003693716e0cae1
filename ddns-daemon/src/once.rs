//! One whole pass: look at the addresses, bring every record right, prove it, save.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use ddns_core::driver::{Handle, View};
use ddns_core::engine::{RecordStatus, Stage, Status, Transition};
use ddns_core::publish::State;
use ddns_core::time::Instant;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use crate::admin::{Admin, AdminError};
use crate::wiring::Wired;
use crate::{RUNTIME, run, shown};

/// How long it may take.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Seconds after which it ends, right or not
    #[arg(long, value_name = "SECS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

/// Runs the engine until every record is proven. Power is given back to a router to which it is owed, and never taken.
pub(crate) fn run(mut wired: Wired, arguments: &Arguments) -> ExitCode {
    wired.config.recovery.allowed = false;
    wired.config.telemetry.listen = None;
    let sandbox = match run::begin(&wired) {
        Ok(sandbox) => sandbox,
        Err(refused) => return refused,
    };
    let limit = Duration::from_secs(arguments.timeout);
    let dry_run = wired.config.dry_run;
    run::in_runtime(async move {
        let admin = match alone(&wired.config.admin_socket) {
            Ok(admin) => admin,
            Err(why) => {
                eprintln!("ddnsd: error: {why}");
                return Ok(ExitCode::from(RUNTIME));
            }
        };
        let done = Arc::new(Notify::new());
        let view = Done { dry_run, done: Arc::clone(&done) };
        let (tell, mut told) = oneshot::channel();
        let enough = |handle: Handle| async move {
            // Too late is as good a reason to end as any.
            let _ = timeout(limit, done.notified()).await;
            let _ = tell.send(handle.status().await);
        };
        run::serve(wired, sandbox, admin, vec![Box::new(view)], enough).await?;
        let Some(status) = told.try_recv().ok().flatten() else { return Ok(ExitCode::from(RUNTIME)) };
        for record in &status.records {
            println!("{}", line(record));
        }
        Ok(if status.converged { ExitCode::SUCCESS } else { ExitCode::from(RUNTIME) })
    })
}

/// The admin socket, by which others see that somebody is at work; `None` where there can't be one. Why nothing may be done
/// if somebody is at work already, or may be.
fn alone(socket: &Path) -> Result<Option<Admin>, String> {
    let shown = socket.display();
    match Admin::bind(socket) {
        Ok(admin) => Ok(Some(admin)),
        Err(AdminError::Taken) => {
            Err(format!("a ddnsd answers on {shown} and does this already: see `ddnsd status`, or stop it"))
        }
        Err(AdminError::Refused(error)) if error.kind() == ErrorKind::PermissionDenied && socket.exists() => {
            Err(format!("a ddnsd may answer on {shown}, which may not be opened: do this as its user, or as root"))
        }
        // Nobody has to ask it while it runs.
        Err(AdminError::Refused(_)) => Ok(None),
    }
}

/// Says when there is nothing left to do.
struct Done {
    dry_run: bool,
    done: Arc<Notify>,
}

impl View for Done {
    fn observe(&mut self, _now: Instant, _transition: &Transition, status: &Status) {
        let said = |record: &RecordStatus| record.desired.is_some() && record.state == State::Rest;
        if status.converged || (self.dry_run && status.records.iter().all(said)) {
            self.done.notify_one();
        }
    }
}

fn line(record: &RecordStatus) -> String {
    let what = match (record.desired, record.confirmed) {
        (None, _) => "no address to publish".to_owned(),
        (Some(desired), _) if record.converged => {
            format!("{desired} proven by {}", record.verified_by.map_or("nobody", Stage::as_str))
        }
        (Some(desired), Some(confirmed)) if desired == confirmed => format!("{desired} written, not proven yet"),
        (Some(desired), confirmed) => {
            let confirmed = confirmed.map_or_else(|| "nothing".to_owned(), |address: IpAddr| address.to_string());
            format!("{desired} not written; the provider is known to hold {confirmed}")
        }
    };
    let error = record.error.as_ref().map(|error| format!(": {}", shown::text(error))).unwrap_or_default();
    format!("{} {} {what}{error}", record.key.name, record.key.rtype)
}
