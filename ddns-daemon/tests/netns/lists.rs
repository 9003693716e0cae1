//! An IP list at Cloudflare that follows the records, and what becomes of it and of DNS when its API fails.

use anyhow::{Result, ensure};
use ddns_testbed::cloudflare::ACCOUNT_ID;
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{Fault, Scope, World};

use crate::scene::{NAME, PATIENCE, Scene, ipv4, wait_line, wait_ready};

const RECORDS: (&str, &str) = ("DDNS_RECORDS", "vpn.ddns.test:A");

/// Waits until the list holds just the address, with our comment, beside what somebody else put in.
fn wait_listed(scene: &Scene<'_>, list: &str, address: &str) -> Result<()> {
    let ours = format!("managed by ddnsd: {NAME} A");
    scene.double.wait_for(&format!("{address} in the list"), PATIENCE, |state| {
        let items = state.list_items(list).iter().map(|item| (item.ip.as_str(), item.comment.as_deref()));
        items.collect::<Vec<_>>() == [("11.0.0.0/8", None), (address, Some(ours.as_str()))]
    })
}

#[test]
fn a_list_follows_the_record_and_is_made_right_at_a_start() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let list = scene.double.put_list();
    scene.double.put_list_item(&list, "11.0.0.0/8", None);
    scene.double.set_list_looks(1);
    let variables = [RECORDS, ("DDNS_PROVIDER_LIST_ACCOUNT_ID", ACCOUNT_ID), ("DDNS_PROVIDER_LIST_ID", &list)];
    let daemon = scene.start(&variables)?;
    wait_listed(&scene, &list, &HOST_IPV4.to_string())?;
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_listed(&scene, &list, "11.22.40.7")?;
    scene.end(daemon)?;
    // Somebody edits it meanwhile.
    let edited = scene.double.put_list();
    scene.double.put_list_item(&edited, "11.0.0.0/8", None);
    scene.double.put_list_item(&edited, "11.22.40.1", Some(&format!("managed by ddnsd: {NAME} A")));
    let daemon = scene.start(&[variables[0], variables[1], ("DDNS_PROVIDER_LIST_ID", &edited)])?;
    wait_listed(&scene, &edited, "11.22.40.7")?;
    scene.end(daemon)
}

#[test]
fn lists_that_fail_hold_up_neither_dns_nor_readiness() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let list = scene.double.put_list();
    let lists = || Scope::method("GET").under("/accounts");
    scene.double.faults().push_for(lists(), Fault::too_many_requests(Some("3600")));
    scene.double.faults().push_for(lists().always(), Fault::HangBeforeAnswer);
    let variables = [RECORDS, ("DDNS_PROVIDER_LIST_ACCOUNT_ID", ACCOUNT_ID), ("DDNS_PROVIDER_LIST_ID", &list)];
    let daemon = scene.start(&variables)?;
    let told = "The list of addresses is not kept";
    let (mark, line) = wait_line(&daemon, 0, told, &[("level", "WARN")])?;
    ensure!(line["error"].as_str().is_some_and(|error| error.contains("429")), "{line}");
    ensure!(line["wait_secs"].as_u64().is_some_and(|wait| wait >= 3590), "{line}");
    wait_ready(&daemon)?;
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.7")])?;
    scene.wait_published("A", "11.22.40.7")?;
    ensure!(daemon.get("/readyz")?.0 == 200, "ready all the same");
    scene.end(daemon)?;

    let daemon = scene.start(&variables)?;
    scene.double.wait_for("a look at the list that hangs", PATIENCE, |state| {
        state.transcript().iter().filter(|exchange| exchange.endpoint().starts_with("/accounts")).count() == 2
    })?;
    world.swap_ipv4(ipv4(7), ipv4(8))?;
    scene.double.wait_for("the change", PATIENCE, |state| state.holds(NAME, "A", "11.22.40.8"))?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.8")])?;
    wait_ready(&daemon)?;
    scene.end(daemon)
}
