//! Who appears: an appliance in a home, and three others beside it that have troubles of their own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use ddns_testbed::nat_world::{
    ECHO_ADDRESSES, EXTERNAL_IPV4, HOST_IPV6, NEIGHBOUR_IPV4, NatWorld, STUN_ADDRESSES, WHOAMI_ADDRESSES,
};
use ddns_testbed::{Coturn, Daemon, EchoServer, NatPmpDouble, PlugSetup, ShellyGen1, Whoami, WireGuardGo};

use crate::scene::Scene;

/// Names of the hosts, where their metrics are, and how often they are scraped.
pub const HOME: (&str, &str, &str) = ("home", "127.0.0.1:9853", "500ms");
pub const REFUSED: (&str, &str, &str) = ("refused", "127.0.0.1:9854", "500ms");
pub const BLIND: (&str, &str, &str) = ("blind", "127.0.0.1:9855", "3s");
pub const LATE: (&str, &str, &str) = ("late", "127.0.0.1:9856", "500ms");

/// How long the router runs on without power: the plug behind it can still answer.
const CAPACITORS: Duration = Duration::from_millis(700);
pub const WIREGUARD_PORT: u16 = 51820;
const VOTERS: &str =
    "echo=http:https://192.0.2.20/ip,whoami=dns:192.0.2.22/whoami.test/A,stun=stun:192.0.2.21:3478,router";
/// The dynamic loader puts in the directory of this machine's libraries (ld.so(8)).
const FAKETIME: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";

/// Who tells the host its address outside.
pub struct Voters {
    _echo: EchoServer,
    _stun: Coturn,
    _whoami: Whoami,
    pub router: NatPmpDouble,
}

impl Voters {
    pub fn start(world: &NatWorld, scene: &Scene<'_>) -> Result<Self> {
        Ok(Self {
            _echo: EchoServer::start(&world.internet, &ECHO_ADDRESSES, scene.identity.server_config()?)?,
            _stun: Coturn::start(&world.internet, &STUN_ADDRESSES)?,
            _whoami: Whoami::start(&world.internet, &WHOAMI_ADDRESSES)?,
            router: NatPmpDouble::start(&world.router, EXTERNAL_IPV4)?,
        })
    }
}

/// The plug that feeds the router. With its power the line comes back only if `mends` says so.
pub fn plug(world: &Arc<NatWorld>, mends: &Arc<AtomicBool>) -> Result<ShellyGen1> {
    let (world_of_plug, mends) = (Arc::clone(world), Arc::clone(mends));
    let on_switch = move |on: bool| {
        let (world, mends) = (Arc::clone(&world_of_plug), Arc::clone(&mends));
        let switch = move || {
            thread::sleep(if on { Duration::ZERO } else { CAPACITORS });
            let state = if on { "up" } else { "down" };
            let ports = format!("link set port1 {state}\nlink set port2 {state}\n");
            world.router.ip_batch(&ports).expect("ports that go down and up");
            if on && mends.load(Ordering::SeqCst) {
                world.restore().expect("a line that comes back");
            }
        };
        drop(thread::spawn(switch));
    };
    let setup = PlugSetup { on_switch: Some(Box::new(on_switch)), ..PlugSetup::default() };
    ShellyGen1::start((Some(&world.neighbour), SocketAddr::from((NEIGHBOUR_IPV4, 80))), setup)
}

