use std::convert::Infallible;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use ddns_core::driver::{DRAIN_UPDATES, DdnsEngine, View};
use ddns_linux::drop_privileges;
use futures_util::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::admin::routes::Routes;
use crate::admin::{Admin, AdminError};
use crate::log_view::LogView;
use crate::notify::{self, StatusView};
use crate::wiring::Wired;
use crate::{RUNTIME, telemetry};

/// At most so many things wait for the disk or the system's resolver at a time; a resolver that hangs must not hold up
/// the disk.
const BLOCKING_THREADS: usize = 16;
/// Threads that wait for the disk or the system's resolver go away when idle for this time.
const IDLE_THREAD: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(wired: Wired) -> ExitCode {
    telemetry::start(wired.log_level, wired.log_format);
    for warning in &wired.warnings {
        tracing::warn!("{warning}");
    }
    match catch_unwind(AssertUnwindSafe(|| in_runtime(wired))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            tracing::error!(error = format!("{error:#}"), "ddnsd ends");
            ExitCode::from(RUNTIME)
        }
        Err(_) => ExitCode::from(RUNTIME),
    }
}

fn in_runtime(wired: Wired) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(IDLE_THREAD)
        .on_thread_start(drop_privileges)
        .build()
        .context("the runtime can't start")?;
    let ended = runtime.block_on(serve(wired));
    runtime.shutdown_timeout(IDLE_THREAD);
    ended
}

async fn serve(wired: Wired) -> anyhow::Result<()> {
    let config = &wired.config;
    let terminate = signal(SignalKind::terminate()).context("SIGTERM can't be received")?;
    let interrupt = signal(SignalKind::interrupt()).context("SIGINT can't be received")?;
    let records: Vec<_> = config.records.iter().map(|record| record.key.to_string()).collect();
    let providers: Vec<_> = wired.ports.providers.iter().map(|provider| provider.name()).collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        provider = providers.join(", "),
        records = records.join(", "),
        dry_run = config.dry_run,
        "ddnsd starts"
    );
    let admin = match Admin::bind(&config.admin_socket) {
        Ok(admin) => Some(admin),
        Err(AdminError::Taken) => {
            anyhow::bail!(
                "another ddnsd answers on {}: stop it, or set DDNS_ADMIN_SOCKET elsewhere",
                config.admin_socket.display()
            );
        }
        Err(AdminError::Refused(error)) => {
            let socket = config.admin_socket.display();
            tracing::error!(%socket, %error, "No admin socket: set DDNS_ADMIN_SOCKET to a place that ddnsd can write");
            None
        }
    };
    let mut views: Vec<Box<dyn View>> = vec![Box::new(LogView), Box::new(StatusView)];
    let tunnel = wired.tunnel;
    let measuring = tunnel.as_ref().map_or_else(
        || pending().boxed(),
        |tunnel| {
            let (view, measuring) = tunnel.watch();
            views.push(Box::new(view));
            measuring.boxed()
        },
    );
    let listening = wired.listeners.is_some();
    let mut telling = wired.listeners.map_or_else(
        || pending().boxed(),
        |listeners| {
            let (view, telling) = listeners.listen(config);
            views.push(Box::new(view));
            telling.boxed()
        },
    );
    let lists = wired.lists.map_or_else(
        || pending().boxed(),
        |lists| {
            let (view, keeping) = lists.keep(config);
            views.push(Box::new(view));
            keeping.boxed()
        },
    );
    let seed = wired.ports.clock.wall().as_millis() ^ wired.ports.clock.now().as_nanos();
    let (engine, handle) = DdnsEngine::new(config, wired.ports, views, seed).await;
    let answers = async {
        match &admin {
            Some(admin) => {
                let routes = Routes { handle: handle.clone(), tunnel: tunnel.clone(), keeps_state: wired.keeps_state };
                match admin.serve(routes).await {}
            }
            None => pending::<()>().await,
        }
    };
    tokio::select! {
        () = engine.run(asked_to_end(terminate, interrupt)) => {}
        () = answers => {}
        () = notify::keep_notified(handle.clone()) => {}
        never = beside(measuring) => match never {},
        never = beside(lists) => match never {},
        never = beside(&mut telling) => match never {},
    }
    if listening && timeout(DRAIN_UPDATES, telling).await.is_err() {
        tracing::warn!("Who is told of verified changes takes too long for a shutdown, and is given up");
    }
    tracing::info!("ddnsd ends");
    Ok(())
}

/// Work that may end and ends nothing else.
async fn beside(work: impl Future<Output = ()>) -> Infallible {
    work.await;
    pending().await
}

async fn asked_to_end(mut terminate: Signal, mut interrupt: Signal) {
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(signal = name, "Shutting down");
    notify::stopping();
}
