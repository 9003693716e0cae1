//! A host behind NAT: a LAN with the host and a neighbour, a router that masquerades, and an internet beyond.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io::Write, process::Stdio, thread};

use anyhow::{Context, Result, ensure};

use crate::{Namespace, require_root};

/// The host's interface, and the neighbour's.
pub const LAN_INTERFACE: &str = "eth0";
/// The router's interface to the LAN.
pub const ROUTER_LAN_INTERFACE: &str = "lan0";
/// The router's interface to the provider.
pub const ROUTER_WAN_INTERFACE: &str = "wan0";
/// The provider's end of the wire.
pub const ISP_INTERFACE: &str = "isp0";
/// The router's address on the LAN, a /24.
pub const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
/// The host's private address.
pub const HOST_IPV4: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);
/// The neighbour's private address.
pub const NEIGHBOUR_IPV4: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 66);
/// The host's IPv6 address, global and routed: there is no NAT for IPv6.
pub const HOST_IPV6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x1234, 0x5678, 7, 0, 0, 0, 0x44);
/// The router's first external address, a /24. It looks public.
pub const EXTERNAL_IPV4: Ipv4Addr = Ipv4Addr::new(11, 22, 33, 44);
/// The router's external address under a provider's NAT (RFC 6598).
pub const SHARED_IPV4: Ipv4Addr = Ipv4Addr::new(100, 64, 3, 4);
/// The provider's address for all who share it.
pub const CARRIER_IPV4: Ipv4Addr = Ipv4Addr::new(11, 99, 0, 1);
/// Where echo services answer.
pub const ECHO_ADDRESSES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 20)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x20))];
/// Where the STUN server answers.
pub const STUN_ADDRESSES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 21)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x21))];
/// Where the name server for whoami questions answers.
pub const WHOAMI_ADDRESSES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 22)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x22))];
/// Where name servers and the Cloudflare double may answer, as in [`World`](crate::World).
pub const FURTHER_ADDRESSES: [[IpAddr; 2]; 2] = [
    [IpAddr::V4(crate::world::CLOUDFLARE_IPV4), IpAddr::V6(crate::world::CLOUDFLARE_IPV6)],
    [IpAddr::V4(crate::world::RESOLVER_IPV4), IpAddr::V6(crate::world::RESOLVER_IPV6)],
];

const CARRIER: &str = "carrier";
const CUT: &str = "cut";
const USABLE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// Host and neighbour (`eth0`) on a bridge (`lan0`) of the router, which has a wire (`wan0` to `isp0`) to the internet.
///
/// The internet routes 11.0.0.0/8 and 100.64.0.0/10 to the wire and 2a00::/16 to the router, and holds the service addresses
/// on its `lo`.
pub struct NatWorld {
    /// Where `ddnsd` runs.
    pub host: Namespace,
    /// Another host on the LAN, not to be trusted.
    pub neighbour: Namespace,
    /// The router.
    pub router: Namespace,
    /// Where the doubles run.
    pub internet: Namespace,
    external: Mutex<Ipv4Addr>,
}

impl NatWorld {
    /// A world in which the router has [`EXTERNAL_IPV4`]. Needs root and the tools `ip` and `nft`.
    pub fn new() -> Result<Self> {
        require_root()?;
        let world = Self {
            host: Namespace::create("host")?,
            neighbour: Namespace::create("neighbour")?,
            router: Namespace::create("router")?,
            internet: Namespace::create("internet")?,
            external: Mutex::new(EXTERNAL_IPV4),
        };
        world.connect().context("building the world behind NAT")?;
        Ok(world)
    }

