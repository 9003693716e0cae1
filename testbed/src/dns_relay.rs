//! DNS over TCP and UDP through a middleman that can lose what passes.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::oneshot,
};

use crate::{Namespace, namespace::spawn_thread};

/// What happens to the next update and its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RelayFault {
    /// The server answers, and the answer is lost.
    LoseAnswer,
    /// The update is lost.
    LoseUpdate,
    /// Something that is no DNS message comes in place of the server's answer.
    Garbage,
    /// The answer comes with one bit turned over.
    Tamper,
}

#[derive(Default)]
struct State {
    faults: VecDeque<RelayFault>,
    updates: usize,
    queries: usize,
    datagrams: usize,
}

impl State {
    /// What happens to this message.
    fn take(&mut self, request: &[u8]) -> Option<RelayFault> {
        // The code of operation is in bits 1 to 4 of the third octet; 5 is UPDATE.
        let is_update = request.get(2).is_some_and(|octet| octet >> 3 & 0xf == 5);
        *if is_update { &mut self.updates } else { &mut self.queries } += 1;
        if is_update { self.faults.pop_front() } else { None }
    }
}

/// Relays between clients and one name server until it is dropped.
pub struct DnsRelay {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<Result<()>>>>,
}

impl DnsRelay {
    /// Listens on `address` inside `namespace`, and relays to `server`.
    pub fn start(namespace: Option<&Namespace>, address: SocketAddr, server: SocketAddr) -> Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let (stop, stopped) = oneshot::channel();
        let (bound, listening) = std::sync::mpsc::channel();
        let shared = Arc::clone(&state);
        let thread = spawn_thread(namespace, "dns relay", move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().context("a tokio runtime")?;
            runtime.block_on(async move {
                let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
                let address = listener.local_addr()?;
                let socket = UdpSocket::bind(address).await.with_context(|| format!("datagrams to {address}"))?;
                let _ = bound.send(address);
                tokio::select! {
                    outcome = serve(listener, server, Arc::clone(&shared)) => outcome,
                    outcome = serve_datagrams(socket, server, shared) => outcome,
                    _ = stopped => Ok(()),
                }
            })
        })?;
        let address = listening.recv().context("the relay did not start")?;
        Ok(Self { address, state, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Does this to the next update for which nothing is planned yet.
    pub fn push(&self, fault: RelayFault) {
        lock(&self.state).faults.push_back(fault);
    }

    /// The updates that have come in, lost ones included.
    pub fn updates(&self) -> usize {
        lock(&self.state).updates
    }

    /// The other messages that have come in.
    pub fn queries(&self) -> usize {
        lock(&self.state).queries
    }

    /// How many of both came in a datagram.
    pub fn datagrams(&self) -> usize {
        lock(&self.state).datagrams
    }
}

impl Drop for DnsRelay {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, server: SocketAddr, state: Arc<Mutex<State>>) -> Result<()> {
    loop {
        let (mut client, _) = listener.accept().await?;
        let state = Arc::clone(&state);
        // One client's trouble is not another's.
        tokio::spawn(async move { relay(&mut client, server, &state).await });
    }
}

async fn relay(client: &mut TcpStream, server: SocketAddr, state: &Mutex<State>) -> Result<()> {
    while let Ok(request) = receive(client).await {
        let fault = lock(state).take(&request);
        if fault == Some(RelayFault::LoseUpdate) {
            return Ok(());
        }
        let mut upstream = TcpStream::connect(server).await?;
        send(&mut upstream, &request).await?;
        let answer = receive(&mut upstream).await?;
        let Some(answer) = suffer(fault, answer) else { return Ok(()) };
        send(client, &answer).await?;
    }
    Ok(())
}

/// What becomes of the server's answer.
fn suffer(fault: Option<RelayFault>, mut answer: Vec<u8>) -> Option<Vec<u8>> {
    match fault {
        None => {}
        Some(RelayFault::LoseAnswer | RelayFault::LoseUpdate) => return None,
        Some(RelayFault::Garbage) => answer = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        Some(RelayFault::Tamper) => answer[3] ^= 0x80,
    }
    Some(answer)
}

async fn serve_datagrams(socket: UdpSocket, server: SocketAddr, state: Arc<Mutex<State>>) -> Result<()> {
    let socket = Arc::new(socket);
    let mut buffer = vec![0; 65_535];
    loop {
        let (length, client) = socket.recv_from(&mut buffer).await?;
        let request = buffer[..length].to_vec();
        let fault = {
            let mut state = lock(&state);
            state.datagrams += 1;
            state.take(&request)
        };
        if fault == Some(RelayFault::LoseUpdate) {
            continue;
        }
        let socket = Arc::clone(&socket);
        tokio::spawn(async move {
            let upstream = UdpSocket::bind((unspecified(server), 0)).await?;
            upstream.connect(server).await?;
            upstream.send(&request).await?;
            let mut answer = vec![0; 65_535];
            let length = upstream.recv(&mut answer).await?;
            answer.truncate(length);
            if let Some(answer) = suffer(fault, answer) {
                socket.send_to(&answer, client).await?;
            }
            Ok::<_, std::io::Error>(())
        });
    }
}

/// Any address of the same family.
const fn unspecified(address: SocketAddr) -> IpAddr {
    match address {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

async fn receive(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn send(stream: &mut TcpStream, message: &[u8]) -> Result<()> {
    let length = u16::try_from(message.len()).context("a DNS message over 64 KiB")?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await?;
    Ok(())
}
