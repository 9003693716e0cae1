//! A real coturn as STUN server.

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{Namespace, process::Process};

const PROGRAM: &str = "/usr/bin/turnserver";
const STARTUP: Duration = Duration::from_secs(30);
/// RFC 8489 §18.6
pub const STUN_PORT: u16 = 3478;

/// A running `turnserver` that serves STUN alone. It is killed when dropped.
pub struct Coturn {
    _process: Process,
    _directory: TempDir,
    addresses: Vec<SocketAddr>,
}

impl Coturn {
    /// Starts it inside `namespace` on all of `addresses`, port [`STUN_PORT`], and waits until it listens.
    pub fn start(namespace: &Namespace, addresses: &[IpAddr]) -> Result<Self> {
        ensure!(Path::new(PROGRAM).exists(), "turnserver is missing (package coturn); `cargo xtask setup` installs it");
        let directory = tempfile::Builder::new().prefix("ddns-coturn-").tempdir().context("a directory for coturn")?;
        // It logs to standard output, of which nobody reads anything.
        let mut command = namespace.command("sh");
        command.args(["-c", r#"exec "$0" "$@" >&2"#, PROGRAM]);
        // It tells of its listeners only when it is verbose.
        command.args([
            "-n",
            "-v",
            "--stun-only",
            "--no-tcp",
            "--no-tls",
            "--no-dtls",
            "--no-cli",
            "--log-file=stdout",
            "--simple-log",
        ]);
        command.arg(format!("--listening-port={STUN_PORT}"));
        for address in addresses {
            command.arg(format!("--listening-ip={address}"));
        }
        command.arg("--userdb").arg(directory.path().join("turndb"));
        command.arg("--pidfile").arg(directory.path().join("pid")).current_dir(directory.path());
        let process = Process::start("turnserver", &mut command)?;
        for address in addresses {
            let listening = |line: &str| {
                let (_, place) = line.split_once("UDP listener opened on")?;
                place.contains(&address.to_string()).then_some(())
            };
            process.wait_for(&format!("a UDP listener on {address}"), 0, STARTUP, listening)?;
        }
        let addresses = addresses.iter().map(|&address| SocketAddr::new(address, STUN_PORT)).collect();
        Ok(Self { _process: process, _directory: directory, addresses })
    }

    /// Where it listens, in the order in which the addresses were given.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}
