use std::error::Error;
use std::io;

use aya::programs::SocketFilter;

use super::event_socket::{Addresses, EventSocket};
use super::loaded::{Globals, LoadError, Loaded};
use super::{Announcements, HookError};
use crate::netlink_socket::NetlinkSocket;

/// The eBPF filter on an rtnetlink socket. The program stays attached for as long as the socket lives.
pub(crate) struct SocketFilterHook {
    socket: EventSocket,
    pub(super) loaded: Loaded,
}

impl SocketFilterHook {
    pub(super) fn attach(globals: &Globals) -> Result<Self, HookError> {
        let socket = NetlinkSocket::open().map_err(HookError::of_socket)?;
        let mut loaded = Loaded::new(globals).map_err(HookError::of_bpf)?;
        filter(&mut loaded, &socket).map_err(HookError::of_bpf)?;
        let socket = EventSocket::join(socket, Addresses::Elsewhere).map_err(HookError::of_socket)?;
        Ok(Self { socket, loaded })
    }

    pub(super) async fn ready(&self) -> io::Result<()> {
        tokio::select! {
            ready = self.socket.ready() => ready,
            ready = self.loaded.ready() => ready,
        }
    }

    pub(super) fn drain(&mut self, batch: usize) -> io::Result<Announcements> {
        let mut found = Announcements::default();
        self.loaded.drain(batch, &mut found)?;
        self.socket.drain(batch, &mut found)?;
        if found.loss {
            self.loaded.has_dropped();
        }
        Ok(found)
    }
}

/// Attaches the program, or the mute one where the verifier takes only that.
fn filter(loaded: &mut Loaded, socket: &NetlinkSocket) -> Result<(), LoadError> {
    let Err(refusal) = attach(loaded, ddns_ebpf::ADDRESS_FILTER, socket) else { return Ok(()) };
    tracing::debug!(
        error = &refusal as &dyn Error,
        "No eBPF program with a log: older kernels grant it with CAP_PERFMON"
    );
    attach(loaded, ddns_ebpf::MUTE_ADDRESS_FILTER, socket)
}

fn attach(loaded: &mut Loaded, name: &'static str, socket: &NetlinkSocket) -> Result<(), LoadError> {
    let program: &mut SocketFilter = loaded.program(name)?;
    program.load().map_err(LoadError::Program)?;
    program.attach(socket).map_err(LoadError::Program)
}
