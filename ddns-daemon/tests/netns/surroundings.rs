//! What ddnsd hears and keeps of the host it runs on.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};

use anyhow::{Context, Result, ensure};
use ddns_testbed::World;
use ddns_testbed::world::HOST_IPV4;

use crate::scene::{PATIENCE, Scene, wait_line, wait_ready};

/// FAULTS 14: the way to the Internet is cut while a transfer runs. No round of probes is due for a day; what TCP
/// suffers starts one.
#[test]
fn a_dead_line_is_found_by_what_connections_suffer() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_PROBE_INTERVAL_SECS", "86400")])?;
    wait_ready(&daemon)?;
    let listener = world.internet.enter(|| TcpListener::bind("192.0.2.10:4000"))??;
    let mut transfer = world.host.enter(|| TcpStream::connect("192.0.2.10:4000"))??;
    let _other_end = listener.accept()?;
    let mark = daemon.mark();
    // In both families: a round is good if one of them is.
    world.internet.ip(&["route", "add", "blackhole", &format!("{HOST_IPV4}/32")])?;
    world.internet.ip(&["-6", "route", "add", "blackhole", "2a00:1234:5678:1::44/128"])?;
    transfer.write_all(&[7; 10_000])?;
    let (mark, line) =
        wait_line(&daemon, mark, "Connections make no progress; looking at the way to the Internet", &[])?;
    ensure!(line["retransmissions"].as_u64() >= Some(3), "{line}");
    wait_line(&daemon, mark, "Readiness changed", &[("to", "not-ready")])?;
    scene.end(daemon)
}

/// FAULTS 74: once the eBPF programs are in place, no thread of ddnsd has any right beyond its user's.
#[test]
fn nothing_of_the_rights_of_the_start_is_left() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_KERNEL_HOOK", "socket-filter")])?;
    wait_ready(&daemon)?;
    for thread in fs::read_dir(format!("/proc/{}/task", daemon.pid()))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            let line = status.lines().find(|line| line.starts_with(set)).context(set)?;
            ensure!(line.ends_with("\t0000000000000000"), "{status}");
        }
        ensure!(status.contains("NoNewPrivs:\t1"), "{status}");
    }
    world.swap_ipv4(HOST_IPV4, crate::scene::ipv4(7))?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.7")])?;
    daemon.wait_for_line("the state of the new address", PATIENCE, |_| {
        fs::exists(scene.path("state")).unwrap_or(false)
    })?;
    scene.end(daemon)
}
