use std::net::IpAddr;

use anyhow::{Result, ensure};
use ddns_testbed::nat_world::{EXTERNAL_IPV4, NatWorld};
use ddns_testbed::{Authority, EchoMode, EchoServer};

use super::{start, wait_verified};
use crate::scene::{Scene, wait_line, wait_ready};

/// Five echo services of five operators.
fn five(world: &NatWorld, scene: &Scene<'_>) -> Result<Vec<EchoServer>> {
    let serve = |last: u8| {
        let address = IpAddr::from([192, 0, 2, last]);
        world.internet.ip(&["addr", "add", &format!("{address}/32"), "dev", "lo"])?;
        EchoServer::start(&world.internet, &[address], scene.identity.server_config()?)
    };
    (31..=35).map(serve).collect()
}

/// The router announces nothing here: a new route is the hint.
fn hint(world: &NatWorld, metric: u32) -> Result<()> {
    let metric = metric.to_string();
    world.host.ip(&["route", "add", "default", "via", "192.168.7.1", "dev", "eth0", "metric", &metric]).map(drop)
}

fn sources() -> String {
    (31..=35).map(|last| format!("http:https://192.0.2.{last}/ip")).collect::<Vec<_>>().join(",")
}

/// FAULTS 23 and 72, traps 9, 13 and 17: two of five voters lie in every way there is, and nothing wrong is published.
#[test]
fn with_two_of_five_voters_lying_nothing_wrong_is_ever_published() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let voters = five(&world, &scene)?;
    let sources = sources();
    for voter in &voters[..2] {
        voter.set(EchoMode::Fixed("11.66.66.66".parse()?));
    }
    let daemon = start(&scene, &[("DDNS_DISCOVER_SOURCES", &sources), ("DDNS_AUDIT_INTERVAL_SECS", "2")])?;
    wait_ready(&daemon)?;
    scene.wait_published("A", &EXTERNAL_IPV4.to_string())?;

    let lies = [
        EchoMode::Page,
        EchoMode::Fixed("2a00:1234::1".parse()?),
        EchoMode::Fixed("10.1.2.3".parse()?),
        EchoMode::Fixed("100.64.0.1".parse()?),
        EchoMode::Body(vec![b'1'; 1 << 20]),
        EchoMode::Redirect("https://192.0.2.31/login".to_owned()),
        EchoMode::Status(500),
        EchoMode::Hang,
    ];
    let mut external = EXTERNAL_IPV4.octets();
    for lie in lies {
        voters[..2].iter().for_each(|voter| voter.set(lie.clone()));
        external[3] += 1;
        let mark = daemon.mark();
        world.set_external_ipv4(external.into())?;
        wait_verified(&daemon, mark, &IpAddr::from(external).to_string())?;
    }
    let changes: Vec<_> = daemon
        .lines()
        .into_iter()
        .filter(|line| line["message"] == "IP change detected" && line["family"] == "IPv4")
        .collect();
    let to: Vec<_> = changes.iter().map(|change| change["to"].to_string()).collect();
    ensure!(changes.len() == 9, "{to:?}");
    ensure!(
        changes.iter().all(|change| change["to"].as_str().is_some_and(|to| to.starts_with("11.22.33."))),
        "{changes:#?}"
    );
    scene.end(daemon)
}

/// FAULTS 18: a portal that intercepts all. What it says is never taken for an address, and the reason is told.
#[test]
fn behind_a_captive_portal_nothing_is_published_and_the_portal_is_named() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let portal = Authority::new()?.issue(&["192.0.2.31", "192.0.2.32", "192.0.2.33", "192.0.2.34", "192.0.2.35"])?;
    for last in 31..=35_u8 {
        world.internet.ip(&["addr", "add", &format!("192.0.2.{last}/32"), "dev", "lo"])?;
    }
    let addresses: Vec<_> = (31..=35_u8).map(|last| IpAddr::from([192, 0, 2, last])).collect();
    let intercepting = EchoServer::start(&world.internet, &addresses, portal.server_config()?)?;
    let sources = sources();
    let daemon = start(&scene, &[("DDNS_DISCOVER_SOURCES", &sources)])?;
    let (mark, line) = wait_line(&daemon, 0, "Those outside agree on no address; the last good one is held", &[])?;
    let rejected = line["rejected"].as_str().unwrap_or_default();
    ensure!(rejected.contains("captive portal") && rejected.contains("192.0.2.35"), "{rejected}");
    ensure!(scene.double.writes() == 0, "{} writes", scene.double.writes());

    // The portal lets through whoever has logged in: found by the retry, with no audit.
    drop(intercepting);
    let _voters: Vec<_> = addresses
        .iter()
        .map(|address| EchoServer::start(&world.internet, &[*address], scene.identity.server_config()?))
        .collect::<Result<_>>()?;
    wait_verified(&daemon, mark, &EXTERNAL_IPV4.to_string())?;
    scene.end(daemon)
}

/// FAULTS 22 to 24: liars that agree are outvoted by those who are heard; while too few are heard, the last good address
/// is held.
#[test]
fn while_too_few_are_heard_the_last_good_address_is_held() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let voters = five(&world, &scene)?;
    let sources = sources();
    let daemon = start(&scene, &[("DDNS_DISCOVER_SOURCES", &sources)])?;
    wait_ready(&daemon)?;
    voters[..2].iter().for_each(|voter| voter.set(EchoMode::Fixed("11.66.66.66".parse().expect("an address"))));
    voters[3..].iter().for_each(|voter| voter.set(EchoMode::Status(503)));
    let mark = daemon.mark();
    hint(&world, 50)?;
    let (mark, line) = wait_line(&daemon, mark, "Those outside agree on no address; the last good one is held", &[])?;
    ensure!(line["held"] == EXTERNAL_IPV4.to_string(), "{line}");
    voters[3..].iter().for_each(|voter| voter.set(EchoMode::Right));
    world.set_external_ipv4("11.22.44.7".parse()?)?;
    wait_verified(&daemon, mark, "11.22.44.7")?;
    let wrong = daemon
        .lines()
        .into_iter()
        .filter(|line| line["message"] == "IP change detected" && line["to"] == "11.66.66.66");
    ensure!(wrong.count() == 0);
    scene.end(daemon)
}
