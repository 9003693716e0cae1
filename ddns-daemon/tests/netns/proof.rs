//! Proof stage by stage, and records that somebody else changes. A second name server of the zone lags behind until it is
//! told: a real BIND that nobody notifies.

use anyhow::{Result, ensure};
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{Named, World};

use crate::scene::{NAME, Scene, ZONE, ipv4, wait_line, wait_ready};

const ONE_RECORD: (&str, &str) = ("DDNS_RECORDS", "vpn.ddns.test:A");
const SERVED: &str = "The zone's name servers serve the address";

/// The resolvers name the zone's servers, which are asked first.
#[test]
fn the_zones_own_name_servers_are_found_and_asked_before_the_resolvers() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[ONE_RECORD])?;
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    let to = ipv4(7).to_string();
    let (mark, _) = wait_line(&daemon, mark, "DNS record updated", &[("address", &to)])?;
    let (mark, served) = wait_line(&daemon, mark, SERVED, &[("address", &to)])?;
    ensure!(served["servers"] == 1, "{served}");
    wait_line(&daemon, mark, "DNS record verified", &[("address", &to), ("stage", "resolvers")])?;
    scene.end(daemon)
}

/// While one of two name servers has the old address, no resolver is asked, and nothing counts as proven.
#[test]
fn a_record_is_not_proven_while_one_name_server_lags() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let slow = "192.0.2.54".parse()?;
    world.internet.ip(&["addr", "add", "192.0.2.54/32", "dev", "lo"])?;
    let second = Named::start(&world.internet, &[slow], &[ZONE], &scene.identity)?;
    second.set(ZONE, NAME, "A", &[&HOST_IPV4.to_string()])?;
    let servers = ("DDNS_DNS_SERVERS", "192.0.2.53:53,192.0.2.54:53");
    let daemon = scene.start(&[ONE_RECORD, servers])?;
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    let to = ipv4(7).to_string();
    let pending = [("address", to.as_str()), ("asked", "authorities")];
    let (mark, line) = wait_line(&daemon, mark, "DNS record not visible yet", &pending)?;
    ensure!(line["dns"].as_str().is_some_and(|dns| dns.contains(&HOST_IPV4.to_string())), "{line}");
    let (status, _) = daemon.get("/readyz")?;
    ensure!(status == 503, "not ready while one lags: {status}");
    second.set(ZONE, NAME, "A", &[&to])?;
    let (mark, served) = wait_line(&daemon, mark, SERVED, &[("address", &to)])?;
    ensure!(served["servers"] == 2, "{served}");
    wait_line(&daemon, mark, "DNS record verified", &[("address", &to)])?;
    scene.end(daemon)
}

/// A name server that is gone has no say; where none can be asked, that is told and the resolvers decide.
#[test]
fn name_servers_that_cannot_be_asked_hold_nothing_up() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[ONE_RECORD, ("DDNS_DNS_SERVERS", "192.0.2.53:53,192.0.2.53:9")])?;
    wait_ready(&daemon)?;
    let (_, served) = wait_line(&daemon, 0, SERVED, &[])?;
    ensure!(
        served["servers"] == 1 && served["silent"].as_str().is_some_and(|silent| silent.contains(":9")),
        "{served}"
    );
    scene.end(daemon)?;

    let daemon =
        scene.start(&[ONE_RECORD, ("DDNS_DNS_SERVERS", "192.0.2.53:9"), ("DDNS_STATE_STORE_TYPE", "memory")])?;
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    let told = "The zone's name servers can't be asked; the resolvers' word has to do: allow TCP to port 53, or set DDNS_DNS_SERVERS";
    let (mark, _) = wait_line(&daemon, mark, told, &[])?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.7")])?;
    scene.end(daemon)
}

/// Somebody changes the record at the provider: the next audit sees it, says so, and puts it right.
#[test]
fn a_record_that_somebody_else_changed_is_put_right_at_the_next_audit() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[ONE_RECORD, ("DDNS_AUDIT_INTERVAL_SECS", "2")])?;
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    scene.change_by_hand("A", "11.66.6.6")?;
    let told = "Somebody else has changed the record; it is written again";
    let (mark, drift) = wait_line(&daemon, mark, told, &[("expected", &HOST_IPV4.to_string())])?;
    ensure!(drift["found"].as_str().is_some_and(|found| found.contains("11.66.6.6")), "{drift}");
    wait_line(&daemon, mark, "DNS record verified", &[("address", &HOST_IPV4.to_string())])?;
    scene.wait_published("A", &HOST_IPV4.to_string())?;
    scene.end(daemon)
}

#[test]
fn with_the_policy_report_such_a_record_is_left_and_not_ready() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[ONE_RECORD, ("DDNS_AUDIT_INTERVAL_SECS", "2"), ("DDNS_DRIFT_POLICY", "report")])?;
    wait_ready(&daemon)?;
    let (mark, writes) = (daemon.mark(), scene.double.writes());
    scene.change_by_hand("A", "11.66.6.6")?;
    let told = "Somebody else has changed the record; it is left as it is (DDNS_DRIFT_POLICY)";
    let (mark, _) = wait_line(&daemon, mark, told, &[])?;
    let (status, _) = daemon.get("/readyz")?;
    ensure!(status == 503, "{status}");
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.7")])?;
    ensure!(scene.double.writes() == writes + 1, "{} writes", scene.double.writes() - writes);
    scene.end(daemon)
}
