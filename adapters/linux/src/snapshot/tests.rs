use super::*;

fn flags_of(local: &str, flags: u32) -> AddressFlags {
    super::flags(&Address { index: 1, prefix_len: 0, flags, local: local.parse().unwrap() })
}

/// Fault 7, trap 4.
#[test]
fn flags_are_those_of_the_family() {
    let none = AddressFlags::default();
    assert_eq!(flags_of("2001:db8::1", 0x01), AddressFlags { temporary: true, ..none });
    assert_eq!(flags_of("192.0.2.1", 0x01), none, "on IPv4 the bit means secondary");
    assert_eq!(flags_of("2001:db8::1", 0x40), AddressFlags { tentative: true, ..none });
    assert_eq!(flags_of("2001:db8::1", 0x48), AddressFlags { tentative: true, dad_failed: true, ..none });
    assert_eq!(flags_of("192.0.2.1", 0x20 | 0x80 | 0x200), AddressFlags { deprecated: true, ..none });
}

#[test]
fn an_address_without_its_link_calls_for_another_read() {
    let address = Address { index: 4, prefix_len: 24, flags: 0, local: "192.0.2.1".parse().unwrap() };
    let mut links = BTreeMap::new();
    assert_eq!(join(&links, vec![address.clone()]), None);
    links.insert(4, Link { index: 4, name: "ppp0".to_owned(), up: true, ..Link::default() });
    assert_eq!(join(&links, vec![address]).unwrap().addresses()[0].interface, "ppp0");
}

#[test]
fn this_host_has_a_loopback_address() {
    let mut reader = SnapshotReader::open().unwrap();
    let snapshot = reader.read().unwrap();
    let held = snapshot.addresses().iter().find(|held| held.address.is_loopback()).unwrap();
    assert_eq!((held.interface.as_str(), held.index), ("lo", 1));
    assert_eq!(reader.indices(&["none0".to_owned(), "lo".to_owned()]), [1]);
}
