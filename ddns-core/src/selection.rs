//! Which address is publishable, and which one of several.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address::{AddressFlags, Discovered, Family, InterfaceAddress, Snapshot};

/// Why an address is not published.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rejection {
    /// It is on another interface than the configured one.
    OtherInterface,
    /// The interface is administratively down.
    LinkDown,
    /// Duplicate address detection has not ended.
    Tentative,
    /// Another host has it.
    Duplicate,
    /// The kernel no longer uses it for new connections.
    Deprecated,
    /// A privacy address that will be gone tomorrow.
    Temporary,
    /// The world can't reach it.
    NotPublic(Scope),
    /// The provider's NAT has it, not the router.
    BehindCarrierGradeNat,
    /// Those outside were asked, and did not confirm it.
    Unconfirmed,
}

/// What an address that is not globally reachable is for (IANA's special-purpose address registries, RFC 6890).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scope {
    /// RFC 1918.
    Private,
    /// 100.64.0.0/10 (RFC 6598): the provider does NAT.
    CarrierGradeNat,
    /// RFC 4193.
    UniqueLocal,
    /// RFC 3927, RFC 4291.
    LinkLocal,
    /// 127.0.0.0/8, ::1.
    Loopback,
    /// RFC 5737, RFC 3849, RFC 9637.
    Documentation,
    /// RFC 2544, RFC 5180.
    Benchmarking,
    /// RFC 1112, RFC 4291.
    Multicast,
    /// Set aside: 0/8, 192.0.0.0/24, 192.88.99.0/24, 240/4, 2001::/23, 2002::/16 and all outside 2000::/3.
    Reserved,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherInterface => "on another interface",
            Self::LinkDown => "its interface is down",
            Self::Tentative => "tentative: duplicate address detection has not ended",
            Self::Duplicate => "a duplicate: another host has it",
            Self::Deprecated => "deprecated",
            Self::Temporary => "a temporary privacy address",
            Self::NotPublic(Scope::Private) => "private (RFC 1918): this host is behind NAT",
            Self::NotPublic(Scope::CarrierGradeNat) => "in 100.64.0.0/10: the provider does carrier-grade NAT",
            Self::Unconfirmed => "not confirmed by those outside who were asked",
            Self::BehindCarrierGradeNat => {
                "the address of the provider's carrier-grade NAT, through which nothing reaches this host: publish IPv6 \
                 (AAAA), or use a relay with a public address, or ask the provider for a public IPv4 address"
            }
            Self::NotPublic(Scope::UniqueLocal) => "unique local (RFC 4193)",
            Self::NotPublic(Scope::LinkLocal) => "link-local",
            Self::NotPublic(Scope::Loopback) => "loopback",
            Self::NotPublic(Scope::Documentation) => "set aside for documentation",
            Self::NotPublic(Scope::Benchmarking) => "set aside for benchmarks",
            Self::NotPublic(Scope::Multicast) => "multicast",
            Self::NotPublic(Scope::Reserved) => "reserved",
        })
    }
}

/// The scope of an address that is not globally reachable unicast; `None` for one that is.
pub fn special_scope(address: &IpAddr) -> Option<Scope> {
    match address {
        IpAddr::V4(v4) => special_v4(*v4),
        IpAddr::V6(v6) => special_v6(*v6),
    }
}

const fn special_v4(address: Ipv4Addr) -> Option<Scope> {
    match address.octets() {
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Some(Scope::Private),
        [100, 64..=127, ..] => Some(Scope::CarrierGradeNat),
        [127, ..] => Some(Scope::Loopback),
        [169, 254, ..] => Some(Scope::LinkLocal),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Some(Scope::Documentation),
        [198, 18..=19, ..] => Some(Scope::Benchmarking),
        [224..=239, ..] => Some(Scope::Multicast),
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => Some(Scope::Reserved),
        _ => None,
    }
}

