//! What goes wrong around ddnsd, and what it makes of it.

use std::fs;
use std::time::Duration;

use crate::scene::{NAME, PATIENCE, Scene, ipv4, wait_line, wait_ready};
use anyhow::{Result, ensure};
use ddns_testbed::cloudflare::TokenState;
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{Daemon, Fault, Scope, Signal, World};

/// Traps 5, 6, 9 and 35, FAULTS 36, 37, 39 and 40: whatever the API does to a write, ddnsd says what it was, goes on,
/// and the record ends up right with one record of its name.
#[test]
fn whatever_the_api_does_to_a_write_the_record_ends_up_right() -> Result<()> {
    let faults: [(Fault, &str, &str); 11] = [
        (Fault::status(500), "unreachable", "status 500"),
        (Fault::status(503), "unreachable", "status 503"),
        (Fault::too_many_requests(Some("1")), "unavailable", "429"),
        (Fault::too_many_requests(None), "unavailable", "429"),
        (Fault::Html, "unreachable", "an HTML page"),
        (Fault::Garbage, "unreachable", "no API answer"),
        (Fault::SuccessFalse, "", ""),
        (Fault::Truncated, "unreachable", "broke"),
        (Fault::ResetMidBody, "unreachable", "broke"),
        (Fault::Huge(2 << 20), "unreachable", "larger than"),
        (Fault::ApplyThenDrop, "unreachable", "broke"),
    ];
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    let mut current = HOST_IPV4;
    for (number, (fault, class, reason)) in (1..).zip(faults) {
        let mark = daemon.mark();
        scene.double.faults().push_for(Scope::method("PATCH"), fault.clone());
        world.swap_ipv4(current, ipv4(number))?;
        current = ipv4(number);
        let (_, failed) = wait_line(&daemon, mark, "Failed to update DNS record", &[])?;
        ensure!(class.is_empty() || failed["class"] == class, "{fault:?}: {failed}");
        ensure!(failed["error"].as_str().is_some_and(|error| error.contains(reason)), "{fault:?}: {failed}");
        if failed["class"] == "refused" || failed["class"] == "unauthorized" {
            anyhow::bail!("{fault:?} is held: {failed}");
        }
        wait_line(&daemon, mark, "DNS record verified", &[("address", &current.to_string())])?;
        scene.wait_published("A", &current.to_string())?;
        ensure!(scene.double.records_of(NAME, "A").len() == 1, "{fault:?}: one record");
    }
    scene.end(daemon)
}

/// FAULTS 38: a rejected token is one ERROR with the remedy; nothing hammers, /readyz tells, a restart heals.
#[test]
fn a_rejected_token_is_held_and_told() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let wrong = scene.path("wrong");
    fs::write(&wrong, "wRoNgq8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0PsRuAe")?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A"), ("DDNS_PROVIDER_API_TOKEN_FILE", &wrong)])?;
    daemon.expect_error(|line| line["class"] == "unauthorized");
    let (mark, failed) = wait_line(&daemon, 0, "Failed to update DNS record", &[("class", "unauthorized")])?;
    ensure!(failed["error"].as_str().is_some_and(|error| error.contains("Zone:Read and DNS:Edit")), "{failed}");
    let requests = scene.double.transcript().len();
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, mark, "IP change detected", &[("to", "11.22.40.1")])?;
    wait_line(&daemon, mark, "Readiness changed", &[("to", "ready")])?;
    assert_eq!(scene.double.transcript().len(), requests, "a new address is no reason to try the token again");
    assert_eq!(daemon.get("/readyz")?.0, 503);
    scene.end(daemon)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    scene.wait_published("A", "11.22.40.1")?;
    scene.end(daemon)
}

/// FAULTS 38: rights that are taken away while ddnsd runs are missed at the next change, once, with the remedy.
#[test]
fn a_token_that_lost_a_right_is_held_and_told() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    scene.double.set_token_state(TokenState::ReadOnly);
    daemon.expect_error(|line| line["class"] == "unauthorized");
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    let (mark, failed) = wait_line(&daemon, 0, "Failed to update DNS record", &[("class", "unauthorized")])?;
    ensure!(failed["error"].as_str().is_some_and(|error| error.contains("does not grant the token this")), "{failed}");
    ensure!(failed["error"].as_str().is_some_and(|error| error.contains("Zone:Read and DNS:Edit")), "{failed}");
    let requests = scene.double.transcript().len();
    world.swap_ipv4(ipv4(1), ipv4(2))?;
    wait_line(&daemon, mark, "IP change detected", &[("to", "11.22.40.2")])?;
    assert_eq!(scene.double.transcript().len(), requests, "a new address is no reason to try again");
    assert_eq!(daemon.get("/readyz")?.0, 503);
    ensure!(scene.double.records_of(NAME, "A")[0].content == HOST_IPV4.to_string(), "nothing was written");
    scene.end(daemon)
}

/// FAULTS 36: after the last request of a window the next record waits for the window's end, and none is refused.
#[test]
fn the_next_record_waits_while_no_request_is_left() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A,nas.ddns.test:A")])?;
    wait_ready(&daemon)?;
    let before = scene.double.transcript().len();
    scene.double.faults().push_for(Scope::method("PATCH"), Fault::QuotaUsedUp(2));
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    let (mark, failed) = wait_line(&daemon, 0, "Failed to update DNS record", &[("record", "nas.ddns.test")])?;
    ensure!(failed["error"].as_str().is_some_and(|error| error.contains("no request left")), "{failed}");
    ensure!(failed["class"] == "unavailable", "{failed}");
    wait_line(&daemon, mark, "DNS record verified", &[("record", "nas.ddns.test"), ("address", "11.22.40.1")])?;
    let asked = scene.double.transcript().split_off(before);
    let asked: Vec<_> = asked.iter().map(|exchange| (exchange.method.as_str(), exchange.status)).collect();
    assert_eq!(asked, [("PATCH", Some(200)), ("PATCH", Some(200))]);
    scene.end(daemon)
}

