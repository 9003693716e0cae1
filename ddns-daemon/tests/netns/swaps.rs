//! Traps 31 to 34: how an address goes and another comes must not decide how long the report takes.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::scene::{NAME, PATIENCE, Scene, ipv4, wait_line, wait_ready};
use anyhow::{Result, ensure};
use ddns_testbed::world::{HOST_INTERFACE, HOST_IPV4};
use ddns_testbed::{Fault, Scope, World};

fn route(world: &World) -> Result<()> {
    let route = ["route", "replace", "default", "via", "11.22.33.1", "dev", HOST_INTERFACE, "onlink"];
    world.host.ip(&route).map(drop)
}

/// Traps 32 and 33: addition and removal in both orders, 0 to 50 ms apart; every change is reported.
#[test]
fn every_order_and_pause_of_a_swap_is_reported() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    let (mut current, mut number) = (HOST_IPV4, 0);
    for pause in [0, 1, 3, 10, 50] {
        for addition_first in [true, false] {
            number += 1;
            // A subnet of its own: a secondary address would go with the primary.
            let next = Ipv4Addr::new(11, 22, 50 + number, 1);
            let add = format!("{next}/24");
            let remove = format!("{current}/24");
            let add = ["addr", "add", &add, "dev", HOST_INTERFACE];
            let remove = ["addr", "del", &remove, "dev", HOST_INTERFACE];
            let steps = if addition_first { [add, remove] } else { [remove, add] };
            world.host.ip(&steps[0])?;
            // The pause is what is tested, not waited for.
            std::thread::sleep(Duration::from_millis(pause));
            world.host.ip(&steps[1])?;
            route(&world)?;
            let to = next.to_string();
            wait_line(&daemon, 0, "DNS record verified", &[("address", &to)])?;
            scene.wait_published("A", &to)?;
            current = next;
        }
    }
    scene.end(daemon)
}

/// Trap 31: a connection whose source address has gone is given up at once, in the middle of an exchange; the outcome
/// is read back, and the new address is reported over a new connection.
#[test]
fn a_connection_from_an_address_that_has_gone_is_given_up_at_once() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    scene.double.faults().push_for(Scope::method("PATCH"), Fault::HangBeforeAnswer);
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    scene.double.wait_for("the write that hangs", PATIENCE, |state| {
        state.transcript().iter().any(|exchange| exchange.method == "PATCH")
    })?;
    world.swap_ipv4(ipv4(1), ipv4(2))?;
    let (_, failed) = wait_line(&daemon, 0, "Failed to update DNS record", &[])?;
    ensure!(failed["error"].as_str().is_some_and(|error| error.contains("the host has lost 11.22.40.1")), "{failed}");
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.2")])?;
    scene.wait_published("A", "11.22.40.2")?;
    scene.end(daemon)
}

/// Trap 33: without a route nothing can be sent; it is tried again within milliseconds, and succeeds when there is one.
#[test]
fn a_moment_without_a_route_is_lived_through() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    world.host.ip(&["addr", "del", "11.22.33.44/24", "dev", HOST_INTERFACE])?;
    world.host.ip(&["addr", "add", "11.22.40.1/24", "dev", HOST_INTERFACE])?;
    wait_line(&daemon, mark, "Failed to update DNS record", &[("class", "unreachable")])?;
    route(&world)?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.1")])?;
    scene.end(daemon)
}

/// Trap 34: the kernel promotes a secondary address when the primary of its subnet goes.
#[test]
fn a_promoted_secondary_address_is_reported() -> Result<()> {
    let world = World::new()?;
    world.host.sysctl(&format!("net/ipv4/conf/{HOST_INTERFACE}/promote_secondaries"), "1")?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[("DDNS_RECORDS", "vpn.ddns.test:A")])?;
    wait_ready(&daemon)?;
    world.host.ip(&["addr", "add", "11.22.33.45/24", "dev", HOST_INTERFACE])?;
    world.host.ip(&["addr", "del", "11.22.33.44/24", "dev", HOST_INTERFACE])?;
    route(&world)?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.33.45")])?;
    scene.wait_published("A", "11.22.33.45")?;
    ensure!(scene.double.records_of(NAME, "A").len() == 1, "one record");
    scene.end(daemon)
}
