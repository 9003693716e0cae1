use std::net::{Ipv4Addr, SocketAddrV4};

use ddns_core::address::Family;
use ddns_core::error_chain;
use ddns_discover::announcements;
use ddns_discover::echo::parse;
use ddns_discover::router::upnp::message::{Place, control, external_address, location};
use ddns_discover::router::{nat_pmp, pcp};
use ddns_discover::stun::message::{MessageError, response};
use ddns_discover::whoami::{WhoamiType, message};

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 1);
const TWELVE: [u8; 12] = *b"twelve octet";
const PORT: u16 = 51820;
/// Room for what is quoted, escaped, and the words around it.
const LONGEST: usize = 500;

fn check_told(error: &(dyn std::error::Error + 'static)) {
    let text = error_chain(error);
    assert!(text.len() < LONGEST && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{text:?}");
}

/// The body of an echo service.
pub fn echo(body: &[u8]) {
    match parse(body) {
        Ok(address) => {
            let text = String::from_utf8_lossy(body);
            let text = text.trim_ascii();
            let whole = text.parse() == Ok(address);
            assert!(whole || text.lines().any(|line| line.starts_with("ip=")), "{address} of {text:?}");
        }
        Err(error) => check_told(&error),
    }
}

/// The answer of a name server to our question, with any id.
pub fn whoami(octets: &[u8]) {
    let name = "whoami.test".parse().expect("a name");
    let id = octets.first_chunk().map_or(0, |id| u16::from_be_bytes(*id));
    for family in Family::ALL {
        for rtype in [WhoamiType::Address, WhoamiType::Txt, WhoamiType::ChaosTxt] {
            let question = message::question(&name, rtype, family).expect("a question");
            match message::answer(octets, id, &question) {
                Ok(address) => assert!(rtype != WhoamiType::Address || Family::of(&address) == family),
                Err(error) => check_told(&error),
            }
        }
    }
}

/// The answer of a STUN server, with any transaction.
pub fn stun(datagram: &[u8]) {
    let transaction = datagram.get(8..).and_then(|rest| rest.first_chunk()).copied().unwrap_or(TWELVE);
    match response(datagram, &transaction) {
        Ok(_) => assert!(datagram.len() >= 32 && datagram.len().is_multiple_of(4)),
        Err(error) => check_told(&error),
    }
    let mut other = transaction;
    other[0] ^= 1;
    assert_eq!(response(datagram, &other), Err(MessageError::Foreign));
}

/// A datagram to the group on which routers announce.
pub fn announcement(datagram: &[u8]) {
    if let Some(notice) = announcements::parse(datagram) {
        assert!(notice.external.is_none_or(|external| !external.is_unspecified()));
        assert!(matches!(datagram.len(), 8 | 12 | 24..=pcp::LONGEST));
    }
}

/// What a router answers: by NAT-PMP, PCP, SSDP, a description, SOAP.
pub fn router(octets: &[u8]) {
    if let Some(Ok((_, Some(address)))) = nat_pmp::address(octets) {
        assert!(octets.len() == 12 && !address.is_unspecified());
    }
    if let Some(Ok(_)) = nat_pmp::mapped(octets, PORT) {
        assert_eq!(octets.len(), 16);
    }
    if let Some(Ok(mapped)) = pcp::mapped(octets, &TWELVE, PORT) {
        assert!(octets.len() >= 60 && octets[24..36] == TWELVE);
        assert!(mapped.external.is_none_or(|external| !external.is_unspecified()));
    }
    let place = Place { address: SocketAddrV4::new(GATEWAY, 5000), path: "/d".to_owned() };
    let found = [location(octets, GATEWAY), control(octets, &place).map(|found| found.0)];
    for place in found.into_iter().flatten() {
        assert_eq!(*place.address.ip(), GATEWAY);
        assert!(place.path.starts_with('/') && place.path.bytes().all(|octet| octet.is_ascii_graphic()));
    }
    match external_address(octets) {
        Ok(address) => assert!(!address.is_unspecified()),
        Err(error) => check_told(&error),
    }
}
