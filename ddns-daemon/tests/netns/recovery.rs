//! A dead line behind a router whose power hangs on a smart plug. The plug is a double by its vendor's documents; what it
//! does to the router's links is real.

mod killed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_testbed::nat_world::{HOST_IPV6, NEIGHBOUR_IPV4, NatWorld};
use ddns_testbed::{Daemon, Plug, PlugFault, PlugSetup, ShellyGen1, Signal};
use serde_json::Value;

use crate::scene::{PATIENCE, Scene, wait_line, wait_ready};

/// How long the router's capacitors last.
const CAPACITORS: Duration = Duration::from_millis(700);
const POLL: Duration = Duration::from_millis(2);

/// What a switch of the plug does.
type OnSwitch = Box<dyn Fn(bool) + Send + Sync>;

fn plug(world: &NatWorld, on_switch: Option<OnSwitch>) -> Result<ShellyGen1> {
    let setup = PlugSetup { on_switch, ..PlugSetup::default() };
    ShellyGen1::start((Some(&world.neighbour), SocketAddr::from((NEIGHBOUR_IPV4, 80))), setup)
}

/// The plug feeds the router: links go down, and up again.
fn feeding(world: &Arc<NatWorld>, lasts: Duration) -> Option<OnSwitch> {
    let world = Arc::clone(world);
    Some(Box::new(move |on| {
        let world = Arc::clone(&world);
        let switch = move || {
            thread::sleep(if on { Duration::ZERO } else { lasts });
            world.power(on).expect("links that go down and up");
        };
        if lasts.is_zero() { switch() } else { drop(thread::spawn(switch)) }
    }))
}

/// A host that may cycle its router after a second without an answer.
pub fn environment<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let environment = [
        ("DDNS_RECORDS", "vpn.ddns.test:AAAA"),
        ("DDNS_IP_SOURCE_INTERFACE", ""),
        ("DDNS_PROBE_INTERVAL_SECS", "1"),
        ("DDNS_AUDIT_INTERVAL_SECS", "0"),
        ("DDNS_ALLOW_PHYSICAL_RECOVERY", "true"),
        ("DDNS_PLUG_KIND", "shelly1"),
        ("DDNS_PLUG_HOST", "192.168.7.66"),
        ("DDNS_PLUG_FEEDS", "router"),
        ("DDNS_RECOVERY_AFTER_SECS", "1"),
        ("DDNS_RECOVERY_OFF_SECS", "3"),
        ("DDNS_RECOVERY_SETTLE_SECS", "60"),
    ];
    environment.into_iter().chain(changes.iter().copied()).collect()
}

fn history(daemon: &Daemon) -> Result<Value> {
    let (status, body) = daemon.get("/v1/history")?;
    ensure!(status == 200, "{status} {body}");
    Ok(serde_json::from_str(&body)?)
}

fn wait_power(plug: &Plug, on: bool) -> Result<()> {
    let begun = Instant::now();
    while plug.is_on() != on {
        ensure!(begun.elapsed() < PATIENCE, "the plug does not go {}", if on { "on" } else { "off" });
        thread::sleep(POLL);
    }
    Ok(())
}

/// The whole way: the line dies, the router loses its power and gets it back, the line is there again, and it is one
/// outage with its cause in the history. FAULTS 14.
#[test]
fn a_dead_line_is_cured_by_a_power_cycle_and_counted_as_one_outage() -> Result<()> {
    let world = Arc::new(NatWorld::new()?);
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world, feeding(&world, CAPACITORS))?;
    let daemon = scene.start(&environment(&[]))?;
    wait_ready(&daemon)?;
    scene.wait_published("AAAA", &HOST_IPV6.to_string())?;

    let mark = daemon.mark();
    world.cut()?;
    let (mark, _) = wait_line(&daemon, mark, "Readiness changed", &[("to", "not-ready")])?;
    let (mark, _) = wait_line(&daemon, mark, "Power-cycling the router", &[])?;
    let (mark, _) = wait_line(&daemon, mark, "The router is off", &[])?;
    let (mark, _) = wait_line(&daemon, mark, "The router is on", &[])?;
    wait_line(&daemon, mark, "The line is back after the power cycle", &[])?;
    let (status, _) = daemon.get("/readyz")?;
    ensure!(status == 200 && plug.is_on(), "{status}");
    ensure!(plug.history().len() == 2, "{:?}", plug.history());

    let history = history(&daemon)?;
    let outages = history["outages"].as_array().context("outages")?;
    ensure!(outages.len() == 1, "{history:#}");
    ensure!(outages[0]["cause"] == "wan-down" && outages[0]["cycles"] == 1, "{history:#}");
    ensure!(outages[0]["until"].is_u64() && history["uptime"]["24h"]["outages"] == 1, "{history:#}");
    let (up, total) = (&history["loops"]["up"], &history["loops"]["total"]);
    ensure!(up.as_u64() >= Some(1) && up.as_u64() < total.as_u64(), "{history:#}");
    let told = ddnsd(&scene, &world, &environment(&[]), &["history"])?;
    ensure!(told.contains("wan-down for") && told.contains("router power-cycled 1 times"), "{told}");
    scene.end(daemon)
}

