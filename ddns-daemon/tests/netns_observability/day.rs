//! The day.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use ddns_testbed::nat_world::{EXTERNAL_IPV4, HOST_IPV6, NatWorld, SHARED_IPV4};
use ddns_testbed::{Daemon, Prometheus, Record, Signal, WireGuardGo};
use serde_json::json;

use crate::cast::{BLIND, HOME, LATE, REFUSED, Voters, WIREGUARD_PORT, blind, home, late, move_ipv6, plug, refused};
use crate::queries::{Alerts, rules, show};
use crate::scene::{PATIENCE, Scene, wait_line, wait_ready};

/// What no short day can show. `dashboards/prometheus/tests/days.yml` does.
const TAKES_DAYS: [&str; 1] = ["DdnsErrorBudgetBurnsSlowly"];
/// The variable that names the directory which the answers to all queries are to be written to.
const PICTURES: &str = "PICTURES";
/// More announcements than a socket's queue holds.
const FLOOD: u16 = 1500;

fn now() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}

/// Every panel has something to show, every alert is silent on a quiet day and speaks as soon as it should.
#[test]
fn every_query_of_dashboards_and_alerts_answers_when_it_should() -> Result<()> {
    let world = Arc::new(NatWorld::new()?);
    let scene = Scene::among(&world.host, &world.internet)?;
    let voters = Voters::start(&world, &scene)?;
    let mends = Arc::new(AtomicBool::new(false));
    let _plug = plug(&world, &mends)?;
    let (tunnel, peer) =
        (WireGuardGo::start(&world.host, WIREGUARD_PORT)?, WireGuardGo::start(&world.internet, WIREGUARD_PORT)?);
    tunnel.meet(&peer, None)?;
    peer.meet(&tunnel, Some(&format!("[{HOST_IPV6}]:{WIREGUARD_PORT}")))?;
    tunnel.wait_for_handshake()?;
    let appliance = home(&scene, &tunnel)?;
    wait_ready(&appliance)?;

    let (recorded, alerting) = (rules("rules.yml")?, rules("alerts.yml")?);
    let prometheus = Prometheus::start(&world.host, &[("rules.yml", &recorded), ("alerts.yml", &alerting)])?;
    let begin = now()?;
    prometheus.scrape(&[HOME])?;
    let mut alerts = Alerts::of(&prometheus)?;
    wait_for(&prometheus, "instance:ddns_not_ready:ratio_5m")?;
    alerts.are_silent()?;
    println!("quiet after {:.0} s", now()? - begin);

    let others = [refused(&scene)?, blind(&scene)?, late(&scene)?];
    for daemon in &others {
        // What is wrong with them is the point of them.
        daemon.expect_error(|_| true);
    }
    let [_, unseeing, clock] = &others;
    prometheus.scrape(&[HOME, REFUSED, BLIND, LATE])?;
    changes(&world, &scene, &voters, &appliance, (&tunnel, &peer))?;
    for (alert, (host, ..)) in [
        ("DdnsNotConverged", REFUSED),
        ("DdnsRecordFails", REFUSED),
        ("DdnsStoreDegraded", REFUSED),
        ("DdnsSourceDown", BLIND),
        ("DdnsNoVerification", LATE),
    ] {
        alerts.wait(alert, host)?;
    }
    contest(&scene, clock)?;
    alerts.wait("DdnsRecordContested", LATE.0)?;
    println!("changes after {:.0} s", now()? - begin);

    shared_address(&world, &voters, &appliance, &mut alerts)?;
    println!("shared address after {:.0} s", now()? - begin);
    stop(&world, [unseeing, clock], &mut alerts)?;
    println!("stop after {:.0} s", now()? - begin);
    outage(&world, &mends, &appliance, &mut alerts).with_context(|| told(&appliance))?;
    println!("outage after {:.0} s", now()? - begin);
    alerts.wait("DdnsErrorBudgetBurnsFast", REFUSED.0)?;
    // The long windows know of something once a minute has passed.
    wait_for(&prometheus, "instance:ddns_error_budget:remaining_30d")?;
    // An evening, as quiet as the morning was.
    wait_for(&prometheus, r#"min_over_time(ddns_ready{instance="home"}[5s]) == 1"#)?;
    let end = now()?;
    println!("day of {:.0} s", end - begin);

    assert_eq!(alerts.unseen(), TAKES_DAYS);
    let shown = show(&prometheus, "ddns-appliance.json", HOME.0, (begin, end))?;
    if let Some(directory) = std::env::var_os(PICTURES) {
        let document = json!({ "begin": begin, "end": end, "panels": shown.answers });
        fs::write(Path::new(&directory).join("ddns-appliance.json"), document.to_string())?;
    }
    ensure!(shown.empty.is_empty(), "nothing to show:\n{}", shown.empty.join("\n"));
    scene.end(appliance)
}

/// What the daemon told, but for details.
fn told(daemon: &Daemon) -> String {
    daemon.raw_lines().into_iter().filter(|line| !line.contains("DEBUG")).collect::<Vec<_>>().join("\n")
}

fn wait_for(prometheus: &Prometheus<'_>, query: &str) -> Result<()> {
    let begun = std::time::Instant::now();
    while prometheus.query(query)?.is_empty() {
        ensure!(begun.elapsed() < 3 * PATIENCE, "no {query}");
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// The address changes in both families, peers come back, and somebody else changes a record.
fn changes(
    world: &NatWorld,
    scene: &Scene<'_>,
    voters: &Voters,
    appliance: &Daemon,
    (tunnel, peer): (&WireGuardGo<'_>, &WireGuardGo<'_>),
) -> Result<()> {
    for number in 1..=3 {
        let mark = appliance.mark();
        let outside = Ipv4Addr::new(11, 22, 44, u8::try_from(number)?);
        world.set_external_ipv4(outside)?;
        voters.router.set(outside)?;
        wait_line(appliance, mark, "DNS record verified", &[("address", &outside.to_string())])?;
        let inside = move_ipv6(world, 0x43 + number, 0x44 + number)?;
        wait_line(appliance, mark, "DNS record verified", &[("address", &inside)])?;
        peer.meet(tunnel, Some(&format!("[{inside}]:{WIREGUARD_PORT}")))?;
        wait_line(appliance, mark, "WireGuard handshake after an address change", &[])?;
    }
    let mark = appliance.mark();
    scene.change_by_hand("A", "11.66.6.6")?;
    wait_line(appliance, mark, "Somebody else has changed the record; it is written again", &[])?;
    wait_line(appliance, mark, "DNS record verified", &[("type", "A")])?;
    Ok(())
}

/// Somebody changes the record until it is left alone.
fn contest(scene: &Scene<'_>, daemon: &Daemon) -> Result<()> {
    let name = "late.ddns.test";
    for _ in 0..3 {
        let mark = daemon.mark();
        for record in scene.double.records_of(name, "AAAA") {
            let id = serde_json::to_value(&record)?["id"].as_str().context("an id")?.to_owned();
            scene.double.remove_record(&id)?;
        }
        scene.double.put_record(Record::new("AAAA", name, "2a00:1234:6666::6").ttl(120))?;
        daemon.wait_for_line_since(mark, "the drift", PATIENCE, |line| {
            line["message"].as_str().is_some_and(|text| text.starts_with("Somebody else"))
        })?;
        if line_is_contest(daemon, mark) {
            break;
        }
        wait_line(daemon, mark, "DNS record verified", &[("record", name)])?;
    }
    Ok(())
}

fn line_is_contest(daemon: &Daemon, mark: usize) -> bool {
    let lines = daemon.raw_lines();
    lines.iter().skip(mark).any(|line| line.contains("Somebody else") && !line.contains("it is written again"))
}

/// The provider puts the router behind a NAT of its own, and takes that back.
fn shared_address(world: &NatWorld, voters: &Voters, appliance: &Daemon, alerts: &mut Alerts<'_>) -> Result<()> {
    world.share_ipv4()?;
    voters.router.set(SHARED_IPV4)?;
    alerts.wait("DdnsCarrierGradeNat", HOME.0)?;
    let mark = appliance.mark();
    world.own_ipv4(EXTERNAL_IPV4)?;
    voters.router.set(EXTERNAL_IPV4)?;
    wait_line(appliance, mark, "DNS record verified", &[("address", &EXTERNAL_IPV4.to_string())])?;
    alerts.wait_silent("DdnsCarrierGradeNat", HOME.0)
}

/// A process that stands still can't be scraped, lets everybody wait, and has missed something when it goes on.
fn stop(world: &NatWorld, [patient, daemon]: [&Daemon; 2], alerts: &mut Alerts<'_>) -> Result<()> {
    patient.signal(Signal::STOP)?;
    daemon.signal(Signal::STOP)?;
    alerts.wait("DdnsDown", LATE.0)?;
    let lines = |verb: &str| -> String {
        (0..FLOOD).map(|n| format!("addr {verb} 10.7.{}.{}/32 dev lo\n", n / 250, n % 250 + 1)).collect()
    };
    world.host.ip_batch(&(lines("add") + &lines("del")))?;
    daemon.signal(Signal::CONT)?;
    alerts.wait("DdnsEventsLost", LATE.0)?;
    alerts.wait("DdnsLoopStalled", BLIND.0)?;
    patient.signal(Signal::CONT)?;
    alerts.wait_silent("DdnsDown", LATE.0)?;
    alerts.wait_silent("DdnsLoopStalled", BLIND.0)
}

/// The line dies. The first power cycle does not help, the second one does.
fn outage(world: &NatWorld, mends: &AtomicBool, appliance: &Daemon, alerts: &mut Alerts<'_>) -> Result<()> {
    appliance.expect_error(|_| true);
    let mark = appliance.mark();
    world.cut()?;
    alerts.wait("DdnsRouterLeftOff", HOME.0)?;
    alerts.wait("DdnsRecoveryDoesNotHelp", HOME.0)?;
    mends.store(true, Ordering::SeqCst);
    wait_line(appliance, mark, "The line is back after the power cycle", &[])?;
    alerts.wait("DdnsRecoveryBudgetUsedUp", HOME.0)?;
    alerts.wait("DdnsAddressAnswersSlow", HOME.0)?;
    alerts.wait("DdnsPlugUnreachable", LATE.0)?;
    alerts.wait_silent("DdnsRouterLeftOff", HOME.0)?;
    alerts.wait_silent("DdnsRecoveryDoesNotHelp", HOME.0)
}
