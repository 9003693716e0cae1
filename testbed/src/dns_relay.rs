//! DNS over TCP through a middleman that can lose what passes.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
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
                let _ = bound.send(listener.local_addr()?);
                tokio::select! {
                    outcome = serve(listener, server, shared) => outcome,
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
        // The code of operation is in bits 1 to 4 of the third octet; 5 is UPDATE.
        let is_update = request.get(2).is_some_and(|octet| octet >> 3 & 0xf == 5);
        let fault = {
            let mut state = lock(state);
            *if is_update { &mut state.updates } else { &mut state.queries } += 1;
            if is_update { state.faults.pop_front() } else { None }
        };
        if fault == Some(RelayFault::LoseUpdate) {
            return Ok(());
        }
        let mut upstream = TcpStream::connect(server).await?;
        send(&mut upstream, &request).await?;
        let mut answer = receive(&mut upstream).await?;
        match fault {
            None | Some(RelayFault::LoseUpdate) => {}
            Some(RelayFault::LoseAnswer) => return Ok(()),
            Some(RelayFault::Garbage) => answer = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            Some(RelayFault::Tamper) => answer[3] ^= 0x80,
        }
        send(client, &answer).await?;
    }
    Ok(())
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