/// The plug hangs behind the router: nobody reaches it while it is off, and its own timer switches it on.
#[test]
fn a_plug_that_is_cut_off_with_the_router_comes_back_by_its_own_timer() -> Result<()> {
    let world = Arc::new(NatWorld::new()?);
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world, feeding(&world, Duration::ZERO))?;
    let daemon = scene.start(&environment(&[]))?;
    daemon
        .expect_error(|line| line["message"].as_str().is_some_and(|text| text.starts_with("The plug did not confirm")));
    daemon.expect_error(|line| line["message"] == "The router can't be switched on; trying again");
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    world.cut()?;
    let (mark, _) = wait_line(&daemon, mark, "Power-cycling the router", &[])?;
    wait_power(&plug, false)?;
    wait_power(&plug, true)?;
    let (mark, _) = wait_line(&daemon, mark, "The router is on", &[])?;
    wait_line(&daemon, mark, "Readiness changed", &[("to", "ready")])?;
    ensure!(plug.requests().iter().any(|request| request.contains("timer=3")), "{:?}", plug.requests());
    scene.end(daemon)
}

/// FAULTS 15, and the default: each reason not to act is said.
#[test]
fn what_keeps_the_router_from_being_cycled_is_said() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world, None)?;
    for (changes, cable, why) in [
        (&[("DDNS_ALLOW_PHYSICAL_RECOVERY", "")][..], true, "it is not allowed: set DDNS_ALLOW_PHYSICAL_RECOVERY=true"),
        (&[("DDNS_MODE", "dry-run")], true, "a dry run switches nothing"),
        (&[], false, "the cable of this host is out"),
    ] {
        let daemon = scene.start(&environment(changes))?;
        wait_line(&daemon, 0, "Readiness changed", &[("to", "ready")])?;
        let mark = daemon.mark();
        if cable {
            world.cut()?
        } else {
            world.power(false)?
        }
        wait_line(&daemon, mark, "The router is not power-cycled", &[("why", why)])?;
        let (status, body) = daemon.get("/v1/recovery")?;
        let document: Value = serde_json::from_str(&body)?;
        ensure!(status == 200 && document["why_not"] == why && document["phase"] == "watching", "{body}");
        world.power(true)?;
        scene.end(daemon)?;
    }
    ensure!(plug.history().is_empty(), "{:?}", plug.history());
    Ok(())
}

/// FAULTS 59: SIGTERM while the router is off.
#[test]
fn a_daemon_that_is_stopped_while_the_router_is_off_switches_it_on_first() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world, None)?;
    let daemon = scene.start(&environment(&[("DDNS_RECOVERY_OFF_SECS", "300")]))?;
    wait_ready(&daemon)?;
    world.cut()?;
    wait_line(&daemon, 0, "The router is off", &[])?;
    ensure!(!plug.is_on());
    scene.end(daemon)?;
    ensure!(plug.is_on());
    let state = ddnsd(&scene, &world, &environment(&[]), &["state", "export"])?;
    let state: Value = serde_json::from_str(&state)?;
    ensure!(state["recovery"]["intent"].is_null() && state["recovery"]["failures"] == 1, "{state:#}");
    Ok(())
}

