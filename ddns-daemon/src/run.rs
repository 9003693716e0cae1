use std::convert::Infallible;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use ddns_core::driver::{DRAIN_UPDATES, DdnsEngine, Handle, View};
use ddns_linux::drop_privileges;
use ddns_telemetry::Telemetry;
use futures_util::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::admin::routes::{Public, Routes};
use crate::admin::{Admin, AdminError};
use crate::log_view::LogView;
use crate::measure::{Asker, Measure, part};
use crate::notify::{self, StatusView};
use crate::on_change::Listeners;
use crate::sandbox::{self, Sandbox};
use crate::wiring::Wired;
use crate::{RUNTIME, admin, log_output, measure};

/// At most so many things wait for the disk or the system's resolver at a time; a resolver that hangs must not hold up
/// the disk.
const BLOCKING_THREADS: usize = 16;
/// Threads that wait for the disk or the system's resolver go away when idle for this time.
const IDLE_THREAD: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(wired: Wired) -> ExitCode {
    let sandbox = match begin(&wired) {
        Ok(sandbox) => sandbox,
        Err(refused) => return refused,
    };
    in_runtime(async {
        let socket = wired.config.admin_socket.clone();
        let admin = match Admin::bind(&socket) {
            Ok(admin) => Some(admin),
            Err(AdminError::Taken) => {
                anyhow::bail!(
                    "another ddnsd answers on {}: stop it, or set DDNS_ADMIN_SOCKET elsewhere",
                    socket.display()
                );
            }
            Err(AdminError::Refused(error)) => {
                let socket = socket.display();
                tracing::error!(%socket, %error, "No admin socket: set DDNS_ADMIN_SOCKET to a place that ddnsd can write");
                None
            }
        };
        serve(wired, sandbox, admin, Vec::new(), |_| pending()).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// From here on the log tells what happens, first what the configuration is warned of; and the sandbox stands.
pub(crate) fn begin(wired: &Wired) -> Result<Sandbox, ExitCode> {
    if let Err(error) = log_output::start(wired.log_level, wired.log_format) {
        eprintln!("ddnsd: error: {error:#}");
        return Err(ExitCode::from(RUNTIME));
    }
    for warning in &wired.warnings {
        tracing::warn!("{warning}");
    }
    Ok(sandbox::enter(&wired.layers, &wired.places))
}

/// The exit code of `work`; what ends it before its time is logged.
pub(crate) fn in_runtime(work: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    let worked = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(IDLE_THREAD)
            .on_thread_start(drop_privileges)
            .build()
            .context("the runtime can't start")?;
        let ended = runtime.block_on(work);
        runtime.shutdown_timeout(IDLE_THREAD);
        ended
    };
    match catch_unwind(AssertUnwindSafe(worked)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => {
            tracing::error!(error = format!("{error:#}"), "ddnsd ends");
            ExitCode::from(RUNTIME)
        }
        Err(_) => ExitCode::from(RUNTIME),
    }
}

/// The engine and all that goes with it, until SIGTERM, SIGINT, or `enough`.
pub(crate) async fn serve<E>(
    wired: Wired,
    sandbox: Sandbox,
    admin: Option<Admin>,
    mut views: Vec<Box<dyn View>>,
    enough: impl FnOnce(Handle) -> E,
) -> anyhow::Result<()>
where
    E: Future<Output = ()> + Send,
{
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
    let public = config.telemetry.listen.map(|address| (address, measure::listen(address)));
    let public = match public {
        Some((address, Err(error))) => {
            tracing::error!(%address, %error, "No metrics over TCP: set DDNS_METRICS_LISTEN to an address and port that are free");
            None
        }
        Some((_, Ok(listener))) => Some(listener),
        None => None,
    };
    let telemetry = measure::telemetry(config, wired.otlp.as_ref())?;
    let counting = telemetry.as_deref();
    views.extend([Box::new(LogView) as Box<dyn View>, Box::new(StatusView)]);
    views.extend(counting.map(Telemetry::views).unwrap_or_default());
    let tunnel = wired.tunnel;
    let measuring = tunnel.as_ref().map_or_else(
        || pending().boxed(),
        |tunnel| {
            let (view, measuring) = tunnel.watch(telemetry.clone());
            views.push(Box::new(view));
            measuring.boxed()
        },
    );
    let listening = wired.listeners.is_some();
    let mut telling = wired.listeners.map_or_else(
        || pending().boxed(),
        |listeners| {
            let (view, telling) = Listeners { telemetry: telemetry.clone(), ..listeners }.listen(config);
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
    let ports = match counting {
        Some(telemetry) => {
            let sources: Vec<_> = config.sources.iter().map(|source| source.name.clone()).collect();
            telemetry.metered(wired.ports, &sources)
        }
        None => wired.ports,
    };
    let (engine, handle) = DdnsEngine::new(config, ports, views, seed).await;
    let asker = Asker { handle, telemetry: telemetry.clone() };
    let measure = Measure::new(config, asker.clone(), tunnel.clone());
    let routes =
        Routes { asker: asker.clone(), measure: measure.clone(), tunnel, keeps_state: wired.keeps_state, sandbox };
    let answers = async {
        match &admin {
            Some(admin) => match admin.serve(routes.clone()).await {},
            None => pending::<()>().await,
        }
    };
    let publicly = async {
        match &public {
            Some(listener) => {
                let accept = async || listener.accept().await.map(|(stream, _)| stream);
                match admin::serve(accept, Public(routes.clone())).await {}
            }
            None => pending::<()>().await,
        }
    };
    let exporting = async {
        match &measure {
            Some(measure) => measure.telemetry.export(|| measure.figures()).await,
            None => pending().await,
        }
    };
    let notifying = notify::keep_notified(asker.clone());
    tokio::select! {
        () = part(counting, "engine", engine.run(ended(terminate, interrupt, enough(asker.handle.clone())))) => {}
        () = part(counting, "admin", answers) => {}
        () = part(counting, "metrics", publicly) => {}
        () = part(counting, "systemd", notifying) => {}
        never = beside(part(counting, "wireguard", measuring)) => match never {},
        never = beside(part(counting, "lists", lists)) => match never {},
        never = beside(part(counting, "hooks", &mut telling)) => match never {},
        never = beside(part(counting, "export", exporting)) => match never {},
    }
    if listening && timeout(DRAIN_UPDATES, telling).await.is_err() {
        tracing::warn!("Who is told of verified changes takes too long for a shutdown, and is given up");
    }
    if let Some(telemetry) = &telemetry {
        telemetry.end(None).await;
    }
    tracing::info!("ddnsd ends");
    Ok(())
}

/// Work that may end and ends nothing else.
async fn beside(work: impl Future<Output = ()>) -> Infallible {
    work.await;
    pending().await
}

async fn ended(terminate: Signal, interrupt: Signal, enough: impl Future<Output = ()>) {
    tokio::select! {
        () = asked_to_end(terminate, interrupt) => {}
        () = enough => {}
    }
}

async fn asked_to_end(mut terminate: Signal, mut interrupt: Signal) {
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    };
    tracing::info!(signal = name, "Shutting down");
    notify::stopping();
}
