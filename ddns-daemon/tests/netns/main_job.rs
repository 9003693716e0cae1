//! The main job: a kernel address change becomes a verified record. The real ddnsd, the real kernel, real TLS, a real
//! BIND; Cloudflare is a double that is held against Cloudflare's schema.

use std::fs;
use std::os::unix::net::UnixDatagram;

use crate::scene::{NAME, PATIENCE, Scene, ipv4, wait_line, wait_ready};
use anyhow::{Context, Result, ensure};
use ddns_testbed::world::{HOST_INTERFACE, HOST_IPV4, HOST_IPV6, HOST_IPV6_PREFIX};
use ddns_testbed::{Exchange, Record, Signal, World};

/// Traps 1, 15 and 27: the event arrives, and an update leaves proxied, TTL, comment and tags as they are.
#[test]
fn an_address_change_becomes_a_verified_record_and_nothing_else_changes() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    scene.put_decorated("A", "11.1.1.1")?;
    let daemon = scene.start(&[])?;
    wait_ready(&daemon)?;
    scene.wait_published("A", &HOST_IPV4.to_string())?;
    scene.wait_published("AAAA", &HOST_IPV6.to_string())?;
    assert_eq!(scene.double.writes(), 2);

    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    let to = ipv4(7).to_string();
    let (mark, change) = wait_line(&daemon, mark, "IP change detected", &[("to", &to)])?;
    assert_eq!(change["rung"], "socket-filter", "{change}");
    ensure!(change["kernel_ns"].as_u64() <= change["received_ns"].as_u64(), "{change}");
    wait_line(&daemon, mark, "DNS record verified", &[("record", NAME), ("type", "A"), ("address", &to)])?;
    scene.wait_published("A", &to)?;
    scene.check_decorated("A")?;
    assert_eq!(scene.double.writes(), 3);

    let mark = daemon.mark();
    let renumbered = world.renumber_ipv6(HOST_IPV6_PREFIX, "2a00:1234:9abc:2::".parse()?)?.to_string();
    wait_line(&daemon, mark, "DNS record verified", &[("type", "AAAA"), ("address", &renumbered)])?;
    scene.wait_published("AAAA", &renumbered)?;
    assert_eq!(scene.double.writes(), 4);
    let last = scene.double.transcript().into_iter().rfind(Exchange::is_write).unwrap();
    assert_eq!(last.method, "PATCH");
    let mut sent: Vec<_> = last.request_body.as_ref().unwrap().as_object().unwrap().keys().cloned().collect();
    sent.sort();
    assert_eq!(sent, ["content", "name", "type"]);
    scene.end(daemon)
}

/// The same without eBPF: the rtnetlink rung does the same job.
#[test]
fn the_netlink_rung_does_the_same_job() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_KERNEL_HOOK", "netlink")])?;
    wait_ready(&daemon)?;
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    let (_, change) = wait_line(&daemon, 0, "IP change detected", &[("to", "11.22.40.7")])?;
    assert_eq!(change["rung"], "netlink");
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.7")])?;
    scene.wait_published("A", "11.22.40.7")?;
    scene.end(daemon)
}

/// FAULTS 1: a host that refuses eBPF costs one line with the cause, and nothing else.
#[test]
fn a_host_that_refuses_ebpf_is_told_once_and_served_by_rtnetlink() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start_without_bpf_rights(&[])?;
    wait_ready(&daemon)?;
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    scene.double.wait_for("the new address", PATIENCE, |state| state.holds(NAME, "A", "11.22.40.7"))?;
    let lines = daemon.lines();
    let told: Vec<_> = lines.iter().filter(|line| line["message"] == "Kernel address events").collect();
    ensure!(told.len() == 1 && told[0]["rung"] == "netlink", "{told:?}");
    ensure!(told[0]["reason"].as_str().is_some_and(|reason| reason.contains("CAP_BPF")), "{told:?}");
    scene.end(daemon)
}