    fn connect(&self) -> Result<()> {
        let Self { host, neighbour, router, internet, .. } = self;
        for namespace in [host, neighbour, router] {
            namespace.sysctl("net/ipv6/conf/all/accept_dad", "0")?;
            namespace.sysctl("net/ipv6/conf/default/accept_dad", "0")?;
        }
        router.sysctl("net/ipv4/ip_forward", "1")?;
        router.sysctl("net/ipv6/conf/all/forwarding", "1")?;
        let pair = |port: &str, name: &str, peer: &Namespace| {
            router.ip(&["link", "add", port, "type", "veth", "peer", "name", name, "netns", peer.name()])
        };
        pair("port1", LAN_INTERFACE, host)?;
        pair("port2", LAN_INTERFACE, neighbour)?;
        pair(ROUTER_WAN_INTERFACE, ISP_INTERFACE, internet)?;
        let services = [ECHO_ADDRESSES, STUN_ADDRESSES, WHOAMI_ADDRESSES].into_iter().chain(FURTHER_ADDRESSES);
        let services: String = services.flatten().map(|address| format!("addr add {address} dev lo\n")).collect();
        internet.ip_batch(&format!(
            "{services}addr add fe80::1/64 dev {ISP_INTERFACE} nodad\nlink set {ISP_INTERFACE} up\n\
             route add 11.0.0.0/8 dev {ISP_INTERFACE}\nroute add 100.64.0.0/10 dev {ISP_INTERFACE}\n\
             addr add 11.22.33.1 dev lo\naddr add {CARRIER_IPV4} dev lo\n\
             route add 2a00::/16 via fe80::2 dev {ISP_INTERFACE} onlink\n"
        ))?;
        router.ip_batch(&format!(
            "link add {ROUTER_LAN_INTERFACE} type bridge\nlink set port1 master {ROUTER_LAN_INTERFACE}\n\
             link set port2 master {ROUTER_LAN_INTERFACE}\nlink set port1 up\nlink set port2 up\n\
             link set {ROUTER_LAN_INTERFACE} up\nlink set {ROUTER_WAN_INTERFACE} up\n\
             addr add {GATEWAY}/24 dev {ROUTER_LAN_INTERFACE}\naddr add fe80::1/64 dev {ROUTER_LAN_INTERFACE} nodad\n\
             addr add 2a00:1234:5678:7::1/64 dev {ROUTER_LAN_INTERFACE} nodad\n\
             addr add fe80::2/64 dev {ROUTER_WAN_INTERFACE} nodad\naddr add {EXTERNAL_IPV4}/24 dev {ROUTER_WAN_INTERFACE}\n\
             {}route add default via fe80::1 dev {ROUTER_WAN_INTERFACE} onlink\n",
            uplink()
        ))?;
        for (namespace, v4, v6) in [(host, HOST_IPV4, Some(HOST_IPV6)), (neighbour, NEIGHBOUR_IPV4, None)] {
            let v6 = v6.map(|v6| format!("addr add {v6}/64 dev {LAN_INTERFACE} nodad\n")).unwrap_or_default();
            namespace.ip_batch(&format!(
                "link set {LAN_INTERFACE} up\naddr add {v4}/24 dev {LAN_INTERFACE}\n{v6}\
                 route add default via {GATEWAY} dev {LAN_INTERFACE}\n\
                 route add default via fe80::1 dev {LAN_INTERFACE} onlink\n"
            ))?;
        }
        nft(
            router,
            &format!(
                "table ip home {{\n chain postrouting {{\n  type nat hook postrouting priority 90;\n  \
                 oifname \"{ROUTER_WAN_INTERFACE}\" ip saddr 192.168.7.0/24 masquerade;\n }}\n}}\n"
            ),
        )?;
        self.wait_usable()
    }

    /// Also without detection the kernel makes an address usable a moment later, from its work queue.
    fn wait_usable(&self) -> Result<()> {
        for namespace in [&self.host, &self.router, &self.internet] {
            let begun = Instant::now();
            while !namespace.ip(&["-6", "addr", "show", "tentative"])?.trim().is_empty() {
                ensure!(begun.elapsed() < USABLE, "an IPv6 address of {} stays tentative", namespace.name());
                thread::sleep(POLL);
            }
        }
        Ok(())
    }

