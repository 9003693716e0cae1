use std::error::Error;
use std::io;

use aya::maps::{Map, MapData, MapError, PerCpuArray, RingBuf};
use aya::programs::{ProgramError, SocketFilter};
use aya::{Ebpf, EbpfError, EbpfLoader};
use aya_log::EbpfLogger;
use log::Log;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::event_socket::{Addresses, EventSocket};
use super::{Announcements, HookError, object};
use crate::netlink_socket::NetlinkSocket;
use crate::readiness::{self, until_empty};

/// The eBPF filter, its ring and its log. The program stays attached for as long as the socket lives.
pub(crate) struct SocketFilterHook {
    socket: EventSocket,
    ring: AsyncFd<RingBuf<MapData>>,
    drops: PerCpuArray<MapData, u64>,
    log: AsyncFd<EbpfLogger<&'static dyn Log>>,
    _ebpf: Ebpf,
}

/// A step of loading that failed.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("the eBPF object did not load")]
    Object(#[source] EbpfError),
    #[error("the eBPF program did not load")]
    Program(#[source] ProgramError),
    #[error("an eBPF map could not be opened")]
    Map(#[source] MapError),
    #[error("the log of the eBPF program could not be opened")]
    Log(#[source] aya_log::Error),
    #[error("the eBPF object has no {0}")]
    Missing(&'static str),
}

impl SocketFilterHook {
    pub(super) fn attach() -> Result<Self, HookError> {
        let object = object::embedded().ok_or(HookError::NotBuilt)?;
        let socket = NetlinkSocket::open().map_err(HookError::of_socket)?;
        let mut ebpf = load(object).map_err(HookError::of_bpf)?;
        let log = EbpfLogger::init(&mut ebpf).map_err(LoadError::Log).map_err(HookError::of_bpf)?;
        filter(&mut ebpf, &socket).map_err(HookError::of_bpf)?;
        let ring = open::<RingBuf<_>>(&mut ebpf, ddns_ebpf::EVENTS).map_err(HookError::of_bpf)?;
        let drops = open(&mut ebpf, ddns_ebpf::DROPS).map_err(HookError::of_bpf)?;
        Ok(Self {
            socket: EventSocket::join(socket, Addresses::Elsewhere).map_err(HookError::of_socket)?,
            ring: readiness::watch(ring, Interest::READABLE).map_err(HookError::of_bpf)?,
            log: readiness::watch(log, Interest::READABLE).map_err(HookError::of_bpf)?,
            drops,
            _ebpf: ebpf,
        })
    }

    pub(super) async fn ready(&self) -> io::Result<()> {
        tokio::select! {
            ready = self.socket.ready() => ready,
            ready = self.ring.readable() => ready.map(drop),
            ready = self.log.readable() => ready.map(drop),
        }
    }

    pub(super) fn drain(&mut self, batch: usize) -> io::Result<Announcements> {
        let mut found = Announcements::default();
        drain_ring(&mut self.ring, batch, &mut found)?;
        self.socket.drain(batch, &mut found)?;
        if found.loss {
            tracing::debug!(dropped = self.dropped(), "Address announcements overran the ring");
        }
        let flushed = self.log.try_io_mut(Interest::READABLE, |log| {
            log.flush();
            Err::<(), _>(io::ErrorKind::WouldBlock.into())
        });
        until_empty(flushed)?;
        Ok(found)
    }

    /// Records for which the ring had no room since the program was loaded.
    fn dropped(&self) -> u64 {
        self.drops.get(&0, 0).map_or(0, |counts| counts.iter().sum())
    }
}

fn drain_ring(ring: &mut AsyncFd<RingBuf<MapData>>, batch: usize, found: &mut Announcements) -> io::Result<()> {
    until_empty(ring.try_io_mut(Interest::READABLE, |ring| {
        for _ in 0..batch {
            let entry = ring.next().ok_or(io::ErrorKind::WouldBlock)?;
            found.take_record(&entry);
        }
        Ok(())
    }))
}

fn load(object: &[u8]) -> Result<Ebpf, LoadError> {
    // Messages that nobody reads are not even written.
    let level = match log::max_level() {
        log::LevelFilter::Off => 0_u8,
        log::LevelFilter::Error => 1,
        log::LevelFilter::Warn => 2,
        log::LevelFilter::Info => 3,
        log::LevelFilter::Debug => 4,
        log::LevelFilter::Trace => 5,
    };
    EbpfLoader::new().override_global(aya_log::LEVEL, &level, true).load(object).map_err(LoadError::Object)
}

/// Attaches the program, or the mute one where the verifier takes only that.
fn filter(ebpf: &mut Ebpf, socket: &NetlinkSocket) -> Result<(), LoadError> {
    let Err(refusal) = attach(ebpf, ddns_ebpf::ADDRESS_FILTER, socket) else { return Ok(()) };
    tracing::debug!(
        error = &refusal as &dyn Error,
        "No eBPF program with a log: older kernels grant it with CAP_PERFMON"
    );
    attach(ebpf, ddns_ebpf::MUTE_ADDRESS_FILTER, socket)
}

fn attach(ebpf: &mut Ebpf, name: &'static str, socket: &NetlinkSocket) -> Result<(), LoadError> {
    let program: &mut SocketFilter =
        ebpf.program_mut(name).ok_or(LoadError::Missing(name))?.try_into().map_err(LoadError::Program)?;
    program.load().map_err(LoadError::Program)?;
    program.attach(socket).map_err(LoadError::Program)
}

fn open<M: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, LoadError> {
    ebpf.take_map(name).ok_or(LoadError::Missing(name))?.try_into().map_err(LoadError::Map)
}