/// FAULTS 70: a name outside the zone, and a zone that the token can't see, are held with the remedy.
#[test]
fn a_name_outside_the_zone_is_held_and_told() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let zone = serde_json::to_value(&scene.double.zones()[0].id)?;
    for (changes, reason) in [
        (vec![("DDNS_RECORDS", "vpn.elsewhere.test:A")], "the token sees no zone that holds vpn.elsewhere.test"),
        (
            vec![("DDNS_RECORDS", "vpn.elsewhere.test:A"), ("DDNS_PROVIDER_ZONE_ID", zone.as_str().unwrap())],
            "vpn.elsewhere.test does not lie in zone ddns.test",
        ),
        (
            vec![("DDNS_PROVIDER_ZONE_ID", "00000000000000000000000000000000"), ("DDNS_RECORDS", "vpn.ddns.test:A")],
            "correct DDNS_PROVIDER_ZONE_ID or the token's scope",
        ),
    ] {
        let daemon = scene.start(&changes)?;
        daemon.expect_error(|line| line["class"] == "refused" || line["class"] == "unauthorized");
        let (_, failed) = wait_line(&daemon, 0, "Failed to update DNS record", &[])?;
        ensure!(failed["error"].as_str().is_some_and(|error| error.contains(reason)), "{failed}");
        scene.end(daemon)?;
    }
    Ok(())
}

/// FAULTS 51: a place that can't be written is told with path and user; DNS work goes on without it.
#[test]
fn a_state_path_that_cannot_be_written_degrades_and_stops_nothing() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let file = scene.path("file");
    fs::write(&file, "in the way")?;
    let path = format!("{file}/state");
    let daemon = scene.start(&[("DDNS_STATE_STORE_PATH", &path)])?;
    daemon.expect_error(|line| line["message"].as_str().is_some_and(|message| message.starts_with("State can't")));
    let message = "State can't be kept: degraded, not durable; DNS work goes on";
    let (_, line) = wait_line(&daemon, 0, message, &[])?;
    ensure!(line["error"].as_str().is_some_and(|error| error.contains(&path) && error.contains("user 0")), "{line}");
    wait_ready(&daemon)?;
    scene.wait_published("A", &HOST_IPV4.to_string())?;
    scene.end(daemon)
}

/// FAULTS 12: SIGTERM in the middle of an update: it is finished, recorded, and the exit is clean.
#[test]
fn a_shutdown_in_the_middle_of_an_update_finishes_it() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    scene.double.faults().push_for(Scope::method("PATCH"), Fault::Slow(Duration::from_secs(1)));
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, mark, "Updating DNS record", &[("address", "11.22.40.1")])?;
    daemon.signal(Signal::TERM)?;
    wait_line(&daemon, mark, "DNS record updated", &[("address", "11.22.40.1")])?;
    scene.end(daemon)?;
    scene.wait_published("A", "11.22.40.1")?;

    let writes = scene.double.writes();
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    assert_eq!(scene.double.writes(), writes, "what was finished is not done again");
    scene.end(daemon)
}

/// FAULTS 12: an update that never ends is left in doubt, and looked at after the restart.
#[test]
fn a_shutdown_during_an_update_that_hangs_leaves_it_in_doubt() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    scene.double.faults().push_for(Scope::method("PATCH"), Fault::HangBeforeAnswer);
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, 0, "Updating DNS record", &[("address", "11.22.40.1")])?;
    scene.end(daemon)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    scene.wait_published("A", "11.22.40.1")?;
    scene.end(daemon)
}

#[test]
fn a_second_ddnsd_on_the_same_socket_ends_with_exit_code_2() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let first = scene.start(&[])?;
    wait_ready(&first)?;
    let mut second = scene.start(&[])?;
    assert_eq!(second.wait_exit(PATIENCE)?.code(), Some(2));
    ensure!(second.tail().contains("another ddnsd answers on"), "{}", second.tail());
    assert_eq!(first.get("/healthz")?.0, 200, "the first one is not disturbed");
    scene.end(first)
}

/// A socket left behind by a kill is replaced; a hostile client of it harms nobody.
#[test]
fn a_socket_left_behind_is_replaced_and_a_hostile_client_harms_nobody() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let killed = scene.start(&[])?;
    wait_ready(&killed)?;
    drop(killed);
    ensure!(fs::exists(scene.path("ddnsd.sock"))?, "the socket is still there");
    let daemon = scene.start(&[])?;
    wait_ready(&daemon)?;
    hostile_clients(&scene, &daemon)?;
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.1")])?;
    assert_eq!(daemon.get("/nonesuch")?.0, 404);
    scene.end(daemon)
}

fn hostile_clients(scene: &Scene<'_>, daemon: &Daemon) -> Result<()> {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(UnixStream::connect(scene.path("ddnsd.sock"))?);
    }
    drop(silent);
    let mut client = UnixStream::connect(scene.path("ddnsd.sock"))?;
    client.set_read_timeout(Some(PATIENCE))?;
    let _ =
        client.write_all(format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(65_536)).as_bytes());
    let mut answer = String::new();
    let _ = client.read_to_string(&mut answer);
    ensure!(!answer.contains("200 OK"), "{answer}");
    ensure!(daemon.get("/healthz")?.0 == 200, "it still answers");
    Ok(())
}