/// An appliance with everything: two families, recovery, WireGuard, a hook, a collector that is down.
pub fn home(scene: &Scene<'_>, tunnel: &WireGuardGo<'_>) -> Result<Daemon> {
    scene.start(&[
        ("DDNS_RECORDS", "vpn.ddns.test:AAAA"),
        ("DDNS_RECORD_1_NAME", "vpn.ddns.test"),
        ("DDNS_RECORD_1_TYPE", "A"),
        ("DDNS_RECORD_1_SOURCE", "discover"),
        ("DDNS_IP_SOURCE_INTERFACE", ""),
        ("DDNS_DISCOVER_SOURCES", VOTERS),
        ("DDNS_AUDIT_INTERVAL_SECS", "2"),
        ("DDNS_PROBE_INTERVAL_SECS", "1"),
        ("DDNS_ALLOW_PHYSICAL_RECOVERY", "true"),
        ("DDNS_PLUG_KIND", "shelly1"),
        ("DDNS_PLUG_HOST", "192.168.7.66"),
        ("DDNS_PLUG_FEEDS", "router"),
        ("DDNS_RECOVERY_AFTER_SECS", "1"),
        ("DDNS_RECOVERY_OFF_SECS", "4"),
        ("DDNS_RECOVERY_SETTLE_SECS", "20"),
        // Doubled after a failure: some seconds lie between the two attempts.
        ("DDNS_RECOVERY_COOLDOWN_SECS", "14"),
        ("DDNS_RECOVERY_MAX_PER_DAY", "2"),
        ("DDNS_WIREGUARD_INTERFACE", tunnel.interface()),
        ("DDNS_ON_CHANGE", "/bin/true"),
        ("DDNS_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ("DDNS_OTLP_INTERVAL_SECS", "1"),
        ("DDNS_METRICS_LISTEN", HOME.1),
    ])
}

/// Nobody answers at its provider's address, and its state has no place.
pub fn refused(scene: &Scene<'_>) -> Result<Daemon> {
    let state = scene.path("refused");
    fs::write(&state, "a file in place of a directory")?;
    scene.start(&[
        ("DDNS_RECORDS", "refused.ddns.test:AAAA"),
        ("DDNS_IP_SOURCE_INTERFACE", ""),
        ("DDNS_PROVIDER_API_URL", "https://192.0.2.10:9/client/v4"),
        ("DDNS_STATE_STORE_PATH", &state),
        ("DDNS_ADMIN_SOCKET", &scene.path("refused.sock")),
        ("DDNS_METRICS_LISTEN", REFUSED.1),
    ])
}

/// It is to use a hook for which it has no rights.
pub fn blind(scene: &Scene<'_>) -> Result<Daemon> {
    scene.start_without_bpf_rights(&[
        ("DDNS_RECORDS", "blind.ddns.test:AAAA"),
        ("DDNS_IP_SOURCE_INTERFACE", ""),
        ("DDNS_KERNEL_HOOK", "fentry"),
        ("DDNS_STATE_STORE_PATH", &scene.path("blind")),
        ("DDNS_ADMIN_SOCKET", &scene.path("blind.sock")),
        ("DDNS_METRICS_LISTEN", BLIND.1),
    ])
}

/// Its clock is three hours late, so that its proofs look old; its plug is gone; the kernel queues little for it.
pub fn late(scene: &Scene<'_>) -> Result<Daemon> {
    let clock = scene.path("clock");
    if !Path::new(&clock).exists() {
        fs::write(&clock, "-3h\n")?;
    }
    scene.start(&[
        ("DDNS_RECORDS", "late.ddns.test:AAAA"),
        ("DDNS_IP_SOURCE_INTERFACE", ""),
        ("DDNS_KERNEL_HOOK", "netlink"),
        ("DDNS_AUDIT_INTERVAL_SECS", "2"),
        ("DDNS_PROBE_INTERVAL_SECS", "1"),
        ("DDNS_ALLOW_PHYSICAL_RECOVERY", "true"),
        ("DDNS_PLUG_KIND", "shelly1"),
        ("DDNS_PLUG_HOST", "127.0.0.1:9"),
        ("DDNS_PLUG_FEEDS", "router"),
        ("DDNS_RECOVERY_AFTER_SECS", "1"),
        ("DDNS_RECOVERY_SETTLE_SECS", "1"),
        ("DDNS_STATE_STORE_PATH", &scene.path("late")),
        ("DDNS_ADMIN_SOCKET", &scene.path("late.sock")),
        ("DDNS_METRICS_LISTEN", LATE.1),
        ("LD_PRELOAD", FAKETIME),
        ("FAKETIME_TIMESTAMP_FILE", &clock),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ])
}

/// The host gets another address of its prefix, and the tunnel's peer follows the name there.
pub fn move_ipv6(world: &NatWorld, from: u16, to: u16) -> Result<String> {
    let address = |last: u16| {
        let mut segments = HOST_IPV6.segments();
        segments[7] = last;
        std::net::Ipv6Addr::from(segments).to_string()
    };
    let (old, new) = (address(from), address(to));
    world.host.ip_batch(&format!("addr add {new}/64 dev eth0 nodad\naddr del {old}/64 dev eth0\n"))?;
    Ok(new)
}
