use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use ddns_core::config::ADMIN_SOCKET;
use serde_json::Value;

use crate::wiring;

/// A loop that turns answers at once.
const LIMIT: Duration = Duration::from_secs(5);
/// Longer than any answer.
const MOST: u64 = 16 << 20;

/// What the running daemon says at `path` of its admin socket.
pub(crate) fn ask(path: &str) -> anyhow::Result<Value> {
    let socket = socket();
    let mut stream = UnixStream::connect(&socket).map_err(|error| refused(&socket, error))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: ddnsd\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MOST).read_to_string(&mut answer).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => anyhow!(
            "ddnsd does not answer within {} seconds: its loop hangs, or others keep it busy; see its log, or restart it",
            LIMIT.as_secs()
        ),
        _ => anyhow!(error).context("ddnsd does not answer"),
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").context("ddnsd does not speak HTTP")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        bail!("ddnsd says {status}: {}", body.trim());
    }
    serde_json::from_str(body).context("ddnsd does not speak JSON")
}

/// Where it listens, by the variables about that alone: the rest of the configuration is the daemon's affair.
fn socket() -> PathBuf {
    PathBuf::from(wiring::settings(std::env::vars_os()).text(&ADMIN_SOCKET).unwrap_or_default())
}

/// Why there is no connection, with the remedy.
fn refused(socket: &Path, error: std::io::Error) -> anyhow::Error {
    let shown = socket.display();
    match error.kind() {
        ErrorKind::PermissionDenied => {
            let group = group(socket).unwrap_or_else(|| "the group that ddnsd runs as".to_owned());
            anyhow!(error).context(format!("{shown} may not be opened: do this as root, or as a member of {group}"))
        }
        _ => anyhow!(error).context(format!(
            "no ddnsd answers on {shown}: start it (systemctl start ddnsd), or set DDNS_ADMIN_SOCKET as it has it"
        )),
    }
}

/// The group that may open it, by name where it has one.
fn group(socket: &Path) -> Option<String> {
    let gid = fs::metadata(socket).ok()?.gid();
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let named = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then(|| format!("the group {name}"))
    });
    Some(named.unwrap_or_else(|| format!("the group {gid}")))
}
