//! The two-namespace world. Needs root; without it these tests fail and say so.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Context, Result};
use ddns_testbed::{
    Authority, CloudflareDouble, Named, Namespace, Record, World,
    world::{CLOUDFLARE_IPV4, HOST_INTERFACE, HOST_IPV4, HOST_IPV6, HOST_IPV6_PREFIX},
};
use serde_json::json;

#[path = "support/client.rs"]
mod client;

use client::Client;

const TOKEN: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCD";
const PATIENCE: Duration = Duration::from_secs(20);

/// Listens on the internet's side, connects from the host's, and returns the address that the internet saw.
fn seen_from(world: &World, server: IpAddr) -> Result<IpAddr> {
    let listener = world.internet.enter(|| TcpListener::bind((server, 0)))??;
    let address = listener.local_addr()?;
    let stream = world.host.enter(move || TcpStream::connect_timeout(&address, PATIENCE))?.context("connecting")?;
    let (_, client) = listener.accept()?;
    drop(stream);
    Ok(client.ip())
}

fn addresses(world: &World) -> String {
    world.host.ip(&["-o", "addr", "show", "dev", HOST_INTERFACE, "scope", "global"]).expect("addresses")
}

#[test]
fn a_namespace_goes_with_its_owner_and_holds_what_enters_it() {
    let namespace = Namespace::create("alone").expect("a namespace");
    let path = std::path::Path::new("/run/netns").join(namespace.name());
    assert!(path.exists());
    let inside =
        namespace.enter(|| std::fs::read_to_string("/proc/thread-self/net/dev").expect("devices")).expect("in");
    assert_eq!(inside.lines().skip(2).count(), 1, "only lo: {inside}");
    let output = namespace.command("ip").args(["-o", "link"]).output().expect("ip");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
    let error = namespace.ip(&["link", "set", "nowhere", "up"]).expect_err("no such link").to_string();
    assert!(error.contains("nowhere") && error.contains(namespace.name()), "{error}");
    drop(namespace);
    assert!(!path.exists());
}

#[test]
fn the_host_reaches_the_services_before_and_after_every_change_of_address() {
    let world = World::new().expect("a world");
    let [v4, v6] = World::cloudflare_addresses();
    assert_eq!(seen_from(&world, v4).expect("IPv4"), HOST_IPV4);
    assert_eq!(seen_from(&world, v6).expect("IPv6"), HOST_IPV6);

    let far = "11.22.40.7".parse().expect("an address");
    world.swap_ipv4(HOST_IPV4, far).expect("swapped");
    assert_eq!(seen_from(&world, v4).expect("IPv4 after the swap"), far);

    let prefix: Ipv6Addr = "2a00:1234:9abc:2::".parse().expect("a prefix");
    let renumbered = world.renumber_ipv6(HOST_IPV6_PREFIX, prefix).expect("renumbered");
    assert_eq!(seen_from(&world, v6).expect("IPv6 after the renumbering"), renumbered);

    let last = world.burst(1000, far).expect("a burst");
    assert_eq!(seen_from(&world, v4).expect("IPv4 after the burst"), last);
    let shown = addresses(&world);
    assert_eq!(shown.lines().count(), 2, "{shown}");
    let again = world.burst(3, last).expect("another burst");
    assert_eq!(seen_from(&world, v4).expect("IPv4 after the second burst"), again);

    world.deprecate_ipv6(renumbered).expect("deprecated");
    assert!(addresses(&world).contains("deprecated"));
}

#[test]
fn an_address_is_tentative_only_in_a_world_with_duplicate_address_detection() {
    assert!(!addresses(&World::new().expect("a world")).contains("tentative"));
    let world = World::with_duplicate_address_detection().expect("a world");
    assert!(addresses(&world).contains("tentative"));
}

#[test]
fn the_doubles_work_together_across_the_wire() {
    let world = World::new().expect("a world");
    let authority = Authority::new().expect("an authority");
    let identity = authority.issue(&["192.0.2.10", "192.0.2.53", "2001:db8::10", "2001:db8::53"]).expect("an identity");
    let named =
        Named::start(&world.internet, &World::resolver_addresses(), &["example.com"], &identity).expect("named");
    let double = CloudflareDouble::builder(identity.server_config().expect("TLS"), TOKEN)
        .inside(&world.internet, &World::cloudflare_addresses())
        .zone("example.com")
        .publishing_to(&named)
        .start()
        .expect("a double");
    assert_eq!(double.url(), "https://192.0.2.10:8443/client/v4");
    assert_eq!(named.doh_urls(), ["https://192.0.2.53:8443/dns-query", "https://[2001:db8::53]:8443/dns-query"]);
    let id = double.put_record(Record::new("A", "vpn.example.com", "11.22.33.9")).expect("a record");
    let path = format!("/client/v4/zones/{}/dns_records/{id}", double.zones()[0].id);
    for (server, content) in World::cloudflare_addresses().into_iter().zip(["11.22.33.44", "11.22.33.45"]) {
        let client = Client::new(authority.der(), SocketAddr::new(server, 8443), TOKEN, "h2");
        let body = json!({"content": content});
        let reply = world.host.enter(|| client.send("PATCH", &path, Some(body))).expect("in").expect("an answer");
        assert_eq!(reply.status, 200);
        assert_eq!(named.lookup("vpn.example.com", "A").expect("an answer"), [content]);
    }
    let clients: Vec<_> = double.transcript().iter().map(|exchange| exchange.client.ip()).collect();
    assert_eq!(clients, [IpAddr::from(HOST_IPV4), IpAddr::from(HOST_IPV6)]);
    let outside = TcpStream::connect_timeout(&SocketAddr::new(CLOUDFLARE_IPV4.into(), 8443), Duration::from_millis(50));
    assert!(outside.is_err(), "the double can be reached from outside its namespace");
}
