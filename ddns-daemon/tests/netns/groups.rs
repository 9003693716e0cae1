//! Records with a suffix, an interface, a time to live and a provider of their own.

use std::fs;

use anyhow::Result;
use ddns_testbed::World;
use ddns_testbed::world::{HOST_INTERFACE, HOST_IPV4, HOST_IPV6_PREFIX};

use crate::scene::{NAME, SECOND_TOKEN, Scene, ipv4, wait_line, wait_ready};

const NAS: &str = "nas.ddns.test";

/// A server under the changing prefix is kept at a second account, and the host itself at the first.
#[test]
fn each_record_has_its_own_provider_suffix_and_time_to_live() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let second = scene.second_account()?;
    let token = scene.path("second-token");
    fs::write(&token, SECOND_TOKEN)?;
    let url = second.url();
    let daemon = scene.start(&[
        ("DDNS_RECORDS", &format!("{NAME}:A")),
        ("DDNS_RECORD_1_NAME", NAS),
        ("DDNS_RECORD_1_TYPE", "AAAA"),
        ("DDNS_RECORD_1_SUFFIX", "34:56:78:9a:bc:de"),
        ("DDNS_RECORD_1_INTERFACE", HOST_INTERFACE),
        ("DDNS_RECORD_1_TTL", "300"),
        ("DDNS_RECORD_1_PROVIDER", "second"),
        ("DDNS_PROVIDER_SECOND_TYPE", "cloudflare"),
        ("DDNS_PROVIDER_SECOND_API_TOKEN_FILE", &token),
        ("DDNS_PROVIDER_SECOND_API_URL", &url),
    ])?;
    wait_ready(&daemon)?;
    assert_eq!(scene.named.lookup(NAME, "A")?, [HOST_IPV4.to_string()]);
    let mut nas = HOST_IPV6_PREFIX.segments();
    nas[4..].copy_from_slice(&[0x3656, 0x78ff, 0xfe9a, 0xbcde]);
    assert_eq!(scene.named.lookup(NAS, "AAAA")?, [std::net::Ipv6Addr::from(nas).to_string()]);
    let (first, other) = (scene.double.records(), second.records());
    assert_eq!((first.len(), other.len()), (1, 1), "{first:?} {other:?}");
    assert_eq!(serde_json::to_value(&other[0])?["ttl"], 300);

    let mark = daemon.mark();
    world.renumber_ipv6(HOST_IPV6_PREFIX, "2a00:1234:9abc:2::".parse()?)?;
    let moved = "2a00:1234:9abc:2:3656:78ff:fe9a:bcde";
    let (mark, _) = wait_line(&daemon, mark, "DNS record verified", &[("record", NAS), ("address", moved)])?;
    assert_eq!(scene.named.lookup(NAS, "AAAA")?, [moved]);
    assert_eq!((scene.double.writes(), second.writes()), (1, 2));

    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, mark, "DNS record verified", &[("record", NAME), ("address", "11.22.40.7")])?;
    assert_eq!((scene.double.writes(), second.writes()), (2, 2));
    scene.end(daemon)
}
