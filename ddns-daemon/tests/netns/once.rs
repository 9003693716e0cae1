//! One whole pass, as cron would do it.

use std::fs;
use std::process::Output;

use anyhow::{Result, ensure};
use ddns_testbed::World;
use ddns_testbed::world::HOST_IPV4;

use crate::scene::{Scene, ipv4, wait_ready};

/// Longer than a pass may take that ends as soon as all is right.
const PATIENT: [&str; 2] = ["--timeout", "3600"];
const RECORD: (&str, &str) = ("DDNS_RECORDS", "vpn.ddns.test:A");

fn once(world: &World, scene: &Scene<'_>, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
    // A pass that does not end by itself is ended with a code of its own.
    let mut ddnsd = world.host.command("/usr/bin/timeout");
    ddnsd
        .args(["60", env!("CARGO_BIN_EXE_ddnsd"), "once"])
        .args(arguments)
        .env_clear()
        .envs(scene.environment(&[RECORD]));
    let Output { status, stdout, stderr } = ddnsd.output()?;
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    Ok((status.code(), text(stdout), text(stderr)))
}

/// Written once, proven, saved: the next pass writes nothing, and one after a change writes once more.
#[test]
fn a_pass_brings_the_record_right_and_the_next_one_finds_it_so() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let (code, said, log) = once(&world, &scene, &PATIENT)?;
    ensure!(code == Some(0), "{code:?} {said} {log}");
    ensure!(said == format!("vpn.ddns.test A {HOST_IPV4} proven by resolvers\n"), "{said}");
    scene.wait_published("A", &HOST_IPV4.to_string())?;
    ensure!(!fs::exists(scene.path("ddnsd.sock"))?, "the socket goes with the pass");

    let writes = scene.double.writes();
    let (code, said, log) = once(&world, &scene, &PATIENT)?;
    ensure!(code == Some(0) && scene.double.writes() == writes, "{code:?} {said} {log}");
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    let (code, said, log) = once(&world, &scene, &PATIENT)?;
    ensure!(
        code == Some(0) && said.contains("11.22.40.1 proven") && scene.double.writes() == writes + 1,
        "{said} {log}"
    );
    scene.wait_published("A", "11.22.40.1")
}

#[test]
fn a_pass_that_does_not_get_there_in_time_says_how_far_it_got() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    scene.double.set_propagation(false)?;
    let (code, said, log) = once(&world, &scene, &["--timeout", "3"])?;
    ensure!(code == Some(2), "{code:?} {said} {log}");
    ensure!(said == format!("vpn.ddns.test A {HOST_IPV4} written, not proven yet\n"), "{said}");
    Ok(())
}

/// Two at work on one record would be one too many.
#[test]
fn a_pass_beside_a_daemon_is_refused() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[RECORD])?;
    wait_ready(&daemon)?;
    let (code, said, errors) = once(&world, &scene, &PATIENT)?;
    ensure!(code == Some(2) && said.is_empty(), "{code:?} {said}");
    ensure!(errors.contains("does this already: see `ddnsd status`"), "{errors}");
    ensure!(daemon.get("/healthz")?.0 == 200, "the daemon is not disturbed");
    scene.end(daemon)
}
