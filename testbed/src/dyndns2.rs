//! A service that speaks dyndns2, over real TLS: hosts are made at the service, updates arrive by GET with Basic
//! authentication, and what is accepted goes into DNS.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

use anyhow::{Context, Result};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    sync::oneshot,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Named, Namespace,
    dynamic_update::{Rrset, exchange_ok},
    named::TTL,
    namespace::spawn_thread,
};

const LARGEST_HEAD: usize = 8192;

/// What the service does with the next update.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DyndnsFault {
    /// Answers with this and does nothing.
    Says(&'static str),
    /// Does it, and the answer is lost.
    ApplyThenDrop,
    /// The connection ends before anything is done.
    Drop,
}

/// A request as it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DyndnsRequest {
    /// Path and query.
    pub target: String,
    /// The `User-Agent` field.
    pub user_agent: String,
    /// The word that was answered, empty for none.
    pub answer: String,
}

struct State {
    /// The `Authorization` field that is accepted.
    authorization: String,
    zone: String,
    hosts: BTreeSet<String>,
    held: BTreeMap<(String, bool), IpAddr>,
    faults: VecDeque<DyndnsFault>,
    requests: Vec<DyndnsRequest>,
}

/// The service. It ends when it is dropped.
pub struct DyndnsDouble {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<Result<()>>>>,
}

impl DyndnsDouble {
    /// Starts it on `address` with one account, whose credentials are the Base64 text of Basic authentication, and one
    /// zone, of which these hosts are made. With a name server the addresses go there.
    pub fn start(
        (namespace, address): (Option<&Namespace>, SocketAddr),
        tls: Arc<ServerConfig>,
        credentials: &str,
        (zone, hosts): (&str, &[&str]),
        named: Option<&Named<'_>>,
    ) -> Result<Self> {
        let state = Arc::new(Mutex::new(State {
            authorization: format!("Basic {credentials}"),
            zone: zone.to_owned(),
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
            held: BTreeMap::new(),
            faults: VecDeque::new(),
            requests: Vec::new(),
        }));
        let (stop, stopped) = oneshot::channel();
        let (bound, listening) = std::sync::mpsc::channel();
        let (shared, dns) = (Arc::clone(&state), named.map(Named::dns));
        let thread = spawn_thread(namespace, "dyndns2 double", move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().context("a tokio runtime")?;
            runtime.block_on(async move {
                let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
                let _ = bound.send(listener.local_addr()?);
                tokio::select! {
                    outcome = serve(listener, TlsAcceptor::from(tls), shared, dns) => outcome,
                    _ = stopped => Ok(()),
                }
            })
        })?;
        let address = listening.recv().context("the dyndns2 double did not start")?;
        Ok(Self { address, state, stop: Some(stop), thread: Some(thread) })
    }

    /// The URL of updates.
    pub fn url(&self) -> String {
        format!("https://{}/nic/update", self.address)
    }

    /// Does this with the next update for which nothing is planned yet.
    pub fn push(&self, fault: DyndnsFault) {
        lock(&self.state).faults.push_back(fault);
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<DyndnsRequest> {
        lock(&self.state).requests.clone()
    }

    /// The address of a host.
    pub fn holds(&self, host: &str, v6: bool) -> Option<IpAddr> {
        lock(&self.state).held.get(&(host.to_owned(), v6)).copied()
    }

    /// Gives a host an address behind everybody's back.
    pub fn set(&self, host: &str, address: IpAddr) {
        lock(&self.state).held.insert((host.to_owned(), address.is_ipv6()), address);
    }
}

impl Drop for DyndnsDouble {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    state: Arc<Mutex<State>>,
    dns: Option<SocketAddr>,
) -> Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        let (tls, state) = (tls.clone(), Arc::clone(&state));
        // One client's trouble is not another's.
        tokio::spawn(async move { answer(tls.accept(client).await?, &state, dns).await });
    }
}

/// One request and its answer; then the connection ends.
async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: &Mutex<State>,
    dns: Option<SocketAddr>,
) -> Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < LARGEST_HEAD {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let field = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let (word, update) = {
        let mut state = lock(state);
        let fault = state.faults.pop_front();
        let (word, update) = match &fault {
            Some(DyndnsFault::Says(word)) => ((*word).to_owned(), None),
            Some(DyndnsFault::Drop) => (String::new(), None),
            Some(DyndnsFault::ApplyThenDrop) | None => state.update(&target, &field("authorization:")),
        };
        let word = if fault == Some(DyndnsFault::ApplyThenDrop) { String::new() } else { word };
        let user_agent = field("user-agent:");
        state.requests.push(DyndnsRequest { target, user_agent, answer: word.clone() });
        (word, update)
    };
    if let (Some(server), Some(update)) = (dns, update) {
        exchange_ok(server, &update.update()?).await?;
    }
    if !word.is_empty() {
        let text = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{word}",
            word.len()
        );
        stream.write_all(text.as_bytes()).await?;
    }
    stream.shutdown().await?;
    Ok(())
}

impl State {
    /// The protocol: the word, and what is to change in DNS.
    fn update(&mut self, target: &str, authorization: &str) -> (String, Option<Rrset>) {
        if authorization != self.authorization {
            return ("badauth".to_owned(), None);
        }
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let parameter =
            |name: &str| query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        let Some((_, host)) = parameter("hostname").filter(|(_, host)| host.contains('.')) else {
            return ("notfqdn".to_owned(), None);
        };
        if !self.hosts.contains(host) {
            return ("nohost".to_owned(), None);
        }
        let Some(address) = parameter("myip").and_then(|(_, address)| address.parse::<IpAddr>().ok()) else {
            return ("good 192.0.2.1".to_owned(), None);
        };
        let before = self.held.insert((host.to_owned(), address.is_ipv6()), address);
        if before == Some(address) {
            return (format!("nochg {address}"), None);
        }
        let kind = if address.is_ipv6() { "AAAA" } else { "A" };
        let contents = vec![address.to_string()];
        let rrset = Rrset { zone: self.zone.clone(), name: host.to_owned(), kind: kind.to_owned(), contents, ttl: TTL };
        (format!("good {address}"), Some(rrset))
    }
}
