use std::net::{Ipv4Addr, UdpSocket};

use anyhow::{Result, ensure};
use ddns_testbed::Miniupnpd;
use ddns_testbed::nat_world::{EXTERNAL_IPV4, HOST_IPV6, LAN_INTERFACE, NEIGHBOUR_IPV4, NatWorld};

use super::{Voters, start, wait_verified};
use crate::scene::{Scene, wait_line, wait_ready};

/// FAULTS 26: a neighbour poses as the router. Nothing is asked, and nothing is believed.
#[test]
fn an_announcement_from_another_host_of_the_lan_is_ignored() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let voters = Voters::start(&world, &scene)?;
    let daemon = start(&scene, &[])?;
    wait_ready(&daemon)?;
    let (mark, asked) = (daemon.mark(), voters.echo.clients().len());
    // RFC 6886 section 3.2.1: version 0, opcode 128, result 0, epoch 1, external address 11.66.66.66.
    let forged = [0, 128, 0, 0, 0, 0, 0, 1, 11, 66, 66, 66];
    let socket = world.neighbour.enter(|| UdpSocket::bind((NEIGHBOUR_IPV4, 5351)))??;
    socket.send_to(&forged, (Ipv4Addr::new(224, 0, 0, 1), 5350))?;
    wait_line(&daemon, mark, "Somebody who is no gateway poses as one", &[("from", &NEIGHBOUR_IPV4.to_string())])?;
    ensure!(voters.echo.clients().len() == asked, "nobody is asked");
    // The daemon still hears the router itself.
    world.set_external_ipv4("11.22.44.7".parse()?)?;
    wait_verified(&daemon, mark, "11.22.44.7")?;
    scene.end(daemon)
}

/// Boot before the network is there, FAULTS 55's neighbour: no address, no route, no voter; then all of it comes.
#[test]
fn a_host_that_starts_before_its_network_publishes_as_soon_as_that_is_there() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let _voters = Voters::start(&world, &scene)?;
    world.host.ip(&["link", "set", LAN_INTERFACE, "down"])?;
    world.host.ip(&["addr", "flush", "dev", LAN_INTERFACE])?;
    let daemon = start(&scene, &[])?;
    wait_line(&daemon, 0, "Readiness changed", &[("to", "not-ready")])?;
    let mark = daemon.mark();
    world.host.ip_batch(&format!(
        "link set {LAN_INTERFACE} up\naddr add 192.168.7.2/24 dev {LAN_INTERFACE}\n\
         addr add {HOST_IPV6}/64 dev {LAN_INTERFACE} nodad\nroute add default via 192.168.7.1 dev {LAN_INTERFACE}\n\
         route add default via fe80::1 dev {LAN_INTERFACE} onlink\n"
    ))?;
    wait_verified(&daemon, mark, &EXTERNAL_IPV4.to_string())?;
    scene.wait_published("A", &EXTERNAL_IPV4.to_string())?;
    scene.end(daemon)
}

/// FAULTS 25: the router maps WireGuard's port, and maps it anew after it has started again.
#[test]
fn wireguards_port_is_mapped_and_mapped_anew_after_the_router_started_again() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let Voters { echo: _echo, _stun, _whoami, router } = Voters::start(&world, &scene)?;
    let daemon = start(&scene, &[("DDNS_WIREGUARD_INTERFACE", "wg0"), ("DDNS_WIREGUARD_PORT", "51820")])?;
    wait_ready(&daemon)?;
    wait_line(&daemon, 0, "The router maps the port to this host", &[])?;
    ensure!(router.rules()?.contains("51820"), "{}", router.rules()?);
    drop(router);
    let router = Miniupnpd::start(&world)?;
    let begun = std::time::Instant::now();
    while !router.rules()?.contains("51820") {
        ensure!(begun.elapsed() < crate::scene::PATIENCE, "not mapped again:\n{}\n{}", router.rules()?, daemon.tail());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    scene.end(daemon)
}

/// The line is cut and comes back with another address, and the router says nothing: the way to the Internet itself is
/// the hint.
#[test]
fn when_the_line_comes_back_the_voters_are_asked() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let _voters = Voters::start(&world, &scene)?;
    let daemon = start(&scene, &[("DDNS_PROBE_INTERVAL_SECS", "1")])?;
    wait_ready(&daemon)?;
    world.cut()?;
    let (mark, _) = wait_line(&daemon, 0, "Readiness changed", &[("to", "not-ready")])?;
    world.set_external_ipv4("11.22.44.7".parse()?)?;
    world.restore()?;
    wait_verified(&daemon, mark, "11.22.44.7")?;
    scene.end(daemon)
}

/// While nothing changes and the audit is off, nothing goes over the wire: no question, no poll, no keep-alive.
#[test]
fn while_nothing_changes_the_host_sends_nothing() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let voters = Voters::start(&world, &scene)?;
    let daemon = start(&scene, &[])?;
    wait_ready(&daemon)?;
    let sent = || -> Result<u64> {
        let path = format!("/sys/class/net/{LAN_INTERFACE}/statistics/tx_packets");
        let output = world.host.command("cat").arg(path).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    // What belongs to the run before it ends on its own: connections close, neighbours are confirmed.
    let begun = std::time::Instant::now();
    let mut before = sent()?;
    loop {
        std::thread::sleep(std::time::Duration::from_secs(8));
        let now = sent()?;
        if now == before {
            break;
        }
        ensure!(begun.elapsed() < crate::scene::PATIENCE * 2, "the host goes on sending: {before}, then {now}");
        before = now;
    }
    let asked = voters.echo.clients().len();
    world.set_external_ipv4("11.22.44.7".parse()?)?;
    wait_verified(&daemon, 0, "11.22.44.7")?;
    ensure!(voters.echo.clients().len() > asked && sent()? > before, "the count counts");
    scene.end(daemon)
}

/// FAULTS 22: a host with IPv6 alone asks, writes and proves over that.
#[test]
fn a_host_without_ipv4_publishes_its_ipv6_address() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let voters = Voters::start(&world, &scene)?;
    world.host.ip(&["-4", "addr", "flush", "dev", LAN_INTERFACE])?;
    let url = scene.double.url().replace("192.0.2.10", "[2001:db8::10]");
    let over_ipv6 = [
        ("DDNS_RECORDS", "vpn.ddns.test"),
        ("DDNS_DISCOVER_SOURCES", super::BOTH_FAMILIES),
        ("DDNS_PROVIDER_API_URL", url.as_str()),
        ("DDNS_DOH_URLS", "https://[2001:db8::53]:8443/dns-query"),
    ];
    let daemon = start(&scene, &over_ipv6)?;
    wait_ready(&daemon)?;
    scene.wait_published("AAAA", &HOST_IPV6.to_string())?;
    ensure!(scene.double.records_of(crate::scene::NAME, "A").is_empty(), "there is nothing to publish for IPv4");
    ensure!(voters.echo.clients().iter().all(std::net::IpAddr::is_ipv6), "{:?}", voters.echo.clients());
    scene.end(daemon)
}
