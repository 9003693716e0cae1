//! How a change becomes proof, stage by stage: 100 changes of an address, each accepted by the API, served by the zone's
//! own name servers and seen by a quorum of resolvers; the histogram of each stage. And 50 records: the requests that a
//! change of them costs, and the requests while nothing changes. Needs root.
//!
//! The real ddnsd, the real kernel, a real BIND as name server and resolver over HTTPS, a double of Cloudflare's API.

#[path = "../tests/netns/scene.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod scene;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{Daemon, World};
use scene::{PATIENCE, Scene, ZONE, wait_line, wait_ready};
use serde_json::Value;

const CHANGES: u8 = 100;
const RECORDS: usize = 50;
const CALM: Duration = Duration::from_millis(1100);
const IDLE: Duration = Duration::from_secs(30);
/// Upper bounds in milliseconds; the last one has none.
const BOUNDS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

struct Stage {
    name: &'static str,
    times: Vec<f64>,
}

impl Stage {
    fn print(&mut self) {
        self.times.sort_by(f64::total_cmp);
        let at = |share: usize| self.times.get((self.times.len() * share / 100).min(self.times.len() - 1)).copied();
        println!(
            "{:<34} median {:>7.2} ms, p99 {:>7.2} ms, of {}",
            self.name,
            at(50).unwrap_or(f64::NAN),
            at(99).unwrap_or(f64::NAN),
            self.times.len()
        );
        let mut below = f64::NEG_INFINITY;
        for bound in BOUNDS.into_iter().chain([f64::INFINITY]) {
            let count = self.times.iter().filter(|time| **time > below && **time <= bound).count();
            if count > 0 {
                println!("  {:>9} {:>4} {}", format!("≤ {bound} ms"), count, "#".repeat(count.min(60)));
            }
            below = bound;
        }
    }
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(11, 22, 50, number)
}

fn at(line: &Value) -> Result<f64> {
    line["at_ns"].as_f64().context("a time")
}

/// One after the other, each to its end.
fn stages(world: &World, daemon: &Daemon) -> Result<()> {
    let names =
        ["kernel event to acknowledged", "acknowledged to served", "served to verified", "kernel event to verified"];
    let mut stages = names.map(|name| Stage { name, times: Vec::new() });
    let mut old = HOST_IPV4;
    for number in 1..=CHANGES {
        // A change within a second of another one would be waited for until it rests (DDNS_SETTLE_MS).
        std::thread::sleep(CALM);
        let new = address(number);
        let (mark, to) = (daemon.mark(), new.to_string());
        world.swap_ipv4(old, new)?;
        old = new;
        let of = [("address", to.as_str())];
        let (_, verified) = wait_line(daemon, mark, "DNS record verified", &of)?;
        let (_, changed) = wait_line(daemon, mark, "IP change detected", &[("to", &to)])?;
        let (_, updated) = wait_line(daemon, mark, "DNS record updated", &of)?;
        let (_, served) = wait_line(daemon, mark, "The zone's name servers serve the address", &of)?;
        let event = changed["kernel_ns"].as_f64().or(changed["received_ns"].as_f64()).context("the event's time")?;
        let moments = [event, at(&updated)?, at(&served)?, at(&verified)?];
        for (stage, pair) in stages.iter_mut().zip(moments.windows(2)) {
            stage.times.push((pair[1] - pair[0]) / 1e6);
        }
        stages[3].times.push((moments[3] - moments[0]) / 1e6);
    }
    stages.iter_mut().for_each(Stage::print);
    Ok(())
}

/// Many records with one address.
fn many(world: &World, scene: &Scene<'_>) -> Result<()> {
    let records: Vec<_> = (0..RECORDS).map(|number| format!("h{number}.{ZONE}:A")).collect();
    let daemon = scene.start(&[
        ("DDNS_RECORDS", &records.join(",")),
        ("DDNS_STATE_STORE_TYPE", "memory"),
        ("DDNS_AUDIT_INTERVAL_SECS", "0"),
        ("DDNS_PROBE_INTERVAL_SECS", "0"),
    ])?;
    wait_ready(&daemon)?;
    let requests = scene.double.transcript().len();
    let (begun, new) = (Instant::now(), address(200));
    world.swap_ipv4(address(CHANGES), new)?;
    let to = new.to_string();
    let names: Vec<_> = (0..RECORDS).map(|number| format!("h{number}.{ZONE}")).collect();
    scene.double.wait_for("all records", PATIENCE, |state| names.iter().all(|name| state.holds(name, "A", &to)))?;
    let took = begun.elapsed();
    let spent = scene.double.transcript().len() - requests;
    println!(
        "{RECORDS} records: {spent} requests for a change ({:.2} a record; a peer that reads before it writes needs {}), {:.0} ms in all, {:.1} ms a record",
        spent as f64 / RECORDS as f64,
        2 * RECORDS,
        took.as_secs_f64() * 1e3,
        took.as_secs_f64() * 1e3 / RECORDS as f64
    );
    wait_line(&daemon, 0, "All records are verified", &[])?;
    let before = scene.double.transcript().len();
    std::thread::sleep(IDLE);
    let idle = scene.double.transcript().len() - before;
    println!("{RECORDS} records at rest: {idle} requests in {} s", IDLE.as_secs());
    ensure!(spent == RECORDS && idle == 0, "more requests than changes");
    scene.end(daemon)
}

fn main() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    stages(&world, &daemon)?;
    scene.end(daemon)?;
    many(&world, &scene)
}
