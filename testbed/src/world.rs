//! Two namespaces, one wire: the host whose address changes, and an internet that always finds it again.

use std::time::{Duration, Instant};
use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    thread,
};

use anyhow::{Context, Result, ensure};

use crate::{Namespace, require_root};

/// The host's interface to the internet.
pub const HOST_INTERFACE: &str = "wan0";
/// The provider's end of the wire.
pub const ISP_INTERFACE: &str = "isp0";
/// The host's first IPv4 address, a /24. It looks public, for the daemon publishes no other.
pub const HOST_IPV4: Ipv4Addr = Ipv4Addr::new(11, 22, 33, 44);
/// The host's first IPv6 prefix, a /64.
pub const HOST_IPV6_PREFIX: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x1234, 0x5678, 1, 0, 0, 0, 0);
/// The host's first IPv6 address.
pub const HOST_IPV6: Ipv6Addr = Ipv6Addr::new(0x2a00, 0x1234, 0x5678, 1, 0, 0, 0, 0x44);
/// The IPv4 gateway, on the provider's side.
pub const GATEWAY_IPV4: Ipv4Addr = Ipv4Addr::new(11, 22, 33, 1);
/// Where the Cloudflare double answers.
pub const CLOUDFLARE_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);
/// Where the Cloudflare double answers over IPv6.
pub const CLOUDFLARE_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);
/// Where the name server and DNS over HTTPS answer.
pub const RESOLVER_IPV4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);
/// Where the name server and DNS over HTTPS answer over IPv6.
pub const RESOLVER_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53);
/// The most changes that one burst can make, each to an address of its own.
pub const MAX_BURST: usize = 20_000;

/// A host and its internet, joined by a veth pair (`wan0` to `isp0`).
///
/// The host's default routes lead to the provider, by `onlink` for IPv4 and by a link-local next hop for IPv6, so that they
/// suit any address. The internet routes 11.0.0.0/8 and 2a00::/16 to the host, and holds the service addresses on its `lo`.
pub struct World {
    /// Where `ddnsd` runs.
    pub host: Namespace,
    /// Where the doubles run.
    pub internet: Namespace,
}

/// How long an address may take to become usable.
const USABLE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

impl World {
    /// A world in which an IPv6 address is usable at once: duplicate address detection is off in the host.
    pub fn new() -> Result<Self> {
        Self::build(false)
    }

    /// A world in which IPv6 addresses are tentative first, as on a real link.
    pub fn with_duplicate_address_detection() -> Result<Self> {
        Self::build(true)
    }

    fn build(duplicate_address_detection: bool) -> Result<Self> {
        require_root()?;
        let world = Self { host: Namespace::create("host")?, internet: Namespace::create("internet")? };
        world.connect(duplicate_address_detection).context("building the two-namespace world")?;
        Ok(world)
    }

    fn connect(&self, duplicate_address_detection: bool) -> Result<()> {
        let Self { host, internet } = self;
        if !duplicate_address_detection {
            host.sysctl("net/ipv6/conf/all/accept_dad", "0")?;
            host.sysctl("net/ipv6/conf/default/accept_dad", "0")?;
        }
        host.ip(&[
            "link",
            "add",
            HOST_INTERFACE,
            "type",
            "veth",
            "peer",
            "name",
            ISP_INTERFACE,
            "netns",
            internet.name(),
        ])?;
        internet.ip_batch(&format!(
            "addr add {CLOUDFLARE_IPV4}/32 dev lo\naddr add {RESOLVER_IPV4}/32 dev lo\n\
             addr add {CLOUDFLARE_IPV6}/128 dev lo nodad\naddr add {RESOLVER_IPV6}/128 dev lo nodad\n\
             addr add {GATEWAY_IPV4}/24 dev {ISP_INTERFACE}\n\
             addr add 2a00:1234:5678:1::1/64 dev {ISP_INTERFACE} nodad\naddr add fe80::1/64 dev {ISP_INTERFACE} nodad\n\
             link set {ISP_INTERFACE} up\nroute add 11.0.0.0/8 dev {ISP_INTERFACE}\n\
             route add 2a00::/16 dev {ISP_INTERFACE}\n"
        ))?;
        host.ip_batch(&format!(
            "link set {HOST_INTERFACE} up\naddr add {HOST_IPV4}/24 dev {HOST_INTERFACE}\n\
             addr add {HOST_IPV6}/64 dev {HOST_INTERFACE}\n{}\
             route add default via fe80::1 dev {HOST_INTERFACE} onlink\n",
            default_route()
        ))?;
        if duplicate_address_detection { Ok(()) } else { self.wait_usable() }
    }

