//! The world behind NAT. Needs root; without it these tests fail and say so.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};
use ddns_testbed::NatWorld;
use ddns_testbed::nat_world::{CARRIER_IPV4, ECHO_ADDRESSES, EXTERNAL_IPV4, HOST_IPV6};

const PATIENCE: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(500);

/// Listens on the internet's side, connects from the host's, and returns the address that the internet saw.
fn seen_from(world: &NatWorld, server: IpAddr, patience: Duration) -> Result<IpAddr> {
    let listener = world.internet.enter(|| TcpListener::bind((server, 0)))??;
    let address: SocketAddr = listener.local_addr()?;
    let stream = world.host.enter(move || TcpStream::connect_timeout(&address, patience))?.context("connecting")?;
    let (_, client) = listener.accept()?;
    drop(stream);
    Ok(client.ip())
}

#[test]
fn the_internet_sees_the_router_for_ipv4_and_the_host_for_ipv6() {
    let world = NatWorld::new().expect("a world");
    let [v4, v6] = ECHO_ADDRESSES;
    assert_eq!(seen_from(&world, v4, PATIENCE).expect("IPv4"), EXTERNAL_IPV4);
    assert_eq!(seen_from(&world, v6, PATIENCE).expect("IPv6"), HOST_IPV6);

    let next = "11.44.5.6".parse().expect("an address");
    world.set_external_ipv4(next).expect("changed");
    assert_eq!(seen_from(&world, v4, PATIENCE).expect("IPv4 after the change"), next);
    assert_eq!(seen_from(&world, v6, PATIENCE).expect("IPv6 after the change"), HOST_IPV6);

    world.share_ipv4().expect("shared");
    assert_eq!(seen_from(&world, v4, PATIENCE).expect("IPv4 behind the carrier"), CARRIER_IPV4);
    world.own_ipv4(EXTERNAL_IPV4).expect("owned");
    assert_eq!(seen_from(&world, v4, PATIENCE).expect("IPv4 without the carrier"), EXTERNAL_IPV4);
}

#[test]
fn a_cut_takes_both_families_and_is_mended() {
    let world = NatWorld::new().expect("a world");
    world.cut().expect("cut");
    for server in ECHO_ADDRESSES {
        assert!(seen_from(&world, server, SHORT).is_err(), "{server} is still reached");
    }
    world.restore().expect("restored");
    for server in ECHO_ADDRESSES {
        seen_from(&world, server, PATIENCE).expect("reached again");
    }
}