/// A restart with unchanged addresses makes no API write and no state write; an idle daemon writes nothing.
#[test]
fn a_restart_with_unchanged_addresses_writes_nothing() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[])?;
    wait_ready(&daemon)?;
    scene.end(daemon)?;
    let state = |name| fs::read(format!("{}/{name}", scene.path("state"))).ok();
    let before = (state("state.0"), state("state.1"));
    ensure!(before.0.is_some() && before.1.is_some(), "two slots");
    let requests = scene.double.transcript().len();
    let daemon = scene.start(&[])?;
    wait_ready(&daemon)?;
    assert_eq!(scene.double.transcript().len(), requests, "not one request to the API");
    assert!((state("state.0"), state("state.1")) == before, "the state was written again");
    scene.end(daemon)?;
    let marked = (state("state.0"), state("state.1"));
    ensure!(marked.0 == before.0 || marked.1 == before.1, "more than the mark of the end was written");
    Ok(())
}

/// FAULTS 5: a thousand changes at full speed; DNS ends up right, and few of them are written.
#[test]
fn a_burst_of_a_thousand_changes_ends_with_the_last_address_and_few_writes() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_MIN_UPDATE_INTERVAL_SECS", "1")])?;
    wait_ready(&daemon)?;
    let before = scene.double.writes();
    let last = world.burst(1000, HOST_IPV4)?.to_string();
    wait_line(&daemon, 0, "DNS record verified", &[("address", &last)])?;
    scene.wait_published("A", &last)?;
    let writes = scene.double.writes() - before;
    ensure!(writes <= 10, "{writes} writes for one burst");
    scene.end(daemon)
}

/// FAULTS 6: a DHCP client that takes the address away and puts it back.
#[test]
fn an_address_that_goes_and_comes_back_costs_no_call() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_PROBE_INTERVAL_SECS", "0")])?;
    wait_ready(&daemon)?;
    let requests = scene.double.transcript().len();
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, HOST_IPV4)?;
    // A change that does count comes after it, so the first has had its time.
    world.renumber_ipv6(HOST_IPV6_PREFIX, "2a00:1234:9abc:2::".parse()?)?;
    wait_line(&daemon, mark, "DNS record verified", &[("type", "AAAA")])?;
    let since: Vec<_> = scene.double.transcript().into_iter().skip(requests).map(|exchange| exchange.path).collect();
    assert_eq!(since.len(), 1, "{since:?}");
    scene.end(daemon)
}

/// Traps 13 and 23, FAULTS 7: behind NAT nothing is published, and the log says why.
#[test]
fn a_host_behind_nat_publishes_nothing_and_says_why() -> Result<()> {
    let world = World::new()?;
    world.host.ip(&["addr", "flush", "dev", HOST_INTERFACE, "scope", "global"])?;
    for address in ["192.168.7.2/24", "100.64.3.4/10", "fd00::2/64", "2001:db8:1::2/64"] {
        world.host.ip(&["addr", "add", address, "dev", HOST_INTERFACE])?;
    }
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_PROBE_TARGETS", "127.0.0.1:9")])?;
    let (_, line) = wait_line(&daemon, 0, "No publishable address; records stay as they are", &[("family", "IPv4")])?;
    let rejected = line["rejected"].as_str().unwrap_or_default();
    ensure!(rejected.contains("behind NAT") && rejected.contains("carrier-grade NAT"), "{rejected}");
    let (_, line) = wait_line(&daemon, 0, "No publishable address; records stay as they are", &[("family", "IPv6")])?;
    let rejected = line["rejected"].as_str().unwrap_or_default();
    ensure!(rejected.contains("unique local") && rejected.contains("documentation"), "{rejected}");
    wait_line(&daemon, 0, "Readiness changed", &[("to", "not-ready")])?;
    assert_eq!(scene.double.transcript().len(), 0);
    assert_eq!((daemon.get("/readyz")?.0, daemon.get("/healthz")?.0), (503, 200));
    scene.end(daemon)
}

