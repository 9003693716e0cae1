use std::io;

use aya::maps::{HashMap, Map, MapData, MapError, PerCpuArray, RingBuf};
use aya::programs::{Program, ProgramError};
use aya::{Ebpf, EbpfError, EbpfLoader};
use aya_log::EbpfLogger;
use log::Log;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::kernel_layout::KernelLayout;
use super::{Announcements, object};
use crate::readiness::{self, until_empty};

/// The eBPF object in the kernel: its programs, its ring and its log. What is attached stays so for as long as this
/// lives.
pub(super) struct Loaded {
    ebpf: Ebpf,
    ring: AsyncFd<RingBuf<MapData>>,
    drops: PerCpuArray<MapData, u64>,
    log: AsyncFd<EbpfLogger<&'static dyn Log>>,
    interfaces: HashMap<MapData, u32, u8>,
    dropped: u64,
}

/// What the programs are told before they run.
pub(super) struct Globals {
    /// Announcements of interfaces that are not in the set don't wake anybody.
    pub(super) only_listed: bool,
    /// Where the kernel keeps what the tracing programs read.
    pub(super) layout: KernelLayout,
    /// The one namespace that the tracing programs look at; 0 for all.
    pub(super) netns: u32,
    /// The namespace whose TCP connections count.
    pub(super) own_netns: u32,
    /// The kernel says which addresses are its own.
    pub(super) proto_tells: bool,
}

/// A step of loading that failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    #[error("built without the eBPF object")]
    NotBuilt,
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
    #[error("an eBPF map could not be watched")]
    Watch(#[source] io::Error),
}

impl Loaded {
    pub(super) fn new(globals: &Globals) -> Result<Self, LoadError> {
        let object = object::embedded().ok_or(LoadError::NotBuilt)?;
        let mut ebpf = load(object, globals)?;
        let log = EbpfLogger::init(&mut ebpf).map_err(LoadError::Log)?;
        let ring = open::<RingBuf<_>>(&mut ebpf, ddns_ebpf::EVENTS)?;
        Ok(Self {
            ring: readiness::watch(ring, Interest::READABLE).map_err(LoadError::Watch)?,
            log: readiness::watch(log, Interest::READABLE).map_err(LoadError::Watch)?,
            drops: open(&mut ebpf, ddns_ebpf::DROPS)?,
            interfaces: open(&mut ebpf, ddns_ebpf::INTERFACES)?,
            dropped: 0,
            ebpf,
        })
    }

    /// A program of the object, not loaded yet.
    pub(super) fn program<'a, P>(&'a mut self, name: &'static str) -> Result<P, LoadError>
    where
        P: TryFrom<&'a mut Program, Error = ProgramError>,
    {
        self.ebpf.program_mut(name).ok_or(LoadError::Missing(name))?.try_into().map_err(LoadError::Program)
    }

    pub(super) async fn ready(&self) -> io::Result<()> {
        tokio::select! {
            ready = self.ring.readable() => ready.map(drop),
            ready = self.log.readable() => ready.map(drop),
        }
    }

    /// Takes up to about `batch` entries of the ring; a record that found it full is a loss.
    ///
    /// Also those that the runtime has not been told of yet: a link may have been heard first, and the snapshot that follows
    /// shows what they announce.
    pub(super) fn drain(&mut self, batch: usize, found: &mut Announcements) -> io::Result<()> {
        let mut next = |ring: &mut RingBuf<MapData>| ring.next().map(|entry| found.take_entry(&entry));
        let ring = self.ring.get_mut();
        let _ = (0..batch).take_while(|_| next(ring).is_some()).count();
        let emptied =
            self.ring.try_io_mut(Interest::READABLE, |ring| next(ring).ok_or(io::ErrorKind::WouldBlock.into()));
        until_empty(emptied)?;
        let flushed = self.log.try_io_mut(Interest::READABLE, |log| {
            log.flush();
            Err::<(), _>(io::ErrorKind::WouldBlock.into())
        });
        until_empty(flushed)
    }

    /// Whether records found the ring full since this was asked last.
    pub(super) fn has_dropped(&mut self) -> bool {
        let dropped = self.drops.get(&0, 0).map_or(self.dropped, |counts| counts.iter().sum());
        let more = dropped != self.dropped;
        if more {
            tracing::debug!(dropped, "Address announcements overran the ring");
        }
        self.dropped = dropped;
        more
    }

    /// The interfaces whose announcements matter, where only those do.
    pub(super) fn follow(&mut self, indices: &[u32]) -> Result<(), MapError> {
        let known: Vec<u32> = self.interfaces.keys().collect::<Result<_, _>>()?;
        for index in known.iter().filter(|index| !indices.contains(index)) {
            self.interfaces.remove(index)?;
        }
        for index in indices.iter().filter(|index| !known.contains(index)) {
            self.interfaces.insert(index, 1, 0)?;
        }
        Ok(())
    }
}

fn load(object: &[u8], globals: &Globals) -> Result<Ebpf, LoadError> {
    // Messages that nobody reads are not even written.
    let level = match log::max_level() {
        log::LevelFilter::Off => 0_u8,
        log::LevelFilter::Error => 1,
        log::LevelFilter::Warn => 2,
        log::LevelFilter::Info => 3,
        log::LevelFilter::Debug => 4,
        log::LevelFilter::Trace => 5,
    };
    let Globals { layout, .. } = globals;
    let (only_listed, proto_tells) = (u32::from(globals.only_listed), u32::from(globals.proto_tells));
    EbpfLoader::new()
        .override_global(aya_log::LEVEL, &level, true)
        .override_global("ONLY_LISTED", &only_listed, true)
        .override_global("PROTO_TELLS", &proto_tells, true)
        .override_global("NETNS", &globals.netns, true)
        .override_global("DISTRESS_NETNS", &globals.own_netns, true)
        .override_global("SKB_LEN", &layout.skb_len, true)
        .override_global("SKB_DATA", &layout.skb_data, true)
        .override_global("NET_INUM", &layout.net_inum, true)
        .override_global("SOCK_NET", &layout.sock_net, true)
        .load(object)
        .map_err(LoadError::Object)
}

fn open<M: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &'static str) -> Result<M, LoadError> {
    ebpf.take_map(name).ok_or(LoadError::Missing(name))?.try_into().map_err(LoadError::Map)
}