    /// Also without detection the kernel makes an address usable a moment later, from its work queue.
    fn wait_usable(&self) -> Result<()> {
        let begun = Instant::now();
        while !self.host.ip(&["-6", "addr", "show", "tentative"])?.trim().is_empty() {
            ensure!(begun.elapsed() < USABLE, "the host's IPv6 address stays tentative");
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Replaces the host's IPv4 address as a DHCP client does: the old one goes (and with the last address every route),
    /// the new one comes, the default route is set again.
    pub fn swap_ipv4(&self, old: Ipv4Addr, new: Ipv4Addr) -> Result<()> {
        self.host
            .ip_batch(&format!(
                "addr del {old}/24 dev {HOST_INTERFACE}\naddr add {new}/24 dev {HOST_INTERFACE}\n{}",
                default_route()
            ))
            .with_context(|| format!("swapping {old} for {new}"))
    }

    /// Moves the host to another /64: the address with the same interface identifier comes under the new prefix, then the
    /// one under the old prefix goes. Returns the new address.
    pub fn renumber_ipv6(&self, old_prefix: Ipv6Addr, new_prefix: Ipv6Addr) -> Result<Ipv6Addr> {
        let (old, new) = (host_address(old_prefix), host_address(new_prefix));
        self.host
            .ip_batch(&format!("addr add {new}/64 dev {HOST_INTERFACE}\naddr del {old}/64 dev {HOST_INTERFACE}\n"))
            .with_context(|| format!("renumbering {old} to {new}"))?;
        Ok(new)
    }

    /// Makes the host's address deprecated, as a router does that announces the end of a prefix.
    pub fn deprecate_ipv6(&self, address: Ipv6Addr) -> Result<()> {
        self.host
            .ip(&["addr", "change", &format!("{address}/64"), "dev", HOST_INTERFACE, "preferred_lft", "0"])
            .map(drop)
    }

    /// Changes the host's IPv4 address `changes` times in one run of `ip`, each time to another one, and returns the last.
    pub fn burst(&self, changes: usize, from: Ipv4Addr) -> Result<Ipv4Addr> {
        ensure!((1..=MAX_BURST).contains(&changes), "a burst has 1 to {MAX_BURST} changes, not {changes}");
        let mut commands = String::new();
        let mut current = from;
        for change in 0..changes {
            let next = burst_address(change, from);
            // Neighbours in the sequence lie in different /24s: removing a primary address would take its secondaries along.
            writeln!(commands, "addr add {next}/24 dev {HOST_INTERFACE}\naddr del {current}/24 dev {HOST_INTERFACE}")?;
            current = next;
        }
        commands.push_str(&default_route());
        self.host.ip_batch(&commands).with_context(|| format!("changing the address {changes} times"))?;
        Ok(current)
    }

    /// The addresses of the name server, IPv4 first.
    pub fn resolver_addresses() -> [IpAddr; 2] {
        [RESOLVER_IPV4.into(), RESOLVER_IPV6.into()]
    }

    /// The addresses of the Cloudflare double, IPv4 first.
    pub fn cloudflare_addresses() -> [IpAddr; 2] {
        [CLOUDFLARE_IPV4.into(), CLOUDFLARE_IPV6.into()]
    }
}

/// The host's address under `prefix`, a /64.
pub fn host_address(prefix: Ipv6Addr) -> Ipv6Addr {
    let identifier = u128::from(HOST_IPV6) & u128::from(u64::MAX);
    (u128::from(prefix) & !u128::from(u64::MAX) | identifier).into()
}

fn default_route() -> String {
    format!("route replace default via {GATEWAY_IPV4} dev {HOST_INTERFACE} onlink\n")
}

/// Addresses 11.60.0.7 and up, the third octet moving fastest; the second octet keeps two bursts in a row apart.
fn burst_address(change: usize, from: Ipv4Addr) -> Ipv4Addr {
    let second = if from.octets()[1] == 60 { 61 } else { 60 };
    let third = u8::try_from(change % 200).unwrap_or(0);
    let fourth = u8::try_from(change / 200 + 7).unwrap_or(7);
    Ipv4Addr::new(11, second, third, fourth)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_address_of_a_burst_is_another_one_and_neighbours_share_no_subnet() {
        let burst: Vec<_> = (0..MAX_BURST).map(|change| burst_address(change, HOST_IPV4)).collect();
        assert_eq!(burst.iter().collect::<BTreeSet<_>>().len(), MAX_BURST);
        assert!(burst.windows(2).all(|pair| pair[0].octets()[..3] != pair[1].octets()[..3]));
        assert!(!burst.contains(&burst_address(0, burst[0])), "two bursts in a row meet");
    }

    #[test]
    fn the_interface_identifier_survives_a_new_prefix() {
        assert_eq!(host_address(HOST_IPV6_PREFIX), HOST_IPV6);
        let prefix: Ipv6Addr = "2a00:1234:9abc:2::".parse().expect("an address");
        assert_eq!(host_address(prefix).to_string(), "2a00:1234:9abc:2::44");
    }
}
