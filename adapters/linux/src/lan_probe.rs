//! A look at the local network.

mod echo;
mod ping;
mod tcp;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::{Mutex, PoisonError};

use ddns_core::address::Family;
use ddns_core::ports::{Gateway, LanReport};
use futures_util::future::{join, join_all};

use crate::dump::{DumpError, DumpReader};
use crate::rtnetlink::Link;
use crate::ways::Ways;
use ping::Ping;

/// Reads of tables that keep changing, before going on with what was known.
const ATTEMPTS: u32 = 16;
/// Routers of one family that are asked; a host has one or two.
const MOST: usize = 4;

/// Asks the routers of the local network, and looks whether the cable is in.
///
/// The routers are the configured one, or the gateways of the default routes; the last ones known, since a line that goes
/// down takes its routes along. Each is pinged (RFC 792, RFC 4443), and one that is silent is called on a few TCP ports,
/// where a refusal is an answer as well.
pub struct LanProbe {
    router: Option<IpAddr>,
    pings: [(Family, Ping); 2],
    memory: Mutex<Memory>,
}

/// What a host grants for asking a router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// A ping through a datagram socket (`net.ipv4.ping_group_range`), then TCP.
    Datagram,
    /// A ping through a raw socket (`CAP_NET_RAW`), then TCP.
    Raw,
    /// TCP alone.
    Tcp,
}

impl Way {
    /// As it is logged.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Datagram => "datagram ping",
            Self::Raw => "raw ping",
            Self::Tcp => "TCP alone",
        }
    }
}

/// What a probe remembers from look to look.
#[derive(Default)]
struct Memory {
    ways: BTreeMap<Family, Known>,
    said: bool,
}

/// The default routes of a family, when there were some last.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Known {
    gateways: Vec<Gateway>,
    interfaces: BTreeSet<String>,
}

/// The host's side of the local network.
struct Surroundings {
    carrier: Option<bool>,
    /// Whom to ask, and where it can't be asked why.
    routers: Vec<(IpAddr, Result<SocketAddr, String>)>,
}

impl LanProbe {
    /// A probe of this router, or of the gateways. To be called before capabilities are given up: what needs one is
    /// opened here.
    pub fn new(router: Option<IpAddr>) -> Self {
        Self { router, pings: Family::ALL.map(|family| (family, Ping::open(family))), memory: Mutex::default() }
    }

    /// How routers are asked.
    pub fn ways(&self) -> [(Family, Way); 2] {
        self.pings.each_ref().map(|(family, ping)| {
            let way = match ping {
                Ping::Datagram => Way::Datagram,
                Ping::Raw(_) => Way::Raw,
                Ping::Refused => Way::Tcp,
            };
            (*family, way)
        })
    }

    /// Looks at the host alone, and remembers the ways out. Sends nothing; blocks for as long as the kernel takes to list
    /// its tables, microseconds as a rule.
    pub fn glance(&self) -> LanReport {
        LanReport { carrier: self.surroundings().carrier, routers: Vec::new() }
    }

    /// The same, and asks the routers, for three seconds at most. Needs a tokio runtime with I/O and time enabled.
    pub async fn look(&self) -> LanReport {
        self.say();
        let Surroundings { carrier, routers } = self.surroundings();
        let there: Vec<SocketAddr> = routers.iter().filter_map(|(_, router)| router.clone().ok()).collect();
        let [v4, v6] = self.pings.each_ref().map(|(family, ping)| {
            let mine = there.iter().filter(|router| Family::of(&router.ip()) == *family);
            let mine: Vec<_> = mine.copied().collect();
            async move { ping.ask(&mine).await }
        });
        let (v4, v6) = join(v4, v6).await;
        let answered: BTreeSet<SocketAddr> = [v4, v6].into_iter().filter_map(io::Result::ok).flatten().collect();
        let one = async |(address, router): (IpAddr, Result<SocketAddr, String>)| {
            let silence = match router {
                Err(reason) => Some(reason),
                Ok(router) if answered.contains(&router) => None,
                Ok(router) => tcp::call(router).await.err(),
            };
            (address, silence)
        };
        LanReport { carrier, routers: join_all(routers.into_iter().map(one)).await }
    }

    fn say(&self) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::replace(&mut memory.said, true) {
            let [ipv4, ipv6] = self.ways().map(|(_, way)| way.as_str());
            tracing::info!(ipv4, ipv6, "Routers are asked");
        }
    }

    fn surroundings(&self) -> Surroundings {
        let ways = read_ways().unwrap_or_else(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "The ways out of this host can't be read");
            Ways::default()
        });
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        for family in Family::ALL {
            let known = Known::of(&ways, family);
            if known != Known::default() {
                memory.ways.insert(family, known);
            }
        }
        let towards: BTreeSet<&str> =
            memory.ways.values().flat_map(|known| &known.interfaces).map(String::as_str).collect();
        let routers = match self.router {
            Some(address) => {
                // The way to it is not known; one that is link-local lies where the routes of its family lead.
                let known = memory.ways.get(&Family::of(&address));
                let interface = known.and_then(|known| known.interfaces.first()).map_or("", String::as_str);
                vec![(address, socket_address(address, interface, &ways.links))]
            }
            None => {
                let gateways = memory.ways.values().flat_map(|known| known.gateways.iter().take(MOST));
                let place = |gateway: &Gateway| socket_address(gateway.address, &gateway.interface, &ways.links);
                gateways.map(|gateway| (gateway.address, place(gateway))).collect()
            }
        };
        Surroundings { carrier: carrier(&towards, &ways.links), routers }
    }
}

