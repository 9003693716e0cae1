//! What ddnsd hears and keeps of the host it runs on.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{Daemon, World};

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

/// A router that advertises its prefix every few seconds, which the kernel announces each time: ddnsd sleeps on.
#[test]
fn a_router_that_repeats_itself_wakes_nobody() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let config = scene.path("radvd.conf");
    let prefix = "prefix 2a00:1234:5678:1::/64 { AdvValidLifetime 3600; AdvPreferredLifetime 1800; };";
    fs::write(
        &config,
        format!("interface isp0 {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; {prefix} }};"),
    )?;
    world.internet.sysctl("net/ipv6/conf/all/forwarding", "1")?;
    world.host.sysctl("net/ipv6/conf/wan0/accept_ra", "1")?;
    let mut radvd = world.internet.command("radvd");
    radvd.args(["-n", "-m", "stderr", "-C", &config, "-p", &scene.path("radvd.pid")]).stderr(Stdio::null());
    let mut radvd = Ended(radvd.spawn().context("radvd: `cargo xtask setup`")?);
    hear(&world, 1)?;
    let daemon = scene.start(&[
        ("DDNS_KERNEL_HOOK", "socket-filter"),
        ("DDNS_PROBE_INTERVAL_SECS", "0"),
        ("DDNS_AUDIT_INTERVAL_SECS", "0"),
    ])?;
    wait_ready(&daemon)?;
    // The first announcement of each address is news to a program that has just been loaded.
    hear(&world, 2)?;
    let before = wakeups(&daemon)?;
    hear(&world, 3)?;
    ensure!(wakeups(&daemon)? == before, "woken by what is no news");
    radvd.end();
    scene.end(daemon)
}

/// A process that ends with the test.
struct Ended(Child);

impl Ended {
    fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits until the kernel has announced so many times what the router advertises.
fn hear(world: &World, count: usize) -> Result<()> {
    let mut monitor = world.host.command("ip");
    let mut monitor = Ended(monitor.args(["-o", "-6", "monitor", "address"]).stdout(Stdio::piped()).spawn()?);
    let lines = BufReader::new(monitor.0.stdout.take().context("ip monitor")?).lines();
    let ours = |line: &String| line.contains("2a00:1234:5678:1:");
    let heard = lines.map_while(std::result::Result::ok).filter(ours).take(count).count();
    ensure!(heard == count, "{heard} announcements");
    Ok(())
}

/// How often the threads of ddnsd have been woken.
fn wakeups(daemon: &Daemon) -> Result<u64> {
    let mut all = 0;
    for thread in fs::read_dir(format!("/proc/{}/task", daemon.pid()))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        all += line.context("voluntary_ctxt_switches")?.trim().parse::<u64>()?;
    }
    Ok(all)
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

/// FAULTS 1: a kernel that shows no type information has no rung that traces; the one below does the job all the same.
#[test]
fn without_type_information_the_socket_filter_is_the_best_rung() -> Result<()> {
    let ddnsd = env!("CARGO_BIN_EXE_ddnsd");
    let script = format!("mount -t tmpfs none /sys/kernel/btf && exec {ddnsd} doctor");
    let output = Command::new("unshare").args(["--mount", "sh", "-c", &script]).output().context("unshare")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |rung: &str| text.lines().find(|line| line.split_whitespace().nth(1) == Some(rung));
    for rung in ["fentry", "kprobe"] {
        let line = line(rung).with_context(|| text.clone().into_owned())?;
        ensure!(line.contains("refused: this kernel shows no type information"), "{text}");
    }
    ensure!(line("socket-filter").is_some_and(|line| line.ends_with("granted: `auto` takes it")), "{text}");
    Ok(())
}
