//! The host behind a router that does NAT: real netfilter, a real miniupnpd, coturn and Knot, and echo services over real
//! TLS that can be told to lie. The host's own interfaces see nothing of a change.

mod lies;
mod surroundings;

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Result, ensure};
use ddns_testbed::nat_world::{
    CARRIER_IPV4, ECHO_ADDRESSES, EXTERNAL_IPV4, HOST_IPV6, LAN_INTERFACE, NatWorld, SHARED_IPV4, STUN_ADDRESSES,
    WHOAMI_ADDRESSES,
};
use ddns_testbed::{Coturn, Daemon, EchoServer, Miniupnpd, NatPmpDouble, Whoami};

use crate::scene::{NAME, PATIENCE, Scene, wait_line, wait_ready};

/// One voter of each kind, at four operators.
const FOUR_KINDS: &str =
    "echo=http:https://192.0.2.20/ip,whoami=dns:192.0.2.22/whoami.test/A,stun=stun:192.0.2.21:3478,router";
/// The same for both families.
const BOTH_FAMILIES: &str = "echo=http:https://192.0.2.20/ip,echo=http:https://[2001:db8::20]/ip,\
                             stun=stun:192.0.2.21:3478,stun=stun:[2001:db8::21]:3478";

/// The voters of a world.
pub struct Voters<'a> {
    pub echo: EchoServer,
    _stun: Coturn,
    _whoami: Whoami,
    router: Miniupnpd<'a>,
}

impl<'a> Voters<'a> {
    pub fn start(world: &'a NatWorld, scene: &Scene<'_>) -> Result<Self> {
        Ok(Self {
            echo: EchoServer::start(&world.internet, &ECHO_ADDRESSES, scene.identity.server_config()?)?,
            _stun: Coturn::start(&world.internet, &STUN_ADDRESSES)?,
            _whoami: Whoami::start(&world.internet, &WHOAMI_ADDRESSES)?,
            router: Miniupnpd::start(world)?,
        })
    }
}

/// A daemon that discovers an A record and looks for nothing unasked.
fn start(scene: &Scene<'_>, changes: &[(&str, &str)]) -> Result<Daemon> {
    scene.start(&discovering(changes))
}

pub fn discovering<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let discovering = [
        ("DDNS_RECORDS", "vpn.ddns.test:A"),
        ("DDNS_IP_SOURCE_TYPE", "discover"),
        ("DDNS_IP_SOURCE_INTERFACE", ""),
        ("DDNS_DISCOVER_SOURCES", FOUR_KINDS),
        ("DDNS_AUDIT_INTERVAL_SECS", "0"),
        ("DDNS_PROBE_INTERVAL_SECS", "0"),
    ];
    discovering.into_iter().chain(changes.iter().copied()).collect()
}

fn wait_verified(daemon: &Daemon, mark: usize, address: &str) -> Result<usize> {
    let (mark, _) = wait_line(daemon, mark, "IP change detected", &[("to", address)])?;
    let (mark, _) = wait_line(daemon, mark, "DNS record verified", &[("record", NAME), ("address", address)])?;
    Ok(mark)
}

/// The issue's own scene: the router's address changes, it announces that, and DNS is verified with no poll due. Trap
/// 23, FAULTS 25.
#[test]
fn a_change_of_the_routers_address_is_verified_before_any_audit_is_due() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let _voters = Voters::start(&world, &scene)?;
    let daemon = start(&scene, &[])?;
    wait_ready(&daemon)?;
    scene.wait_published("A", &EXTERNAL_IPV4.to_string())?;
    wait_line(&daemon, 0, "The way between this host and the Internet is known", &[("class", "nat")])?;

    for new in ["11.22.44.7", "11.22.44.8"] {
        let mark = daemon.mark();
        world.set_external_ipv4(new.parse()?)?;
        let (mark, _) = wait_line(&daemon, mark, "The router has announced its address", &[("from", "192.168.7.1")])?;
        let (_, change) = wait_line(&daemon, mark, "IP change detected", &[("to", new)])?;
        ensure!(change["rung"] == "nat-pmp" || change["rung"] == "pcp", "{change}");
        ensure!(change["interface"] == "outside", "{change}");
        wait_verified(&daemon, mark, new)?;
        scene.wait_published("A", new)?;
    }
    ensure!(scene.double.writes() == 3, "{} writes", scene.double.writes());
    scene.end(daemon)
}