/// FAULTS 59: kill -9 while the router is off, and a start whose configuration is wrong.
#[test]
fn a_start_switches_on_what_a_killed_daemon_left_off_although_its_configuration_is_wrong() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world, None)?;
    for wrong in [&[("DDNS_PLUG_KIND", "toaster")][..], &[("DDNS_RECORDS", "not a name"), ("DDNS_PLUG_HOST", "")]] {
        let mut daemon =
            scene.start(&environment(&[("DDNS_RECOVERY_OFF_SECS", "300"), ("DDNS_RECOVERY_COOLDOWN_SECS", "1")]))?;
        world.cut()?;
        wait_line(&daemon, 0, "The router is off", &[])?;
        daemon.signal(Signal::KILL)?;
        daemon.wait_exit(PATIENCE)?;
        ensure!(!plug.is_on());
        let again = scene.start(&environment(wrong))?;
        wait_power(&plug, true)?;
        again.signal(Signal::KILL)?;
        world.restore()?;
        std::fs::remove_dir_all(scene.path("state"))?;
    }
    Ok(())
}

/// FAULTS 58 and 63: a plug that says nothing, or is another device by now, is not switched, and `recover --dry-run` says
/// so.
#[test]
fn a_plug_that_does_not_answer_or_is_another_one_is_named_and_left_alone() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world, None)?;
    let daemon = scene.start(&environment(&[]))?;
    daemon.expect_error(|line| line["message"] == "The plug can't be relied on");
    daemon.expect_error(|line| line["message"] == "The router is not power-cycled");
    wait_ready(&daemon)?;
    let told = ddnsd(&scene, &world, &environment(&[]), &["recover", "--dry-run"])?;
    ensure!(told.contains("a8032ab12345, on") && told.contains("the line is not dead"), "{told}");
    plug.replace_by("A8032AB99999");
    let mark = daemon.mark();
    world.cut()?;
    let (_, line) = wait_line(&daemon, mark, "The plug can't be relied on", &[])?;
    ensure!(line["why"].as_str().is_some_and(|why| why.contains("a8032ab99999 answers in the place of")), "{line}");
    plug.set(PlugFault::Status(500));
    let told = ddnsd(&scene, &world, &environment(&[]), &["recover", "--dry-run"])?;
    ensure!(told.contains("nothing is done") && told.contains("500"), "{told}");
    ensure!(plug.history().is_empty(), "{:?}", plug.history());
    scene.end(daemon)
}

/// A pass for cron gives back the power that a killed daemon took.
#[test]
fn a_single_pass_gives_power_back() -> Result<()> {
    let world = Arc::new(NatWorld::new()?);
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world, feeding(&world, CAPACITORS))?;
    let environment = environment(&[("DDNS_RECOVERY_OFF_SECS", "60")]);
    let daemon = scene.start(&environment)?;
    wait_ready(&daemon)?;
    world.cut()?;
    wait_line(&daemon, 0, "The router is off", &[])?;
    drop(daemon);
    ensure!(!plug.is_on(), "the daemon was killed while power was off");

    let said = ddnsd(&scene, &world, &environment, &["once"])?;
    ensure!(said.contains(&format!("vpn.ddns.test AAAA {HOST_IPV6} proven by resolvers")), "{said}");
    ensure!(plug.is_on() && plug.history().len() == 2, "{:?}", plug.history());
    Ok(())
}

/// However dead the line is: nobody would be there to see it through.
#[test]
fn a_single_pass_takes_no_power() -> Result<()> {
    let world = Arc::new(NatWorld::new()?);
    let scene = Scene::among(&world.host, &world.internet)?;
    let plug = plug(&world, feeding(&world, CAPACITORS))?;
    world.cut()?;
    let said = ddnsd(&scene, &world, &environment(&[]), &["once", "--timeout", "15"])?;
    ensure!(said.contains(r#""to":"not-ready""#) && said.contains("it is not allowed"), "{said}");
    ensure!(plug.is_on() && plug.history().is_empty(), "{:?}", plug.history());
    Ok(())
}

/// What ddnsd prints with these arguments, in the environment of a daemon.
fn ddnsd(scene: &Scene<'_>, world: &NatWorld, changes: &[(&str, &str)], arguments: &[&str]) -> Result<String> {
    let mut ddnsd = world.host.command(env!("CARGO_BIN_EXE_ddnsd"));
    let output = ddnsd.args(arguments).env_clear().envs(scene.environment(changes)).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(String::from_utf8(output.stdout)? + &said)
}
