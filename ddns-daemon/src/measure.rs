//! Asks the engine, and measures: what `ddns-telemetry` counts, and who gets to see it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use ddns_core::config::Config;
use ddns_core::driver::Handle;
use ddns_core::engine::Status;
use ddns_core::ports::Clock;
use ddns_core::uptime::History;
use ddns_linux::BootClock;
use ddns_telemetry::{Figures, Otlp, Telemetry, TelemetryError, TunnelFigures};
use futures_util::future::Either;
use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::system::uname;
use tokio::net::TcpListener;

use crate::wireguard::Tunnel;

/// Asks the engine, and times how long its loop takes to answer.
#[derive(Clone)]
pub(crate) struct Asker {
    pub(crate) handle: Handle,
    pub(crate) telemetry: Option<Arc<Telemetry>>,
}

impl Asker {
    /// As [`Handle::status`].
    pub(crate) async fn status(&self) -> Option<Status> {
        self.timed(self.handle.status()).await
    }

    /// As [`Handle::history`].
    pub(crate) async fn history(&self) -> Option<History> {
        self.timed(self.handle.history()).await
    }

    async fn timed<T>(&self, asked: impl Future<Output = Option<T>>) -> Option<T> {
        let begin = Instant::now();
        let answer = asked.await?;
        if let Some(telemetry) = &self.telemetry {
            telemetry.loop_answered(begin.elapsed());
        }
        Some(answer)
    }
}

/// What is asked for a reading of the metrics.
#[derive(Clone)]
pub(crate) struct Measure {
    pub(crate) telemetry: Arc<Telemetry>,
    asker: Asker,
    tunnel: Option<Arc<Tunnel>>,
    attempts_limit: u32,
    plug: bool,
}

/// The instruments, if anybody is to read them.
pub(crate) fn telemetry(config: &Config, otlp: Option<&Otlp>) -> Result<Option<Arc<Telemetry>>, TelemetryError> {
    if !config.telemetry.on() {
        return Ok(None);
    }
    let instance = uname().nodename().to_string_lossy().into_owned();
    Telemetry::new(env!("CARGO_PKG_VERSION"), &instance, otlp).map(|telemetry| Some(Arc::new(telemetry)))
}

/// `future`, whose polls are counted as those of `part` if anything is.
pub(crate) fn part<F: Future>(
    telemetry: Option<&Telemetry>,
    part: &'static str,
    future: F,
) -> impl Future<Output = F::Output> + use<F> {
    match telemetry {
        Some(telemetry) => Either::Left(telemetry.part(part, future)),
        None => Either::Right(future),
    }
}

impl Measure {
    pub(crate) fn new(config: &Config, asker: Asker, tunnel: Option<Arc<Tunnel>>) -> Option<Self> {
        let telemetry = asker.telemetry.clone()?;
        let recovery = &config.recovery;
        let (attempts_limit, plug) = (recovery.max_per_day, recovery.plug.is_some());
        Some(Self { telemetry, asker, tunnel, attempts_limit, plug })
    }

    /// What the engine says now; `None` once it has ended.
    pub(crate) async fn figures(&self) -> Option<Figures> {
        // The history first: it steps the engine, and the status is that after the step.
        let history = self.asker.history().await?;
        let status = self.asker.status().await?;
        let tunnel = match &self.tunnel {
            // What can't be read is warned of where the handshakes are followed.
            Some(tunnel) => {
                let peers = tunnel.look().await.map(|_| tunnel.handshake_ages()).unwrap_or_default();
                let peers = peers.into_iter().map(|(peer, age)| (peer.to_string(), age)).collect();
                Some(TunnelFigures { interface: tunnel.interface().to_owned(), peers })
            }
            None => None,
        };
        let (attempts_limit, plug) = (self.attempts_limit, self.plug);
        Some(Figures { status, history, wall: BootClock.wall(), attempts_limit, plug, tunnel })
    }
}

/// Listens for those who read metrics over TCP.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    // The one before may have left connections that are not yet forgotten.
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, 16)?;
    TcpListener::from_std(socket.into())
}
