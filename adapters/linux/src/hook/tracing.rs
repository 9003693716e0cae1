use std::io;

use aya::Btf;
use aya::programs::{FEntry, KProbe, ProgramError};
use ddns_ebpf::{RTNL_NOTIFY, RTNL_NOTIFY_FENTRY, RTNL_NOTIFY_KPROBE};

use super::event_socket::{Addresses, EventSocket};
use super::loaded::{Globals, LoadError, Loaded};
use super::{Announcements, Hook, HookError};
use crate::netlink_socket::NetlinkSocket;

/// An eBPF program on the function through which the kernel announces addresses. Links are announced by a socket.
pub(crate) struct TracingHook {
    pub(super) rung: Hook,
    links: EventSocket,
    pub(super) loaded: Loaded,
}

impl TracingHook {
    pub(super) fn fentry(globals: &Globals) -> Result<Self, HookError> {
        let btf = Btf::from_sys_fs().map_err(|error| HookError::NoTypes(error.into()))?;
        Self::attach(Hook::Fentry, globals, |loaded| {
            let program: &mut FEntry = loaded.program(RTNL_NOTIFY_FENTRY)?;
            program.load(RTNL_NOTIFY, &btf).and_then(|()| program.attach()).map_err(LoadError::Program).map(drop)
        })
    }

    pub(super) fn kprobe(globals: &Globals) -> Result<Self, HookError> {
        Self::attach(Hook::Kprobe, globals, |loaded| {
            let program: &mut KProbe = loaded.program(RTNL_NOTIFY_KPROBE)?;
            let attached: Result<_, ProgramError> = program.load().and_then(|()| program.attach(RTNL_NOTIFY, 0));
            attached.map_err(LoadError::Program).map(drop)
        })
    }

    fn attach(
        rung: Hook,
        globals: &Globals,
        attach: impl FnOnce(&mut Loaded) -> Result<(), LoadError>,
    ) -> Result<Self, HookError> {
        let socket = NetlinkSocket::open().map_err(HookError::of_socket)?;
        let mut loaded = Loaded::new(globals).map_err(HookError::of_bpf)?;
        attach(&mut loaded).map_err(HookError::of_tracing)?;
        let links = EventSocket::join(socket, Addresses::NotAsked).map_err(HookError::of_socket)?;
        Ok(Self { rung, links, loaded })
    }

    pub(super) async fn ready(&self) -> io::Result<()> {
        tokio::select! {
            ready = self.links.ready() => ready,
            ready = self.loaded.ready() => ready,
        }
    }

    pub(super) fn drain(&mut self, batch: usize) -> io::Result<Announcements> {
        let mut found = Announcements::default();
        self.loaded.drain(batch, &mut found)?;
        self.links.drain(batch, &mut found)?;
        // Whoever found the ring full left no other trace, but the entries that filled it.
        if self.loaded.has_dropped() {
            found.take_loss();
        }
        Ok(found)
    }
}
