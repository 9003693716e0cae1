use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ddns_core::address::{AddressFlags, Family, InterfaceAddress, Snapshot};
use ddns_core::selection::{Candidates, special_scope};
use proptest::prelude::*;

/// First and last address of each block that is not for the world (IANA's special-purpose registries, RFC 6890),
/// written out a second time, as ranges.
const SPECIAL: &[(&str, &str)] = &[
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "255.255.255.255"),
    ("::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("4000::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

fn blocks() -> Vec<(IpAddr, IpAddr)> {
    SPECIAL.iter().map(|(first, last)| (first.parse().unwrap(), last.parse().unwrap())).collect()
}

fn is_special(address: IpAddr) -> bool {
    blocks()
        .iter()
        .any(|(first, last)| Family::of(first) == Family::of(&address) && (*first..=*last).contains(&address))
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// Addresses at random, in special blocks, and close to their borders.
fn address() -> impl Strategy<Value = IpAddr> {
    let near = (prop::sample::select(blocks()), any::<bool>(), -2..=2_i8, any::<u128>(), any::<bool>());
    let near = near.prop_map(|((first, last), high, off, inside, border)| {
        let spread = number(last) - number(first);
        let at = if border {
            let edge = number(if high { last } else { first });
            edge.wrapping_add_signed(off.into())
        } else {
            number(first) + spread.checked_add(1).map_or(inside, |size| inside % size)
        };
        match first {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(at & 0xffff_ffff).unwrap())),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(at)),
        }
    });
    prop_oneof![near, any::<IpAddr>()]
}

fn held() -> impl Strategy<Value = InterfaceAddress> {
    let flag = || prop::bool::weighted(0.1);
    let flags = (flag(), flag(), flag(), flag()).prop_map(|(tentative, dad_failed, deprecated, temporary)| {
        AddressFlags { tentative, dad_failed, deprecated, temporary }
    });
    (1..4_u32, "(wan|lan|tun)0", address(), 0..=128_u8, flags, prop::bool::weighted(0.9)).prop_map(
        |(index, interface, address, prefix_len, flags, link_up)| InterfaceAddress {
            index,
            interface,
            address,
            prefix_len,
            flags,
            link_up,
        },
    )
}

fn snapshot() -> impl Strategy<Value = Vec<InterfaceAddress>> {
    prop::collection::vec(held(), 0..12)
}

fn interface() -> impl Strategy<Value = Option<&'static str>> {
    prop::sample::select(vec![None, None, Some("wan0")])
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn the_two_tables_of_special_addresses_agree(address in address()) {
        prop_assert_eq!(special_scope(&address).is_some(), is_special(address), "{}", address);
    }

    #[test]
    fn what_is_chosen_is_held_public_settled_and_up(
        held in snapshot(),
        published in prop::option::of(address()),
        interface in interface(),
    ) {
        for family in Family::ALL {
            let candidates = Candidates::of(&Snapshot::new(held.clone()), family, interface);
            let Some(chosen) = candidates.choose(published) else { continue };
            prop_assert!(held.contains(chosen) && Family::of(&chosen.address) == family);
            prop_assert!(!is_special(chosen.address), "{}", chosen.address);
            prop_assert!(chosen.flags == AddressFlags::default() && chosen.link_up);
            prop_assert!(interface.is_none_or(|interface| chosen.interface == interface));
        }
    }

    #[test]
    fn the_choice_does_not_depend_on_the_order_of_the_answer(
        (held, shuffled) in snapshot().prop_flat_map(|held| (Just(held.clone()), Just(held).prop_shuffle())),
        published in prop::option::of(address()),
    ) {
        for family in Family::ALL {
            let of = |held: &[InterfaceAddress]| Candidates::of(&Snapshot::new(held.to_vec()), family, None);
            let (one, other) = (of(&held), of(&shuffled));
            prop_assert_eq!(one.choose(published), other.choose(published));
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn the_published_address_stays_while_it_is_publishable(held in snapshot(), interface in interface()) {
        for family in Family::ALL {
            let candidates = Candidates::of(&Snapshot::new(held.clone()), family, interface);
            for publishable in &candidates.publishable {
                let chosen = candidates.choose(Some(publishable.address));
                prop_assert_eq!(chosen.map(|chosen| chosen.address), Some(publishable.address));
            }
        }
    }
}