const fn special_v6(address: Ipv6Addr) -> Option<Scope> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some(Scope::Loopback),
        [0xfe80..=0xfebf, ..] => Some(Scope::LinkLocal),
        [0xfc00..=0xfdff, ..] => Some(Scope::UniqueLocal),
        [0xff00..=0xffff, ..] => Some(Scope::Multicast),
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Some(Scope::Documentation),
        [0x2001, 0x0002, 0, ..] => Some(Scope::Benchmarking),
        [0x2001, 0..=0x01ff, ..] | [0x2002, ..] => Some(Scope::Reserved),
        [0x2000..=0x3fff, ..] => None,
        _ => Some(Scope::Reserved),
    }
}

/// The publishable addresses of one family, and why the others are not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Candidates {
    /// Publishable, best first.
    pub publishable: Vec<InterfaceAddress>,
    /// Not publishable. Loopback and link-local addresses, which every host has, are left out.
    pub rejected: Vec<(IpAddr, Rejection)>,
}

impl Candidates {
    /// Sorts the family's addresses of a snapshot. `interface` limits the host's own ones to one interface; what was
    /// discovered stands in their place, and is on none.
    ///
    /// The order among several is that of the snapshot (interface index, name, address), so it doesn't depend on the
    /// order of the kernel's answer.
    pub fn of(snapshot: &Snapshot, family: Family, interface: Option<&str>) -> Self {
        let mut candidates = Self::default();
        let discovered = snapshot.discovered(family);
        match discovered {
            Some(Discovered::Asking) => return candidates,
            Some(Discovered::Address(address)) => {
                match special_scope(&address) {
                    None => candidates.publishable.push(outside(address)),
                    Some(scope) => candidates.rejected.push((address, Rejection::NotPublic(scope))),
                }
                return candidates;
            }
            Some(Discovered::Refused(address, why)) => {
                candidates.rejected.push((address, why));
                return candidates;
            }
            Some(Discovered::Nobody) | None => {}
        }
        for held in snapshot.addresses().iter().filter(|held| Family::of(&held.address) == family) {
            match rejection(held, interface) {
                None if discovered.is_some() => candidates.rejected.push((held.address, Rejection::Unconfirmed)),
                None => candidates.publishable.push(held.clone()),
                Some(Rejection::NotPublic(Scope::Loopback | Scope::LinkLocal)) => {}
                Some(why) => candidates.rejected.push((held.address, why)),
            }
        }
        candidates
    }

    /// The address to publish: the one already published as long as it is publishable, else the first.
    pub fn choose(&self, published: Option<IpAddr>) -> Option<&InterfaceAddress> {
        self.publishable
            .iter()
            .find(|candidate| Some(candidate.address) == published)
            .or_else(|| self.publishable.first())
    }

    /// Whether this is a publishable address.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.publishable.iter().any(|candidate| candidate.address == address)
    }
}

/// The interface name of addresses that are on none of the host's.
pub const OUTSIDE: &str = "outside";

fn outside(address: IpAddr) -> InterfaceAddress {
    let prefix_len = if address.is_ipv4() { 32 } else { 128 };
    let (flags, interface) = (AddressFlags::default(), OUTSIDE.to_owned());
    InterfaceAddress { index: 0, interface, address, prefix_len, flags, link_up: true }
}

