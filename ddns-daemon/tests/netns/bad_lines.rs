//! Lines that are bad without being dead: the router keeps its power.

use std::net::{Ipv6Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_testbed::nat_world::{
    ECHO_ADDRESSES, HOST_IPV6, LAN_INTERFACE, NEIGHBOUR_IPV4, NatWorld, ROUTER_LAN_INTERFACE, ROUTER_WAN_INTERFACE,
};
use ddns_testbed::{Daemon, EchoServer, PlugSetup, ShellyGen1};
use serde_json::Value;

use crate::recovery::environment;
use crate::scene::{NAME, PATIENCE, Scene, wait_line, wait_ready};

const NEW_IPV6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x1234, 0x5678, 7, 0, 0, 0, 0x45);
const NEWER_IPV6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x1234, 0x5678, 7, 0, 0, 0, 0x46);
/// On such a line everything is sent again and again.
const LOSSY_PATIENCE: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(50);
/// Enough that a recovery which may begin after one second would have begun.
const ROUNDS: u64 = 5;

fn plug(world: &NatWorld) -> Result<ShellyGen1> {
    ShellyGen1::start((Some(&world.neighbour), SocketAddr::from((NEIGHBOUR_IPV4, 80))), PlugSetup::default())
}

/// Rounds of probes since the start: all, and those that found the line open.
fn rounds(daemon: &Daemon) -> Result<(u64, u64)> {
    let (status, body) = daemon.get("/v1/history")?;
    ensure!(status == 200, "{status} {body}");
    let history: Value = serde_json::from_str(&body)?;
    let count = |name: &str| history["loops"][name].as_u64().context("loops");
    Ok((count("total")?, count("up")?))
}

/// Some rounds pass, all of them good, and the router keeps its power.
fn stays_ready(daemon: &Daemon, plug: &ShellyGen1) -> Result<()> {
    let (begun, mark, (before, good_before)) = (Instant::now(), daemon.mark(), rounds(daemon)?);
    loop {
        let (all, good) = rounds(daemon)?;
        ensure!(all - before == good - good_before, "a bad round of {}: {}", all - before, daemon.tail());
        if all >= before + ROUNDS {
            break;
        }
        ensure!(begun.elapsed() < PATIENCE, "{} rounds only", all - before);
        thread::sleep(POLL);
    }
    let changed = daemon.lines().into_iter().skip(mark).find(|line| line["message"] == "Readiness changed");
    ensure!(changed.is_none() && daemon.get("/readyz")?.0 == 200, "{changed:?}");
    ensure!(plug.history().is_empty(), "{:?}", plug.history());
    Ok(())
}

fn renumber(world: &NatWorld, from: Ipv6Addr, to: Ipv6Addr) -> Result<()> {
    world
        .host
        .ip_batch(&format!("addr add {to}/64 dev {LAN_INTERFACE} nodad\naddr del {from}/64 dev {LAN_INTERFACE}\n"))
}

/// FAULTS 16: somebody on the way drops all of ICMP, also what tells of errors.
#[test]
fn where_icmp_is_blocked_and_tls_is_fine_the_host_stays_ready_and_the_router_on() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world)?;
    let daemon = scene.start(&environment(&[]))?;
    wait_ready(&daemon)?;
    world.forwarding("meta l4proto { icmp, ipv6-icmp } drop")?;
    stays_ready(&daemon, &plug)?;
    renumber(&world, HOST_IPV6, NEW_IPV6)?;
    scene.wait_published("AAAA", &NEW_IPV6.to_string())?;
    scene.end(daemon)
}

/// FAULTS 17: one of three operators is down.
#[test]
fn where_one_of_three_targets_is_down_the_host_stays_ready_and_the_router_on() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world)?;
    let _echo = EchoServer::start(&world.internet, &ECHO_ADDRESSES, scene.identity.server_config()?)?;
    let targets = [("DDNS_PROBE_TARGETS", "192.0.2.20:443,192.0.2.53:8443,192.0.2.10:8443")];
    let daemon = scene.start(&environment(&targets))?;
    wait_ready(&daemon)?;
    world.forwarding("ip daddr 192.0.2.20 drop")?;
    stays_ready(&daemon, &plug)?;
    scene.end(daemon)
}

/// FAULTS 19: three packets of ten are lost in each direction, and what is left has 1 Mbit/s.
#[test]
fn a_slow_line_that_loses_a_third_carries_a_change_and_the_router_stays_on() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world)?;
    let daemon = scene.start(&environment(&[("DDNS_RECOVERY_AFTER_SECS", "20")]))?;
    wait_ready(&daemon)?;
    for device in [ROUTER_WAN_INTERFACE, ROUTER_LAN_INTERFACE] {
        let mut tc = world.router.command("tc");
        tc.args(["qdisc", "add", "dev", device, "root", "tbf", "rate", "1mbit", "burst", "32kbit", "latency", "2s"]);
        let output = tc.output().context("tc (package iproute2)")?;
        ensure!(output.status.success(), "tc: {}", String::from_utf8_lossy(&output.stderr));
    }
    world.forwarding("numgen random mod 100 < 30 drop")?;
    let mut current = HOST_IPV6;
    for new in [NEW_IPV6, NEWER_IPV6] {
        let (mark, address) = (daemon.mark(), new.to_string());
        renumber(&world, current, new)?;
        current = new;
        daemon.wait_for_line_since(mark, "the change, verified", LOSSY_PATIENCE, |line| {
            line["message"] == "DNS record verified" && line["address"] == address.as_str()
        })?;
        scene.wait_published("AAAA", &address)?;
    }
    ensure!(scene.double.records_of(NAME, "AAAA").len() == 1, "one record");
    ensure!(plug.history().is_empty(), "{:?}", plug.history());
    scene.end(daemon)
}

/// FAULTS 21: small packets pass, and large ones vanish without a word. A line on which no handshake ends is a line that
/// is down; what was asked for ends by its own time limits, and all of it heals.
#[test]
fn where_large_packets_vanish_requests_end_in_time_and_all_of_it_heals() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let daemon = scene.start(&environment(&[("DDNS_ALLOW_PHYSICAL_RECOVERY", "")]))?;
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    world.forwarding(&format!("oifname \"{ROUTER_LAN_INTERFACE}\" meta length > 600 drop"))?;
    wait_line(&daemon, mark, "Readiness changed", &[("to", "not-ready")])?;
    renumber(&world, HOST_IPV6, NEW_IPV6)?;
    wait_line(&daemon, mark, "IP change detected", &[("to", &NEW_IPV6.to_string())])?;
    let (_, failed) = wait_line(&daemon, mark, "Failed to update DNS record", &[])?;
    ensure!(failed["error"].as_str().is_some_and(|error| error.contains("time-out of")), "{failed}");
    ensure!(daemon.get("/healthz")?.0 == 200, "it answers all the while");
    world.restore()?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", &NEW_IPV6.to_string())])?;
    scene.wait_published("AAAA", &NEW_IPV6.to_string())?;
    wait_line(&daemon, mark, "Readiness changed", &[("to", "ready")])?;
    ensure!(scene.double.records_of(NAME, "AAAA").len() == 1, "one record");
    scene.end(daemon)
}
