//! A host whose clock, and whose line, are not there yet when it boots.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use ddns_testbed::nat_world::{HOST_IPV6, NEIGHBOUR_IPV4, NatWorld};
use ddns_testbed::{Daemon, PlugSetup, ShellyGen1};
use serde_json::Value;

use crate::recovery::environment;
use crate::scene::{PATIENCE, Scene, is, wait_line, wait_ready};

/// The dynamic loader puts in the directory of this machine's libraries (ld.so(8)).
const FAKETIME: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

fn plug(world: &NatWorld) -> Result<ShellyGen1> {
    ShellyGen1::start((Some(&world.neighbour), SocketAddr::from((NEIGHBOUR_IPV4, 80))), PlugSetup::default())
}

/// FAULTS 55: no clock that runs without power, and no time server reached yet. Every certificate lies in the future:
/// the log names the clock, nothing is stormed or switched, and all of it works as soon as the clock is set.
#[test]
fn a_host_that_boots_in_1970_names_its_clock_and_works_as_soon_as_that_is_set() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world)?;
    let clock = scene.path("clock");
    fs::write(&clock, "@1970-01-01 00:01:00\n")?;
    let faked = [
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME_TIMESTAMP_FILE", clock.as_str()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let daemon = scene.start(&environment(&faked))?;
    let held = daemon.wait_for_line("why the router keeps its power", PATIENCE, |line| {
        is(line, "The router is not power-cycled", &[])
    })?;
    let names_the_clock = |text: Option<&str>| text.is_some_and(|text| text.contains("clock is probably wrong"));
    ensure!(names_the_clock(held["why"].as_str()), "{held}");
    let failed = |failures: u64| {
        daemon.wait_for_line("attempts with growing pauses", PATIENCE, |line| {
            is(line, "Failed to update DNS record", &[]) && line["failures"] == failures
        })
    };
    let (first, third) = (failed(1)?, failed(3)?);
    ensure!(names_the_clock(first["error"].as_str()), "{first}");
    let pause = |line: &Value| line["again_in_ms"].as_u64();
    ensure!(pause(&third) > pause(&first), "{first} {third}");
    ensure!(daemon.get("/readyz")?.0 == 503);

    let mark = daemon.mark();
    fs::write(&clock, "+0\n")?;
    wait_line(&daemon, mark, "Readiness changed", &[("to", "ready")])?;
    wait_ready(&daemon)?;
    scene.wait_published("AAAA", &HOST_IPV6.to_string())?;
    ensure!(plug.history().is_empty(), "{:?}", plug.history());
    scene.end(daemon)
}

/// FAULTS 65: power comes back for all, and the line is dead as long as the router boots. It has its time first; a line
/// that is still dead then is helped.
#[test]
fn a_host_that_boots_with_its_router_gives_it_time_before_it_is_power_cycled() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world)?;
    world.refuse()?;
    // The time since boot is this namespace's own (time_namespaces(7)): it has just booted.
    let uptime = fs::read_to_string("/proc/uptime")?;
    let uptime = uptime.split('.').next().context("/proc/uptime")?;
    let back = format!("--boottime=-{uptime}");
    let environment = scene.environment(&environment(&[("DDNS_RECOVERY_SETTLE_SECS", "15")]));
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let arguments = ["--time", &back, "--kill-child", env!("CARGO_BIN_EXE_ddnsd")];
    let daemon =
        Daemon::start_with_arguments(Some(&world.host), Path::new("/usr/bin/unshare"), &arguments, &environment)?;
    let why = "this host has just booted, and the router perhaps too";
    let (mark, _) = wait_line(&daemon, 0, "The router is not power-cycled", &[("why", why)])?;
    ensure!(plug.history().is_empty(), "{:?}", plug.history());
    wait_line(&daemon, mark, "Power-cycling the router", &[])?;
    wait_line(&daemon, mark, "The router is on", &[])?;
    ensure!(plug.is_on() && plug.history().len() == 2, "{:?}", plug.history());
    // The provider refuses every connection, and that becomes an error in time.
    daemon.expect_error(|line| line["message"] == "Failed to update DNS record");
    ensure!(daemon.errors().is_empty(), "{:#?}", daemon.errors());
    Ok(())
}