    /// The router's external address.
    pub fn external_ipv4(&self) -> Ipv4Addr {
        *self.external.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the router another external address, as a provider does after a reconnect. The host's interfaces see nothing.
    pub fn set_external_ipv4(&self, new: Ipv4Addr) -> Result<()> {
        let mut external = self.external.lock().unwrap_or_else(PoisonError::into_inner);
        self.router
            .ip_batch(&format!(
                "addr del {external}/24 dev {ROUTER_WAN_INTERFACE}\naddr add {new}/24 dev {ROUTER_WAN_INTERFACE}\n{}",
                uplink()
            ))
            .with_context(|| format!("changing the external address to {new}"))?;
        *external = new;
        Ok(())
    }

    /// Puts the router behind a NAT of the provider (RFC 6598): it has [`SHARED_IPV4`] outside, and the internet sees
    /// [`CARRIER_IPV4`].
    pub fn share_ipv4(&self) -> Result<()> {
        nft(
            &self.internet,
            &format!(
                "table ip {CARRIER} {{\n chain input {{\n  type nat hook input priority 100;\n  \
                 ip saddr 100.64.0.0/10 snat to {CARRIER_IPV4};\n }}\n}}\n"
            ),
        )?;
        self.set_external_ipv4(SHARED_IPV4)
    }

    /// Takes the provider's NAT away again; the router has `external`.
    pub fn own_ipv4(&self, external: Ipv4Addr) -> Result<()> {
        nft(&self.internet, &format!("delete table ip {CARRIER}\n"))?;
        self.set_external_ipv4(external)
    }

    /// Cuts the wire to the internet for both families, so that packets vanish; the router's link stays up.
    pub fn cut(&self) -> Result<()> {
        nft(
            &self.internet,
            &format!(
                "table inet {CUT} {{\n chain prerouting {{\n  type filter hook prerouting priority -300;\n  \
                 iifname \"{ISP_INTERFACE}\" drop;\n }}\n}}\n"
            ),
        )
    }

    /// The router refuses what is for the internet, for both families, so that nobody has to wait to learn of it.
    pub fn refuse(&self) -> Result<()> {
        // A reset for TCP: of an ICMP error it only takes note, and goes on asking.
        self.forwarding(&format!(
            "oifname \"{ROUTER_WAN_INTERFACE}\" meta l4proto tcp reject with tcp reset\n  \
             oifname \"{ROUTER_WAN_INTERFACE}\" reject with icmpx type no-route"
        ))
    }

    /// What the router forwards is subject to these rules of nftables, in place of those before.
    pub fn forwarding(&self, rules: &str) -> Result<()> {
        nft(
            &self.router,
            &format!(
                "add table inet {CUT}\ndelete table inet {CUT}\ntable inet {CUT} {{\n chain forward {{\n  \
                 type filter hook forward priority 0;\n  {rules}\n }}\n}}\n"
            ),
        )
    }

    /// Mends what [`cut`](Self::cut), [`refuse`](Self::refuse) and [`forwarding`](Self::forwarding) did, if they did.
    pub fn restore(&self) -> Result<()> {
        let heal = format!("add table inet {CUT}\ndelete table inet {CUT}\n");
        nft(&self.internet, &heal)?;
        nft(&self.router, &heal)
    }

    /// Takes the router's power: its ports to the LAN go down. With the power that comes back, so does a wire that was cut,
    /// as behind a modem that had frozen.
    pub fn power(&self, on: bool) -> Result<()> {
        let state = if on { "up" } else { "down" };
        self.router.ip_batch(&format!("link set port1 {state}\nlink set port2 {state}\n"))?;
        if on { self.restore() } else { Ok(()) }
    }
}

fn uplink() -> String {
    format!("route replace default via 11.22.33.1 dev {ROUTER_WAN_INTERFACE} onlink\n")
}

/// Feeds `nft` (package nftables) inside `namespace`.
pub(crate) fn nft(namespace: &Namespace, script: &str) -> Result<()> {
    let mut child = namespace
        .command("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting `nft`")?;
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(script.as_bytes()));
    let output = child.wait_with_output().context("nft")?;
    ensure!(
        output.status.success(),
        "nft (package nftables, `cargo xtask setup`) failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    written.context("feeding nft")
}

/// All rules inside `namespace`, as `nft` prints them.
pub(crate) fn ruleset(namespace: &Namespace) -> Result<String> {
    let output = namespace.command("nft").args(["list", "ruleset"]).output().context("starting `nft`")?;
    ensure!(output.status.success(), "nft list ruleset failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
