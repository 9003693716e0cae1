use std::{future::pending, net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

use super::{PlugFault, outlet::Shared};

const LARGEST_HEAD: usize = 8192;

/// How a kind of device answers.
pub(super) trait Model: Send + 'static {
    fn answer(&mut self, shared: &Arc<Shared>, request: &Request) -> Reply;
}

/// A request as it came.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    /// The `Authorization` field, empty for none.
    pub(super) authorization: String,
}

impl Request {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, decoded.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| decoded(value))
    }
}

fn decoded(text: &str) -> String {
    let (mut octets, mut rest) = (vec![], text.as_bytes());
    while let [first, after @ ..] = rest {
        let escaped = after.get(..2).filter(|_| *first == b'%').and_then(|hex| str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(octet) => {
                octets.push(octet);
                rest = &after[2..];
            }
            None => {
                octets.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// An answer.
pub(super) struct Reply {
    status: u16,
    /// The `WWW-Authenticate` field, empty for none.
    authenticate: String,
    body: String,
}

impl Reply {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, authenticate: String::new(), body: body.to_string() }
    }

    pub(super) fn unauthorized(challenge: String) -> Self {
        Self { status: 401, authenticate: challenge, body: String::new() }
    }
}

/// Serves `address`, whenever it is there at all.
pub(super) async fn run(
    address: SocketAddr,
    shared: Arc<Shared>,
    model: impl Model,
    bound: std::sync::mpsc::Sender<SocketAddr>,
) -> Result<()> {
    let (mut address, mut present) = (address, shared.present.subscribe());
    let model = Arc::new(Mutex::new(model));
    loop {
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        address = listener.local_addr()?;
        let _ = bound.send(address);
        loop {
            let client = tokio::select! {
                biased;
                gone = present.wait_for(|present| !present) => { gone?; break }
                client = listener.accept() => client?.0,
            };
            // One client's trouble is not another's.
            let (shared, model) = (Arc::clone(&shared), Arc::clone(&model));
            tokio::spawn(async move { serve(client, &shared, &model).await });
        }
        drop(listener);
        present.wait_for(|present| *present).await?;
    }
}

/// One request and its answer; then the connection ends.
async fn serve(mut stream: TcpStream, shared: &Arc<Shared>, model: &Mutex<impl Model>) -> Result<()> {
    let request = read(&mut stream).await?;
    let wrong = shared.with(|outlet| {
        outlet.requests.push(request.target.clone());
        outlet.faults.iter().find(|(part, _)| request.target.contains(part)).map(|(_, fault)| fault.clone())
    });
    let reply = match &wrong {
        Some(PlugFault::Unreachable) => return Ok(()),
        Some(PlugFault::Hang) => pending().await,
        Some(PlugFault::Status(status)) => Reply { status: *status, authenticate: String::new(), body: String::new() },
        Some(PlugFault::Says(body)) => Reply { status: 200, authenticate: String::new(), body: (*body).to_owned() },
        Some(PlugFault::ApplyThenDrop | PlugFault::Deaf | PlugFault::Lies | PlugFault::IgnoresTimer) | None => {
            let mut model = model.lock().await;
            shared.with(|outlet| outlet.wrong.clone_from(&wrong));
            let reply = model.answer(shared, &request);
            shared.with(|outlet| outlet.wrong = None);
            reply
        }
    };
    if wrong == Some(PlugFault::ApplyThenDrop) {
        return Ok(());
    }
    let Reply { status, authenticate, body } = reply;
    let challenge =
        if authenticate.is_empty() { String::new() } else { format!("WWW-Authenticate: {authenticate}\r\n") };
    let text = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{challenge}Content-Length: {}\r\nConnection: \
         close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}

async fn read(stream: &mut TcpStream) -> Result<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > LARGEST_HEAD {
            bail!("a head without end");
        }
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let mut words = head.split(' ').map(ToOwned::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let field = head
        .lines()
        .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("authorization")));
    let authorization = field.map(|(_, value)| value.trim().to_owned()).unwrap_or_default();
    Ok(Request { method, target, authorization })
}