impl fmt::Debug for LanProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LanProbe").field("router", &self.router).finish_non_exhaustive()
    }
}

impl Known {
    fn of(ways: &Ways, family: Family) -> Self {
        let mut known = Self::default();
        for route in ways.routes.iter().filter(|route| route.family == family) {
            let Some(link) = ways.links.get(&route.index) else { continue };
            known.interfaces.insert(link.name.clone());
            let gateway = route.gateway.map(|address| Gateway { interface: link.name.clone(), address });
            known.gateways.extend(gateway.filter(|gateway| !known.gateways.contains(gateway)));
        }
        known
    }
}

fn read_ways() -> Result<Ways, DumpError> {
    let mut reader = DumpReader::open(None).map_err(|error| DumpError::Socket(error.into()))?;
    for _ in 0..ATTEMPTS {
        if let Some(ways) = Ways::read(&mut reader)? {
            return Ok(ways);
        }
    }
    Err(DumpError::Restless)
}

/// Where to send. A link-local address is one host per interface.
fn socket_address(address: IpAddr, interface: &str, links: &BTreeMap<u32, Link>) -> Result<SocketAddr, String> {
    match address {
        IpAddr::V6(address) if address.is_unicast_link_local() => {
            let link = links.values().find(|link| link.name == interface);
            let link = link.ok_or_else(|| format!("no interface {interface} that it could be behind"))?;
            Ok(SocketAddrV6::new(address, 0, 0, link.index).into())
        }
        address => Ok(SocketAddr::new(address, 0)),
    }
}

/// Whether there is a carrier on a way out. For what went away with the line, or says nothing of a cable (PPP that is
/// down), and where no way out is known, the physical interfaces stand: one with a carrier is enough, and without any
/// nothing is known.
fn carrier(towards: &BTreeSet<&str>, links: &BTreeMap<u32, Link>) -> Option<bool> {
    let tells = |link: &&Link| link.carrier || !link.point_to_point;
    let known: Vec<&Link> = links.values().filter(|link| towards.contains(link.name.as_str())).filter(tells).collect();
    let all_tell = !towards.is_empty() && known.len() == towards.len();
    let physical = links.values().filter(|link| link.physical && !all_tell);
    let told: BTreeSet<bool> = known.into_iter().chain(physical).map(|link| link.carrier).collect();
    told.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, carrier: bool) -> (u32, Link) {
        (index, Link { index, name: name.to_owned(), up: true, carrier, ..Link::default() })
    }

    fn physical(index: u32, name: &str, carrier: bool) -> (u32, Link) {
        (index, Link { physical: true, ..link(index, name, carrier).1 })
    }

    fn line(index: u32, name: &str, carrier: bool) -> (u32, Link) {
        (index, Link { point_to_point: true, ..link(index, name, carrier).1 })
    }

    #[test]
    fn a_carrier_on_any_way_out_is_enough_and_another_interface_does_not_count() {
        let links = |wan, other| [link(2, "wan0", wan), link(3, "wan1", other), physical(4, "lan0", true)].into();
        let of = |towards: &[&str], links| carrier(&towards.iter().copied().collect(), &links);
        assert_eq!(of(&["wan0"], links(true, false)), Some(true));
        assert_eq!(of(&["wan0"], links(false, true)), Some(false));
        assert_eq!(of(&["wan0", "wan1"], links(false, true)), Some(true));
        assert_eq!(of(&["wan0", "wan1"], links(false, false)), Some(false));
    }

    /// A PPP line that is dead takes its interface along: the cable to the modem may well be in.
    #[test]
    fn the_physical_interfaces_stand_for_what_is_gone() {
        let of = |links: Vec<(u32, Link)>| carrier(&["ppp0"].into(), &links.into_iter().collect());
        assert_eq!(of(vec![physical(2, "eth0", true), physical(3, "eth1", false)]), Some(true));
        assert_eq!(of(vec![physical(2, "eth0", false)]), Some(false));
        assert_eq!(of(vec![link(2, "veth0", true)]), None, "nothing is known");
        assert_eq!(of(vec![line(5, "ppp0", false), physical(2, "eth0", true)]), Some(true));
        assert_eq!(of(vec![line(5, "ppp0", true)]), Some(true));
        assert_eq!(carrier(&BTreeSet::new(), &[physical(2, "eth0", true)].into()), Some(true), "no way out so far");
    }

    #[test]
    fn a_link_local_router_is_asked_on_its_interface() {
        let links = [link(7, "wan0", true)].into();
        let asked = |address: &str, interface| socket_address(address.parse().unwrap(), interface, &links);
        assert_eq!(asked("fe80::1", "wan0"), Ok("[fe80::1%7]:0".parse().unwrap()));
        assert!(asked("fe80::1", "gone0").is_err());
        assert_eq!(asked("192.0.2.1", "gone0"), Ok("192.0.2.1:0".parse().unwrap()));
    }
}