/// With the router silent, the audit finds it.
#[test]
fn without_an_announcement_the_next_audit_finds_the_change() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let voters = Voters::start(&world, &scene)?;
    let daemon = start(&scene, &[("DDNS_AUDIT_INTERVAL_SECS", "2")])?;
    wait_ready(&daemon)?;
    drop(voters.router);
    let mark = daemon.mark();
    world.set_external_ipv4("11.22.44.7".parse()?)?;
    let (_, change) = wait_line(&daemon, mark, "IP change detected", &[("to", "11.22.44.7")])?;
    ensure!(change["rung"] == "audit", "{change}");
    wait_verified(&daemon, mark, "11.22.44.7")?;
    scene.end(daemon)
}

/// FAULTS 7: the provider's NAT is named, nothing is published, and what is published stays. miniupnpd tells no address
/// that is not public; the routers of providers do.
#[test]
fn carrier_grade_nat_is_named_and_nothing_is_published_behind_it() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let Voters { echo: _echo, _stun, _whoami, router } = Voters::start(&world, &scene)?;
    drop(router);
    let router = NatPmpDouble::start(&world.router, EXTERNAL_IPV4)?;
    let daemon = start(&scene, &[])?;
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    world.share_ipv4()?;
    router.set(SHARED_IPV4)?;
    let named = [("class", "carrier-grade-nat")];
    let (_, nat) = wait_line(&daemon, mark, "NAT stands between this host and the Internet", &named)?;
    ensure!(nat["evidence"].as_str().is_some_and(|evidence| evidence.contains("100.64.3.4")), "{nat}");
    ensure!(nat["remedy"].as_str().is_some_and(|remedy| remedy.contains("IPv6")), "{nat}");
    let (_, refused) = wait_line(&daemon, mark, "No publishable address; records stay as they are", &[])?;
    ensure!(refused["rejected"].as_str().is_some_and(|why| why.contains(&CARRIER_IPV4.to_string())), "{refused}");

    world.own_ipv4("11.22.44.9".parse()?)?;
    let mark = daemon.mark();
    router.set("11.22.44.9".parse()?)?;
    wait_verified(&daemon, mark, "11.22.44.9")?;
    scene.wait_published("A", "11.22.44.9")?;
    let written: Vec<_> = daemon.lines().into_iter().filter(|line| line["message"] == "Updating DNS record").collect();
    let wrong = written.iter().filter(|line| line["address"] == CARRIER_IPV4.to_string()).count();
    ensure!(wrong == 0, "the address of the provider's NAT was written: {:#?}", daemon.raw_lines());
    scene.end(daemon)
}

/// FAULTS 7: `ddnsd doctor` asks as the daemon would, and names the state with its remedy.
#[test]
fn doctor_names_carrier_grade_nat_with_its_evidence_and_the_remedy() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let Voters { echo: _echo, _stun, _whoami, router } = Voters::start(&world, &scene)?;
    let doctor = || -> Result<String> {
        let environment = scene.environment(&discovering(&[]));
        let mut ddnsd = world.host.command(env!("CARGO_BIN_EXE_ddnsd"));
        let output = ddnsd.arg("doctor").env_clear().envs(environment).output()?;
        Ok(String::from_utf8(output.stdout)?)
    };
    let text = doctor()?;
    ensure!(text.contains("good  IPv4 outside   11.22.33.44, say "), "{text}");
    ensure!(text.contains("good  NAT            nat: the router says 11.22.33.44"), "{text}");
    drop(router);
    world.share_ipv4()?;
    let _router = NatPmpDouble::start(&world.router, SHARED_IPV4)?;
    let text = doctor()?;
    let line = text.lines().find(|line| line.starts_with("BAD   NAT")).unwrap_or_default();
    ensure!(line.contains("100.64.3.4") && line.contains("publish IPv6"), "{text}");
    ensure!(scene.double.writes() == 0, "doctor writes nothing");
    Ok(())
}

/// Several ways out, each record with its own: one follows an interface, the other what the world sees.
#[test]
fn each_record_has_its_own_source() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let _voters = Voters::start(&world, &scene)?;
    world.host.ip(&["addr", "add", "11.77.0.1/32", "dev", LAN_INTERFACE])?;
    let own = [
        ("DDNS_RECORD_1_NAME", "lan.ddns.test"),
        ("DDNS_RECORD_1_TYPE", "A"),
        ("DDNS_RECORD_1_SOURCE", "kernel"),
        ("DDNS_RECORD_1_INTERFACE", LAN_INTERFACE),
    ];
    let daemon = start(&scene, &own)?;
    wait_ready(&daemon)?;
    scene.wait_published("A", &EXTERNAL_IPV4.to_string())?;
    let held = |address: &str| {
        let wanted = address.to_owned();
        scene
            .double
            .wait_for(&wanted.clone(), PATIENCE, move |state| state.holds("lan.ddns.test", "A", &wanted))
            .map(drop)
    };
    held("11.77.0.1")?;
    world
        .host
        .ip_batch(&format!("addr add 11.77.0.2/32 dev {LAN_INTERFACE}\naddr del 11.77.0.1/32 dev {LAN_INTERFACE}\n"))?;
    held("11.77.0.2")?;
    world.set_external_ipv4("11.22.44.7".parse()?)?;
    wait_verified(&daemon, 0, "11.22.44.7")?;
    scene.wait_published("A", "11.22.44.7")?;
    scene.end(daemon)
}

