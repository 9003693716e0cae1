//! A real Knot DNS, so that updates are tried against two implementations.

use std::{
    fmt::Write,
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{
    named::{KEYS, LOCKED_ZONE, free_port, secret, zone_file},
    process::Process,
};

const PROGRAM: &str = "/usr/sbin/knotd";
const STARTUP: Duration = Duration::from_secs(30);
const LOOPBACK_ATTEMPTS: usize = 5;

/// A running `knotd` on 127.0.0.1, primary for its zones, with the keys and the locked zone of
/// [`Named`](crate::Named). It is killed when dropped.
pub struct Knot {
    _process: Process,
    _directory: TempDir,
    dns: SocketAddr,
}

impl Knot {
    /// Starts it on a free port; needs no root.
    pub fn start_on_loopback(zones: &[&str]) -> Result<Self> {
        ensure!(Path::new(PROGRAM).exists(), "knotd is missing (package knot); `cargo xtask setup` installs it");
        let mut attempt = 0;
        loop {
            attempt += 1;
            match Self::launch(zones) {
                // Someone else may take a port between its choice and its use.
                Err(error)
                    if attempt < LOOPBACK_ATTEMPTS && format!("{error:#}").contains("address already in use") => {}
                outcome => return outcome,
            }
        }
    }

    fn launch(zones: &[&str]) -> Result<Self> {
        let address = IpAddr::from([127, 0, 0, 1]);
        let port = free_port(address)?;
        let directory = tempfile::Builder::new().prefix("ddns-knot-").tempdir().context("a directory for knotd")?;
        let path = directory.path();
        let mut text = format!(
            "server:\n    listen: {address}@{port}\n    rundir: \"{0}\"\n    background-workers: 1\n    udp-workers: 1\n    \
             tcp-workers: 1\ndatabase:\n    storage: \"{0}\"\nlog:\n  - target: stderr\n    any: info\nkey:\n",
            path.display()
        );
        for (name, algorithm) in KEYS {
            writeln!(text, "  - id: {name}\n    algorithm: {algorithm}\n    secret: {}", secret())?;
        }
        let keys = KEYS.map(|(name, _)| name).join(", ");
        write!(text, "acl:\n  - id: update\n    key: [{keys}]\n    action: update\nzone:\n")?;
        for zone in zones.iter().copied().chain([LOCKED_ZONE]) {
            write!(text, "  - domain: {zone}\n    storage: \"{}\"\n    file: \"{zone}.zone\"\n", path.display())?;
            if zone != LOCKED_ZONE {
                text.push_str("    acl: update\n");
            }
            fs::write(path.join(format!("{zone}.zone")), zone_file(zone, &[address]))?;
        }
        let configuration = path.join("knot.conf");
        fs::write(&configuration, text).with_context(|| format!("writing {}", configuration.display()))?;
        let mut command = Command::new(PROGRAM);
        command.arg("-c").arg(&configuration).current_dir(path);
        let process = Process::start("knotd", &mut command)?;
        process
            .wait_for("the line `server started`", 0, STARTUP, |line| line.contains("server started").then_some(()))?;
        Ok(Self { _process: process, _directory: directory, dns: SocketAddr::new(address, port) })
    }

    /// Plain DNS, UDP and TCP.
    pub const fn dns(&self) -> SocketAddr {
        self.dns
    }
}
