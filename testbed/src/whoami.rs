//! A real Knot DNS that answers with the address it was asked from (its module whoami).

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{Namespace, named::DNS_PORT, process::Process};

const PROGRAM: &str = "/usr/sbin/knotd";
const STARTUP: Duration = Duration::from_secs(30);
/// The name that has the asker's address: A over IPv4, AAAA over IPv6.
pub const WHOAMI_NAME: &str = "whoami.test";

/// A running `knotd`. It is killed when dropped.
pub struct Whoami {
    _process: Process,
    _directory: TempDir,
    addresses: Vec<SocketAddr>,
}

impl Whoami {
    /// Starts it inside `namespace` on all of `addresses`, port [`DNS_PORT`], and waits until it answers.
    pub fn start(namespace: &Namespace, addresses: &[IpAddr]) -> Result<Self> {
        ensure!(Path::new(PROGRAM).exists(), "knotd is missing (package knot); `cargo xtask setup` installs it");
        let directory = tempfile::Builder::new().prefix("ddns-whoami-").tempdir().context("a directory for knotd")?;
        let path = directory.path();
        let listen: Vec<_> = addresses.iter().map(|address| format!("\"{address}@{DNS_PORT}\"")).collect();
        let zone = format!("{WHOAMI_NAME}.zone");
        let configuration = path.join("knot.conf");
        fs::write(
            &configuration,
            format!(
                "server:\n    listen: [{}]\n    rundir: \"{1}\"\n    background-workers: 1\n    udp-workers: 1\n    \
                 tcp-workers: 1\ndatabase:\n    storage: \"{1}\"\nlog:\n  - target: stderr\n    any: info\nzone:\n  \
                 - domain: {WHOAMI_NAME}\n    storage: \"{1}\"\n    file: \"{zone}\"\n    module: mod-whoami\n",
                listen.join(", "),
                path.display()
            ),
        )?;
        fs::write(
            path.join(zone),
            format!("$ORIGIN {WHOAMI_NAME}.\n$TTL 1\n@ SOA ns1 hostmaster 1 3600 600 86400 1\n@ NS ns1\n"),
        )?;
        let mut command = namespace.command(PROGRAM);
        command.arg("-c").arg(&configuration).current_dir(path);
        let process = Process::start("knotd", &mut command)?;
        process
            .wait_for("the line `server started`", 0, STARTUP, |line| line.contains("server started").then_some(()))?;
        let addresses = addresses.iter().map(|&address| SocketAddr::new(address, DNS_PORT)).collect();
        Ok(Self { _process: process, _directory: directory, addresses })
    }

    /// Where it listens, in the order in which the addresses were given.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}
