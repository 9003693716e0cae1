use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use ddns_core::config::ADMIN_SOCKET;
use serde_json::Value;

use crate::wiring;

/// A loop that turns answers at once.
const LIMIT: Duration = Duration::from_secs(5);
/// Longer than any answer.
const MOST: u64 = 16 << 20;

/// What the running daemon says at `path` of its admin socket.
pub(crate) fn ask(path: &str) -> anyhow::Result<Value> {
    let socket = socket()?;
    let mut stream = UnixStream::connect(&socket).with_context(|| {
        format!("no ddnsd answers on {}: start it, or set DDNS_ADMIN_SOCKET as it has it", socket.display())
    })?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: ddnsd\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MOST).read_to_string(&mut answer).context("ddnsd does not answer")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("ddnsd does not speak HTTP")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        bail!("ddnsd says {status}: {}", body.trim());
    }
    serde_json::from_str(body).context("ddnsd does not speak JSON")
}

/// Where it listens, by the variables about that alone: the rest of the configuration is the daemon's affair.
fn socket() -> anyhow::Result<PathBuf> {
    let mut settings = wiring::settings(std::env::vars_os());
    let socket = settings.text(&ADMIN_SOCKET).unwrap_or_default();
    Ok(PathBuf::from(socket))
}