/// Two routers, of which the outer one has the public address: that may work, and it is named.
#[test]
fn double_nat_is_named_and_published() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let Voters { echo: _echo, _stun, _whoami, router } = Voters::start(&world, &scene)?;
    drop(router);
    let _router = NatPmpDouble::start(&world.router, Ipv4Addr::new(10, 0, 0, 2))?;
    let daemon = start(&scene, &[])?;
    wait_line(&daemon, 0, "NAT stands between this host and the Internet", &[("class", "double-nat")])?;
    wait_ready(&daemon)?;
    scene.wait_published("A", &EXTERNAL_IPV4.to_string())?;
    scene.end(daemon)
}

/// FAULTS 22, trap 17: each family is asked over itself, and IPv6 is not translated.
#[test]
fn ipv6_is_asked_over_ipv6_and_ipv4_over_ipv4() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let voters = Voters::start(&world, &scene)?;
    let daemon = start(&scene, &[("DDNS_RECORDS", NAME), ("DDNS_DISCOVER_SOURCES", BOTH_FAMILIES)])?;
    wait_ready(&daemon)?;
    scene.wait_published("A", &EXTERNAL_IPV4.to_string())?;
    scene.wait_published("AAAA", &HOST_IPV6.to_string())?;
    let clients = voters.echo.clients();
    ensure!(clients.contains(&IpAddr::V4(EXTERNAL_IPV4)) && clients.contains(&IpAddr::V6(HOST_IPV6)), "{clients:?}");

    // IPv6 goes, and IPv4 stays as it is.
    let mark = daemon.mark();
    world.host.ip(&["-6", "addr", "flush", "dev", LAN_INTERFACE, "scope", "global"])?;
    wait_line(&daemon, mark, "No publishable address; records stay as they are", &[("family", "IPv6")])?;
    scene.wait_published("A", &EXTERNAL_IPV4.to_string())?;
    scene.end(daemon)
}

/// `auto`: the own address while there is a public one, the discovered one else.
#[test]
fn auto_asks_exactly_while_the_host_has_no_public_address() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let voters = Voters::start(&world, &scene)?;
    world.host.ip(&["addr", "add", "11.77.0.1/32", "dev", LAN_INTERFACE])?;
    let daemon = start(&scene, &[("DDNS_IP_SOURCE_TYPE", "auto")])?;
    wait_ready(&daemon)?;
    scene.wait_published("A", "11.77.0.1")?;
    ensure!(voters.echo.clients().is_empty(), "nobody is asked: {:?}", voters.echo.clients());

    let mark = daemon.mark();
    world.host.ip(&["addr", "del", "11.77.0.1/32", "dev", LAN_INTERFACE])?;
    let mark = wait_verified(&daemon, mark, &EXTERNAL_IPV4.to_string())?;
    world.host.ip(&["addr", "add", "11.77.0.2/32", "dev", LAN_INTERFACE])?;
    wait_verified(&daemon, mark, "11.77.0.2")?;
    scene.end(daemon)
}

/// The seed's polling fallback: one service, believed, asked at an interval.
#[test]
fn the_source_http_polls_one_service() -> Result<()> {
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    let echo = EchoServer::start(&world.internet, &ECHO_ADDRESSES, scene.identity.server_config()?)?;
    let polling = [
        ("DDNS_IP_SOURCE_TYPE", "http"),
        ("DDNS_IP_SOURCE_URL", "https://192.0.2.20/ip"),
        ("DDNS_IP_SOURCE_INTERVAL", "1"),
        ("DDNS_IP_SOURCE_VERSION", "4"),
        ("DDNS_DISCOVER_SOURCES", ""),
    ];
    let daemon = start(&scene, &polling)?;
    wait_ready(&daemon)?;
    scene.wait_published("A", &EXTERNAL_IPV4.to_string())?;
    let mark = daemon.mark();
    world.set_external_ipv4("11.22.44.7".parse()?)?;
    wait_verified(&daemon, mark, "11.22.44.7")?;
    ensure!(echo.clients().len() >= 3, "{:?}", echo.clients());
    scene.end(daemon)
}