fn rejection(held: &InterfaceAddress, interface: Option<&str>) -> Option<Rejection> {
    if let Some(scope) = special_scope(&held.address) {
        return Some(Rejection::NotPublic(scope));
    }
    if interface.is_some_and(|name| name != held.interface) {
        return Some(Rejection::OtherInterface);
    }
    if held.flags.dad_failed {
        return Some(Rejection::Duplicate);
    }
    if held.flags.tentative {
        return Some(Rejection::Tentative);
    }
    if held.flags.deprecated {
        return Some(Rejection::Deprecated);
    }
    if held.flags.temporary {
        return Some(Rejection::Temporary);
    }
    (!held.link_up).then_some(Rejection::LinkDown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(address: &str) -> InterfaceAddress {
        InterfaceAddress {
            index: 2,
            interface: "wan0".into(),
            address: address.parse().unwrap(),
            prefix_len: 24,
            flags: AddressFlags::default(),
            link_up: true,
        }
    }

    fn check(held: InterfaceAddress, expected: Option<Rejection>) {
        let label = format!("{held:?}");
        let family = Family::of(&held.address);
        let candidates = Candidates::of(&Snapshot::new(vec![held.clone()]), family, Some("wan0"));
        match expected {
            None => assert_eq!(candidates.publishable, [held], "{label}"),
            Some(why) => {
                assert!(candidates.publishable.is_empty(), "{label}");
                assert!(candidates.rejected.iter().all(|(_, found)| *found == why), "{label}: {candidates:?}");
            }
        }
    }

    #[test]
    fn global_unicast_is_publishable() {
        for address in ["1.1.1.1", "11.22.33.44", "100.63.255.255", "100.128.0.0", "172.32.0.1", "223.255.255.255"] {
            check(held(address), None);
        }
        for address in ["2a00:1234::1", "2001:4860:4860::8888", "2001:200::1", "3ffe::1"] {
            check(held(address), None);
        }
    }

    /// Traps 13 and 23, FAULTS 7: private, shared, documentation, benchmarking, multicast and reserved addresses are
    /// never published.
    #[test]
    fn a_bogon_is_never_published() {
        use Scope::*;
        for (address, scope) in [
            ("10.1.2.3", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("192.168.0.1", Private),
            ("100.64.0.1", CarrierGradeNat),
            ("100.127.255.255", CarrierGradeNat),
            ("127.0.0.1", Loopback),
            ("169.254.1.1", LinkLocal),
            ("192.0.2.1", Documentation),
            ("198.51.100.1", Documentation),
            ("203.0.113.1", Documentation),
            ("198.18.0.1", Benchmarking),
            ("198.19.255.255", Benchmarking),
            ("224.0.0.1", Multicast),
            ("240.0.0.1", Reserved),
            ("255.255.255.255", Reserved),
            ("0.0.0.0", Reserved),
            ("192.0.0.1", Reserved),
            ("192.88.99.1", Reserved),
            ("::", Reserved),
            ("::1", Loopback),
            ("::ffff:11.22.33.44", Reserved),
            ("64:ff9b::1", Reserved),
            ("fe80::1", LinkLocal),
            ("fc00::1", UniqueLocal),
            ("fdff::1", UniqueLocal),
            ("fec0::1", Reserved),
            ("ff02::1", Multicast),
            ("2001:db8::1", Documentation),
            ("3fff:fff::1", Documentation),
            ("2001:2::1", Benchmarking),
            ("2001::1", Reserved),
            ("2002::1", Reserved),
            ("4000::1", Reserved),
        ] {
            assert_eq!(special_scope(&address.parse().unwrap()), Some(scope), "{address}");
            check(held(address), Some(Rejection::NotPublic(scope)));
        }
    }

    /// Trap 4.
    #[test]
    fn a_tentative_deprecated_temporary_or_duplicate_address_is_never_published() {
        let with = |change: fn(&mut AddressFlags)| {
            let mut held = held("2a00:1234::1");
            change(&mut held.flags);
            held
        };
        check(with(|flags| flags.tentative = true), Some(Rejection::Tentative));
        check(with(|flags| flags.deprecated = true), Some(Rejection::Deprecated));
        check(with(|flags| flags.temporary = true), Some(Rejection::Temporary));
        check(with(|flags| (flags.tentative, flags.dad_failed) = (true, true)), Some(Rejection::Duplicate));
    }

    #[test]
    fn an_address_of_another_interface_or_of_one_that_is_down_is_never_published() {
        check(InterfaceAddress { interface: "lan0".into(), ..held("11.22.33.44") }, Some(Rejection::OtherInterface));
        check(InterfaceAddress { link_up: false, ..held("11.22.33.44") }, Some(Rejection::LinkDown));
    }

    #[test]
    fn the_published_address_stays_chosen_while_it_is_publishable() {
        let snapshot = Snapshot::new(vec![held("11.22.33.45"), held("11.22.33.44")]);
        let candidates = Candidates::of(&snapshot, Family::V4, None);
        let chosen = |published: Option<&str>| {
            candidates.choose(published.map(|address| address.parse().unwrap())).unwrap().address.to_string()
        };
        assert_eq!(chosen(None), "11.22.33.44");
        assert_eq!(chosen(Some("11.22.33.45")), "11.22.33.45");
        assert_eq!(chosen(Some("11.22.33.46")), "11.22.33.44");
    }
}