/// Trap 4: an IPv6 address is published when duplicate address detection has ended, not before, and by the repeat of
/// the kernel's announcement.
#[test]
fn a_tentative_address_is_published_when_detection_has_ended() -> Result<()> {
    let world = World::with_duplicate_address_detection()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:AAAA")])?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", &HOST_IPV6.to_string())])?;
    let mark = daemon.mark();
    let renumbered = world.renumber_ipv6(HOST_IPV6_PREFIX, "2a00:1234:9abc:2::".parse()?)?.to_string();
    wait_line(&daemon, mark, "DNS record verified", &[("address", &renumbered)])?;
    scene.wait_published("AAAA", &renumbered)?;
    scene.end(daemon)
}

/// Trap 11: an acknowledged write is not a verified record, and /readyz says so.
#[test]
fn an_acknowledged_write_is_not_ready_before_dns_shows_it() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[])?;
    wait_ready(&daemon)?;
    scene.double.set_propagation(false)?;
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, 0, "DNS record not visible yet", &[("address", "11.22.40.7")])?;
    let (status, body) = daemon.get("/readyz")?;
    ensure!(status == 503 && body.contains("1 of 2 records verified"), "{status} {body}");
    let writes = scene.double.writes();
    scene.double.set_propagation(true)?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.7")])?;
    assert_eq!(scene.double.writes(), writes, "a lagging resolver is no reason to write again");
    scene.end(daemon)
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_it_would_do() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    scene.put_decorated("A", "11.1.1.1")?;
    let daemon = scene.start(&[("DDNS_MODE", "dry-run")])?;
    wait_line(&daemon, 0, "Would update DNS record (dry run)", &[("type", "A"), ("address", "11.22.33.44")])?;
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, 0, "Would update DNS record (dry run)", &[("type", "A"), ("address", "11.22.40.7")])?;
    assert_eq!(scene.double.writes(), 0);
    ensure!(!fs::exists(scene.path("state/state.0"))? && !fs::exists(scene.path("state/state.1"))?, "no state");
    scene.end(daemon)
}

/// Trap 26: the zone is found by asking for the name and each of its parents, never by counting labels.
#[test]
fn the_zone_of_a_deep_name_and_a_wildcard_is_found_by_walking_up() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "a.b.c.ddns.test:A,*.w.ddns.test:A,ddns.test:A")])?;
    wait_ready(&daemon)?;
    for name in ["a.b.c.ddns.test", "*.w.ddns.test", "ddns.test"] {
        assert_eq!(scene.double.records_of(name, "A").len(), 1, "{name}");
    }
    assert_eq!(scene.named.lookup("anything.w.ddns.test", "A")?, ["11.22.33.44"]);
    scene.end(daemon)
}

/// FAULTS 35: of several records of one name and type only ours is touched.
#[test]
fn a_foreign_record_of_the_same_name_is_left_alone_and_reported() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    scene.double.put_record(Record::new("A", NAME, "11.1.1.1"))?;
    scene.double.put_record(Record::new("A", NAME, "11.1.1.2"))?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    daemon.expect_error(|line| line["class"] == "refused");
    let (_, line) = wait_line(&daemon, 0, "Failed to update DNS record", &[("class", "refused")])?;
    ensure!(line["error"].as_str().is_some_and(|error| error.contains("delete all but one")), "{line}");
    assert_eq!(scene.double.writes(), 0);
    scene.end(daemon)
}

/// systemd hears READY once the loop turns, the readiness as STATUS, the watchdog as long as the loop turns, STOPPING.
#[test]
fn systemd_is_told_ready_status_watchdog_and_stopping() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let path = scene.path("notify");
    let socket = UnixDatagram::bind(&path)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let heard = |wanted: &str| -> Result<()> {
        loop {
            let mut octets = [0; 4096];
            let length = socket.recv(&mut octets).with_context(|| format!("waiting for {wanted}"))?;
            if String::from_utf8_lossy(&octets[..length]).lines().any(|line| line == wanted) {
                return Ok(());
            }
        }
    };
    let daemon = scene.start(&[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "1000000")])?;
    heard("READY=1")?;
    heard("STATUS=ready; 2 of 2 records verified")?;
    heard("WATCHDOG=1")?;
    heard("WATCHDOG=1")?;
    daemon.signal(Signal::TERM)?;
    heard("STOPPING=1")?;
    scene.end(daemon)
}
