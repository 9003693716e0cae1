//! The main job: a kernel address change becomes a verified record. The real ddnsd, the real kernel, real TLS, a real
//! BIND; Cloudflare is a double that is held against Cloudflare's schema. Needs root.

#[path = "support/scene.rs"]
mod scene;

use anyhow::{Result, ensure};
use ddns_testbed::World;
use ddns_testbed::world::{HOST_IPV4, HOST_IPV6, HOST_IPV6_PREFIX};
use scene::{NAME, Scene, ipv4, wait_line, wait_ready};

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
    let last = scene.double.transcript().into_iter().filter(ddns_testbed::Exchange::is_write).last().unwrap();
    assert_eq!(last.method, "PATCH");
    let mut sent: Vec<_> = last.request_body.as_ref().unwrap().as_object().unwrap().keys().cloned().collect();
    sent.sort();
    assert_eq!(sent, ["content", "name", "type"]);
    scene.end(daemon)
}
