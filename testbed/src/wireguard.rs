//! A real wireguard-go, and `wg` to set it up.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{Namespace, process::Process};

const STARTUP: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A running `wireguard-go` with an interface of its own, keys included. It is killed when dropped.
///
/// Sockets of userspace interfaces lie in one directory for all network namespaces, so each interface has another name.
pub struct WireGuardGo<'a> {
    _process: Process,
    namespace: &'a Namespace,
    interface: String,
    private_key: String,
    public_key: String,
    _directory: TempDir,
}

impl<'a> WireGuardGo<'a> {
    /// Starts it inside `namespace`, with a fresh key, listening on `port`.
    pub fn start(namespace: &'a Namespace, port: u16) -> Result<Self> {
        let interface = unused_interface();
        // It logs to standard output, of which nobody reads anything.
        let mut command = namespace.command("sh");
        command.args(["-c", r#"exec "$0" "$@" >&2"#, "wireguard-go", "--foreground", &interface]);
        command.env("LOG_LEVEL", "verbose").env("WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD", "1");
        let process = Process::start("wireguard-go", &mut command)
            .context("wireguard-go (package wireguard-go; `cargo xtask setup` installs it)")?;
        process
            .wait_for("the UAPI listener", 0, STARTUP, |line| line.contains("UAPI listener started").then_some(()))?;
        let directory = tempfile::Builder::new().prefix("ddns-wireguard-").tempdir()?;
        let private_key = wg(&["genkey"], None)?;
        let public_key = wg(&["pubkey"], Some(&private_key))?;
        let key_file = directory.path().join("key");
        fs::write(&key_file, &private_key)?;
        let key_file = key_file.display().to_string();
        wg(&["set", &interface, "private-key", &key_file, "listen-port", &port.to_string()], None)?;
        namespace.ip(&["link", "set", &interface, "up"])?;
        Ok(Self { _process: process, namespace, interface, private_key, public_key, _directory: directory })
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Its public key, in base64.
    pub fn public_key(&self) -> &str {
        &self.public_key
    }

    /// Its private key, in base64: what no log may hold.
    pub fn private_key(&self) -> &str {
        &self.private_key
    }

    /// Takes the other one for a peer. With an `endpoint` it calls there at once, and agrees on new keys.
    pub fn meet(&self, other: &WireGuardGo<'_>, endpoint: Option<&str>) -> Result<()> {
        let peer = ["set", self.interface(), "peer", other.public_key()];
        wg(&[&peer[..], &["remove"]].concat(), None)?;
        let mut settings = vec!["allowed-ips", "10.9.0.0/24"];
        if let Some(endpoint) = endpoint {
            settings.extend(["endpoint", endpoint, "persistent-keepalive", "1"]);
        }
        wg(&[&peer[..], &settings].concat(), None).map(drop)
    }

    /// Waits until it has agreed on keys with some peer.
    pub fn wait_for_handshake(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let told = wg(&["show", self.interface(), "latest-handshakes"], None)?;
            if told.split_whitespace().nth(1).is_some_and(|at| at != "0") {
                return Ok(());
            }
            ensure!(begun.elapsed() < STARTUP, "no handshake in {}: {told}", self.namespace.name());
            thread::sleep(POLL);
        }
    }
}

impl Drop for WireGuardGo<'_> {
    fn drop(&mut self) {
        drop(fs::remove_file(uapi_socket(&self.interface)));
    }
}

/// A name that no other interface of this machine has.
pub fn unused_interface() -> String {
    format!("wg{:x}n{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Where a userspace implementation listens for this interface.
pub fn uapi_socket(interface: &str) -> PathBuf {
    PathBuf::from(format!("/var/run/wireguard/{interface}.sock"))
}

fn wg(arguments: &[&str], input: Option<&str>) -> Result<String> {
    let mut child = Command::new("wg")
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("wg (package wireguard-tools; `cargo xtask setup` installs it)")?;
    if let Some((mut stdin, text)) = child.stdin.take().zip(input) {
        stdin.write_all(text.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("`wg {}`: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
