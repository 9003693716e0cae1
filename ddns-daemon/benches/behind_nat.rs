//! How soon a change of the router's address is in DNS: announced by the router, found by the audit, found by a poll as
//! peers have it; beside the round trip to the voters. And what goes over the wire while nothing changes. Needs root.
//!
//! The real ddnsd, a real router (nftables, miniupnpd), a real STUN server, real TLS, in network namespaces.

#[path = "../tests/netns/scene.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod scene;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_testbed::nat_world::{ECHO_ADDRESSES, LAN_INTERFACE, NatWorld, STUN_ADDRESSES, WHOAMI_ADDRESSES};
use ddns_testbed::{Coturn, Daemon, EchoServer, Miniupnpd, Whoami};
use scene::{NAME, Scene, wait_line, wait_ready};

const VOTERS: &str =
    "echo=http:https://192.0.2.20/ip,whoami=dns:192.0.2.22/whoami.test/A,stun=stun:192.0.2.21:3478,router";
/// As often as most peers look.
const POLL: Duration = Duration::from_secs(300);
const CHANGES: usize = 40;
const IDLE: Duration = Duration::from_secs(60);

struct Bench<'a> {
    world: &'a NatWorld,
    scene: Scene<'a>,
    changes: u8,
}

/// What a change cost, in milliseconds.
struct Passage {
    /// From the router's own change, by this program's clock, to the accepted write.
    change_to_write: f64,
    /// From the hint to the accepted write.
    hint_to_write: f64,
    hint_to_verified: f64,
}

impl Bench<'_> {
    fn start(&self, changes: &[(&str, &str)]) -> Result<Daemon> {
        let quiet = [
            ("DDNS_RECORDS", "vpn.ddns.test:A"),
            ("DDNS_IP_SOURCE_INTERFACE", ""),
            ("DDNS_AUDIT_INTERVAL_SECS", "0"),
            ("DDNS_PROBE_INTERVAL_SECS", "0"),
        ];
        let changes: Vec<_> = quiet.into_iter().chain(changes.iter().copied()).collect();
        let daemon = self.scene.start(&changes)?;
        wait_ready(&daemon)?;
        Ok(daemon)
    }

    fn change(&mut self, daemon: &Daemon, patience: Duration) -> Result<Passage> {
        self.changes = self.changes.wrapping_add(1);
        let new = Ipv4Addr::new(11, 22, 44, self.changes);
        let mark = daemon.mark();
        let begun = Instant::now();
        self.world.set_external_ipv4(new)?;
        let to = new.to_string();
        let written = |line: &serde_json::Value| line["message"] == "DNS record updated" && line["address"] == *to;
        let (_, written) = daemon.wait_for_line_since(mark, "the write", patience, written)?;
        let change_to_write = milliseconds(begun.elapsed());
        let (_, changed) = wait_line(daemon, mark, "IP change detected", &[("to", &to)])?;
        let (_, verified) = wait_line(daemon, mark, "DNS record verified", &[("record", NAME), ("address", &to)])?;
        let at = |line: &serde_json::Value, field: &str| line[field].as_f64().context("a time");
        let hint = at(&changed, "received_ns")?;
        Ok(Passage {
            change_to_write,
            hint_to_write: (at(&written, "at_ns")? - hint) / 1e6,
            hint_to_verified: (at(&verified, "at_ns")? - hint) / 1e6,
        })
    }

    /// Packets that the host has sent. It receives more: the router announces its UPnP service to all.
    fn packets(&self) -> Result<u64> {
        let path = format!("/sys/class/net/{LAN_INTERFACE}/statistics/tx_packets");
        let output = self.world.host.command("cat").arg(path).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(mut of: Vec<f64>) -> (f64, f64) {
    of.sort_by(f64::total_cmp);
    let at =
        |share: usize| of.get((of.len() * share / 100).min(of.len().saturating_sub(1))).copied().unwrap_or(f64::NAN);
    (at(50), at(99))
}

fn print(what: &str, passages: &[Passage]) {
    let all = |of: fn(&Passage) -> f64| median(passages.iter().map(of).collect());
    let ((write, write_worst), (hint, hint_worst)) =
        (all(|passage| passage.change_to_write), all(|passage| passage.hint_to_write));
    let (verified, _) = all(|passage| passage.hint_to_verified);
    println!(
        "{what:<28} {:>3} changes; router's change to write: median {write:>9.1} ms, p99 {write_worst:>9.1} ms; \
         hint to write: {hint:>6.1} ms, p99 {hint_worst:>6.1} ms; hint to verified: {verified:>6.1} ms",
        passages.len()
    );
}

fn main() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let echo = EchoServer::start(&world.internet, &ECHO_ADDRESSES, scene.identity.server_config()?)?;
    let _stun = Coturn::start(&world.internet, &STUN_ADDRESSES)?;
    let _whoami = Whoami::start(&world.internet, &WHOAMI_ADDRESSES)?;
    let router = Miniupnpd::start(&world)?;
    let mut bench = Bench { world: &world, scene, changes: 0 };

    let discover = [("DDNS_IP_SOURCE_TYPE", "discover"), ("DDNS_DISCOVER_SOURCES", VOTERS)];
    let daemon = bench.start(&discover)?;
    let announced: Vec<_> =
        (0..CHANGES).map(|_| bench.change(&daemon, Duration::from_secs(60))).collect::<Result<_>>()?;
    print("announced by the router", &announced);
    let before = bench.packets()?;
    let asked = echo.clients().len();
    std::thread::sleep(IDLE);
    let packets = bench.packets()? - before;
    println!("idle, audit and probes off    {packets} packets sent in {} s", IDLE.as_secs());
    ensure!(echo.clients().len() == asked, "somebody was asked while nothing changed");
    bench.scene.end(daemon)?;

    drop(router);
    let daemon = bench.start(&[discover[0], discover[1], ("DDNS_AUDIT_INTERVAL_SECS", "30")])?;
    let audited: Vec<_> = (0..3).map(|_| bench.change(&daemon, Duration::from_secs(90))).collect::<Result<_>>()?;
    print("no announcement, audit 30 s", &audited);
    bench.scene.end(daemon)?;

    let poll = POLL.as_secs().to_string();
    let daemon = bench.start(&[
        ("DDNS_IP_SOURCE_TYPE", "http"),
        ("DDNS_IP_SOURCE_URL", "https://192.0.2.20/ip"),
        ("DDNS_IP_SOURCE_INTERVAL", &poll),
        ("DDNS_IP_SOURCE_VERSION", "4"),
    ])?;
    let polled = bench.change(&daemon, POLL * 2)?;
    let ratio = polled.change_to_write / median(announced.iter().map(|passage| passage.change_to_write).collect()).0;
    print("a poll every 300 s", &[polled]);
    println!("one poll against the announcement: {ratio:.0} times as long");
    bench.scene.end(daemon)
}
