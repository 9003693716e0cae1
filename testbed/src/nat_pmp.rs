//! A double of a home router's NAT-PMP server (RFC 6886), for what miniupnpd never does: to tell an external address that
//! is not public, as the routers of providers do that share addresses.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::{
    Namespace,
    namespace::spawn_thread,
    nat_world::{GATEWAY, ROUTER_LAN_INTERFACE},
};

const PORT: u16 = 5351;
const ANNOUNCED_TO: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 1), 5350);
const TURN: Duration = Duration::from_millis(50);
/// Operation code 128 + 0.
const EXTERNAL_ADDRESS: u8 = 128;
/// RFC 6886 §3.5: what a server that knows no other version answers.
const UNSUPPORTED_VERSION: u16 = 1;
const UNSUPPORTED_OPCODE: u16 = 5;

/// A running double. It ends when dropped.
pub struct NatPmpDouble {
    external: Arc<Mutex<Ipv4Addr>>,
    socket: UdpSocket,
    begun: Instant,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl NatPmpDouble {
    /// Starts it on the router's LAN address.
    pub fn start(router: &Namespace, external: Ipv4Addr) -> Result<Self> {
        // What goes to all hosts of the link goes to the LAN.
        router.ip(&["route", "replace", "224.0.0.0/4", "dev", ROUTER_LAN_INTERFACE])?;
        let socket = router.enter(|| UdpSocket::bind((GATEWAY, PORT)))?.context("listening for NAT-PMP")?;
        socket.set_read_timeout(Some(TURN))?;
        let (begun, external, stop) =
            (Instant::now(), Arc::new(Mutex::new(external)), Arc::new(AtomicBool::new(false)));
        let (serving, shared, stopped) = (socket.try_clone()?, Arc::clone(&external), Arc::clone(&stop));
        let thread = spawn_thread(None, "NAT-PMP double", move || {
            while !stopped.load(Ordering::Relaxed) {
                serve(&serving, begun, *shared.lock().unwrap_or_else(PoisonError::into_inner));
            }
        })?;
        Ok(Self { external, socket, begun, stop, thread: Some(thread) })
    }

    /// It has another external address from here on, and announces that (§3.2.1).
    pub fn set(&self, external: Ipv4Addr) -> Result<()> {
        *self.external.lock().unwrap_or_else(PoisonError::into_inner) = external;
        self.socket.send_to(&address(self.begun, external), ANNOUNCED_TO).context("announcing")?;
        Ok(())
    }
}

impl Drop for NatPmpDouble {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("testbed: the thread of the NAT-PMP double panicked");
        }
    }
}

fn serve(socket: &UdpSocket, begun: Instant, external: Ipv4Addr) {
    let mut buffer = [0; 1100];
    let (length, client): (usize, SocketAddr) = match socket.recv_from(&mut buffer) {
        Ok(received) => received,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return,
        Err(error) => panic!("receiving: {error}"),
    };
    let answer = match buffer.get(..length) {
        Some([0, 0]) => address(begun, external).to_vec(),
        Some([0, opcode, ..]) => refusal(begun, *opcode, UNSUPPORTED_OPCODE),
        Some([_, opcode, ..]) => refusal(begun, *opcode, UNSUPPORTED_VERSION),
        Some(_) | None => return,
    };
    drop(socket.send_to(&answer, client));
}

/// §3.2: version, operation, result, epoch, address.
fn address(begun: Instant, external: Ipv4Addr) -> [u8; 12] {
    let mut answer = [0; 12];
    answer[1] = EXTERNAL_ADDRESS;
    answer[4..8].copy_from_slice(&epoch(begun).to_be_bytes());
    answer[8..].copy_from_slice(&external.octets());
    answer
}

fn refusal(begun: Instant, opcode: u8, result: u16) -> Vec<u8> {
    [&[0, opcode | 128][..], &result.to_be_bytes(), &epoch(begun).to_be_bytes()].concat()
}

fn epoch(begun: Instant) -> u32 {
    u32::try_from(begun.elapsed().as_secs()).unwrap_or(u32::MAX)
}
