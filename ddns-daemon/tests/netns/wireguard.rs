//! The time until WireGuard peers come back after a change: a real wireguard-go on the host and on a peer beyond.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use anyhow::{Result, ensure};
use ddns_testbed::wireguard::{uapi_socket, unused_interface};
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{Daemon, Record, WireGuardGo, World};

use crate::scene::{NAME, PATIENCE, Scene, ipv4, is, wait_line, wait_ready};

const PORT: u16 = 51820;
const RECORDS: (&str, &str) = ("DDNS_RECORDS", "vpn.ddns.test:A");

fn times_told(daemon: &Daemon, message: &str) -> usize {
    daemon.lines().iter().filter(|line| is(line, message, &[])).count()
}

/// The peer's new endpoint is set as a re-resolving peer does it; what lies between is told, key and all.
#[test]
fn the_time_from_a_change_to_the_peers_next_handshake_is_told() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let (tunnel, peer) = (WireGuardGo::start(&world.host, PORT)?, WireGuardGo::start(&world.internet, PORT)?);
    tunnel.meet(&peer, None)?;
    peer.meet(&tunnel, Some(&format!("{HOST_IPV4}:{PORT}")))?;
    tunnel.wait_for_handshake()?;
    let daemon = scene.start(&[RECORDS, ("DDNS_WIREGUARD_INTERFACE", tunnel.interface())])?;
    wait_ready(&daemon)?;
    let name = &peer.public_key()[..8];
    let (status, body) = daemon.get("/wireguard")?;
    let age = body.strip_prefix(name).and_then(|rest| rest.trim().parse::<u64>().ok());
    ensure!(status == 200 && age.is_some(), "{status} {body}");

    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    let told = "WireGuard handshake after an address change";
    let (mark, _) = wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.7")])?;
    ensure!(times_told(&daemon, told) == 0, "nobody has come back yet: {}", daemon.tail());
    peer.meet(&tunnel, Some(&format!("{}:{PORT}", ipv4(7))))?;
    let (_, line) = wait_line(&daemon, mark, told, &[("interface", tunnel.interface()), ("peer", name)])?;
    ensure!(line["after_ms"].as_u64().is_some_and(|after| after > 0), "{line}");
    ensure!(times_told(&daemon, told) == 1 && times_told(&daemon, "WireGuard handshakes can't be measured") == 0);
    for secret in [tunnel.private_key(), peer.private_key()] {
        ensure!(!daemon.raw_lines().iter().any(|line| line.contains(&secret[..12])), "the log holds a private key");
    }
    scene.end(daemon)
}

/// Neither a socket nor an interface of the kernel: one line with the remedy, and DNS goes on.
#[test]
fn an_interface_that_cant_be_read_costs_one_line() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let absent = unused_interface();
    let daemon = scene.start(&[RECORDS, ("DDNS_WIREGUARD_INTERFACE", &absent)])?;
    wait_ready(&daemon)?;
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.7")])?;
    let (_, line) = wait_line(&daemon, 0, "WireGuard handshakes can't be measured", &[("interface", &absent)])?;
    let remedy = ["bring it up", "wg show"].iter().any(|remedy| line["error"].to_string().contains(remedy));
    ensure!(line["level"] == "WARN" && remedy, "{line}");
    let (status, body) = daemon.get("/wireguard")?;
    ensure!(status == 503 && body.contains(&absent), "{status} {body}");
    ensure!(times_told(&daemon, "WireGuard handshakes can't be measured") == 1);
    scene.end(daemon)
}

/// A socket's file that goes away with the test.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// An implementation that talks without an end, or nonsense, harms nothing, and its secrets are not quoted.
#[test]
fn an_implementation_that_talks_nonsense_harms_nothing() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let interface = unused_interface();
    let socket = Socket(uapi_socket(&interface));
    fs::create_dir_all("/var/run/wireguard")?;
    let listener = UnixListener::bind(&socket.0)?;
    const CANARY: &str = "e84b5a6d2717c1003a13b431570353db";
    // It ends with the test's process; each client is served until it goes.
    thread::spawn(move || {
        for (number, client) in listener.incoming().flatten().enumerate() {
            thread::spawn(move || {
                let mut client = client;
                let _ = client.read(&mut [0; 64]);
                let line = if number == 0 { format!("{CANARY}\n") } else { format!("private_key={CANARY}\n") };
                while client.write_all(line.as_bytes()).is_ok() {}
            });
        }
    });
    let daemon = scene.start(&[RECORDS, ("DDNS_WIREGUARD_INTERFACE", &interface)])?;
    wait_ready(&daemon)?;
    let (_, line) = wait_line(&daemon, 0, "WireGuard handshakes can't be measured", &[])?;
    ensure!(line["error"].to_string().contains("line 1 of the answer"), "{line}");
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.7")])?;
    let endless = |line: &serde_json::Value| {
        line["error"].to_string().contains("longer than") || line["error"].to_string().contains("no whole answer")
    };
    daemon.wait_for_line_since(mark, "the end of patience", PATIENCE, endless)?;
    ensure!(!daemon.raw_lines().iter().any(|line| line.contains(&CANARY[..8])), "the log holds the key");
    scene.end(daemon)
}

/// A record behind the provider's proxy leads WireGuard nowhere: it is said once, with the remedy, after a restart too.
#[test]
fn a_proxied_record_is_warned_of_once() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    scene.double.put_record(Record::new("A", NAME, "11.1.1.1").proxied(true))?;
    let absent = unused_interface();
    let warning = "The record is proxied; WireGuard doesn't pass through the proxy";
    for _ in 0..2 {
        let daemon = scene.start(&[RECORDS, ("DDNS_WIREGUARD_INTERFACE", &absent)])?;
        let (_, line) = wait_line(&daemon, 0, warning, &[("record", NAME), ("type", "A"), ("level", "WARN")])?;
        ensure!(line["remedy"].as_str().is_some_and(|remedy| remedy.contains("DNS only")), "{line}");
        wait_ready(&daemon)?;
        ensure!(times_told(&daemon, warning) == 1, "{}", daemon.tail());
        scene.end(daemon)?;
    }
    let daemon = scene.start(&[RECORDS])?;
    wait_ready(&daemon)?;
    ensure!(times_told(&daemon, warning) == 0, "without a tunnel a proxy is nobody's affair");
    scene.end(daemon)
}
