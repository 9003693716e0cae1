use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn attribute_bytes(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap();
    let mut bytes = [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat();
    bytes.resize(align(bytes.len()), 0);
    bytes
}

fn address_payload(family: u8, header_flags: u8, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut payload = vec![family, 24, header_flags, 0];
    payload.extend(7_u32.to_ne_bytes());
    payload.extend(attributes.iter().flat_map(|(kind, value)| attribute_bytes(*kind, value)));
    payload
}

fn local(family: u8, attributes: &[(u16, &[u8])]) -> Result<Option<IpAddr>, Malformed> {
    Address::parse(&address_payload(family, 0, attributes)).map(|address| address.map(|address| address.local))
}

const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

#[test]
fn the_local_address_of_a_point_to_point_link_is_ours_in_either_order() {
    let (ours, peer) = (OURS.octets(), PEER.octets());
    assert_eq!(local(AF_INET, &[(IFA_ADDRESS, &peer), (IFA_LOCAL, &ours)]), Ok(Some(OURS.into())));
    assert_eq!(local(AF_INET, &[(IFA_LOCAL, &ours), (IFA_ADDRESS, &peer)]), Ok(Some(OURS.into())));
}

#[test]
fn an_ipv6_address_comes_without_a_local_attribute() {
    assert_eq!(local(AF_INET6, &[(IFA_ADDRESS, &Ipv6Addr::LOCALHOST.octets())]), Ok(Some(Ipv6Addr::LOCALHOST.into())));
}

#[test]
fn the_long_flags_override_the_short_ones() {
    let flags = |attributes: &[(u16, &[u8])]| {
        let payload = address_payload(AF_INET, 0x80, attributes);
        Address::parse(&payload).map(|address| address.map(|address| address.flags))
    };
    let ours = OURS.octets();
    assert_eq!(flags(&[(IFA_LOCAL, &ours)]), Ok(Some(0x80)));
    assert_eq!(flags(&[(IFA_LOCAL, &ours), (IFA_FLAGS, &0x0380_u32.to_ne_bytes())]), Ok(Some(0x380)));
}

#[test]
fn other_families_are_passed_over_and_wrong_lengths_are_malformed() {
    assert_eq!(local(45, &[(IFA_LOCAL, &[1])]), Ok(None));
    assert_eq!(local(AF_INET, &[]), Err(Malformed));
    assert_eq!(local(AF_INET, &[(IFA_LOCAL, &[1, 2, 3])]), Err(Malformed));
    assert_eq!(local(AF_INET6, &[(IFA_ADDRESS, &OURS.octets())]), Err(Malformed));
    assert_eq!(local(AF_INET, &[(IFA_LOCAL, &OURS.octets()), (IFA_FLAGS, &[1])]), Err(Malformed));
}

#[test]
fn a_link_has_a_name_and_may_be_up() {
    let mut payload = vec![0; 4];
    payload.extend(7_u32.to_ne_bytes());
    payload.extend(IFF_UP.to_ne_bytes());
    payload.extend([0; 4]);
    payload.extend(attribute_bytes(99, &[1, 2, 3]));
    payload.extend(attribute_bytes(IFLA_IFNAME, b"ppp0\0"));
    assert_eq!(Link::parse(&payload), Ok(Link { index: 7, name: "ppp0".to_owned(), up: true, ..Link::default() }));
    assert_eq!(Link::parse(&payload[..16]), Err(Malformed));
}

#[test]
fn what_names_its_kind_is_no_physical_interface() {
    let link = |kind: u16, flags: u32, info: &[u8]| {
        let mut payload = vec![0; 2];
        payload.extend(kind.to_ne_bytes());
        payload.extend(7_u32.to_ne_bytes());
        payload.extend(flags.to_ne_bytes());
        payload.extend([0; 4]);
        payload.extend(attribute_bytes(IFLA_IFNAME, b"x\0"));
        payload.extend(attribute_bytes(IFLA_LINKINFO, info));
        Link::parse(&payload).unwrap()
    };
    let (veth, member) = (attribute_bytes(IFLA_INFO_KIND, b"veth\0"), attribute_bytes(4, b"bridge\0"));
    let physical = |kind: u16, info: &[u8]| link(kind, 0, info).physical;
    assert!(physical(ARPHRD_ETHER, &[]) && physical(ARPHRD_ETHER, &member), "in a bridge it stays one");
    assert!(!physical(ARPHRD_ETHER, &veth) && !physical(772, &[]), "loopback names no kind either");
    let line = link(512, IFF_POINTOPOINT | IFF_LOWER_UP, &[]);
    assert!(line.carrier && line.point_to_point && !line.up);
}

fn route(prefix_len: u8, table: u8, flags: u32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut payload = vec![AF_INET, prefix_len, 0, 0, table, 3, 0, RTN_UNICAST];
    payload.extend(flags.to_ne_bytes());
    attributes.iter().for_each(|(kind, value)| payload.extend(attribute_bytes(*kind, value)));
    payload
}

#[test]
fn a_default_route_of_the_main_table_has_a_gateway() {
    let attributes =
        [(RTA_OIF, &7_u32.to_ne_bytes()[..]), (RTA_GATEWAY, &[192, 168, 1, 1]), (RTA_PRIORITY, &100_u32.to_ne_bytes())];
    let gateway = "192.168.1.1".parse().unwrap();
    let read = |payload: Vec<u8>| DefaultRoute::parse(&payload).unwrap();
    let found = DefaultRoute { index: 7, gateway: Some(gateway), family: Family::V4, metric: 100 };
    assert_eq!(read(route(0, RT_TABLE_MAIN, 0, &attributes)), Some(found));
    assert_eq!(read(route(8, RT_TABLE_MAIN, 0, &attributes)), None, "not the default");
    assert_eq!(read(route(0, 255, 0, &attributes)), None, "another table");
    assert_eq!(read(route(0, RT_TABLE_MAIN, RTNH_F_LINKDOWN, &attributes)), None, "the cable is out");
    let line = DefaultRoute { index: 7, gateway: None, family: Family::V4, metric: 0 };
    assert_eq!(read(route(0, RT_TABLE_MAIN, 0, &attributes[..1])), Some(line), "no gateway: point to point");
    assert_eq!(DefaultRoute::parse(&[AF_INET; 11]), Err(Malformed));
}

/// Trap 22.
#[test]
fn every_message_of_a_datagram_is_read() {
    let datagram = [dump(20, 1, &[1, 2, 3]), vec![0], dump(21, 2, &[4])].concat();
    let read: Vec<_> =
        messages(&datagram).map(|message| message.map(|message| (message.kind, message.payload))).collect();
    assert_eq!(read, [Ok((20, &[1, 2, 3][..])), Ok((21, &[4][..]))]);
}

/// FAULTS 3.
#[test]
fn a_length_beyond_the_datagram_ends_the_reading() {
    let mut datagram = [dump(20, 1, &[]), dump(21, 2, &[])].concat();
    datagram[16] = 17;
    let read: Vec<_> = messages(&datagram).map(|message| message.map(|message| message.kind)).collect();
    assert_eq!(read, [Ok(20), Err(Malformed)]);
    datagram[16] = 15;
    assert_eq!(messages(&datagram).last(), Some(Err(Malformed)));
}

proptest! {
    /// Fault 3: whatever the bytes, nothing panics and everything ends.
    #[test]
    fn any_bytes_are_read_without_panicking(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(messages(&bytes).count() <= bytes.len());
        prop_assert!(attributes(&bytes).count() <= bytes.len());
        let _ = (Address::parse(&bytes), Link::parse(&bytes), DefaultRoute::parse(&bytes));
    }

    /// The same one step deeper: a sound frame around damaged contents.
    #[test]
    fn a_damaged_message_is_read_without_panicking(
        damage in proptest::collection::vec((0_usize..96, any::<u8>()), 0..8),
        cut in 0_usize..96,
    ) {
        let ours = OURS.octets();
        let mut payload = address_payload(
            AF_INET,
            0x80,
            &[(IFA_ADDRESS, &ours), (IFA_LOCAL, &ours), (3, b"eth0\0"), (IFA_FLAGS, &[0; 4]), (6, &[0xff; 16])],
        );
        for (at, value) in damage {
            if let Some(byte) = payload.get_mut(at) {
                *byte = value;
            }
        }
        payload.truncate(cut);
        let datagram = dump(RTM_NEWADDR, 1, &payload);
        for message in messages(&datagram) {
            let message = message.unwrap();
            let _ = (Address::parse(message.payload), Link::parse(message.payload), message.status());
        }
    }
}
