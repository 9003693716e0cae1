use proptest::prelude::*;

use super::*;

const NONCE: Nonce = *b"twelve octet";
const INTERNAL: u16 = 51820;
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 2);

/// The answer of a server to our request.
fn granted() -> [u8; WITH_MAP] {
    let mut answer = map_request(CLIENT, &NONCE, INTERNAL, 0x1234, 3600);
    answer[1] |= RESPONSE;
    answer[8..24].fill(0);
    answer[8..12].copy_from_slice(&258_u32.to_be_bytes());
    answer[44..].copy_from_slice(&Ipv4Addr::new(11, 22, 33, 44).to_ipv6_mapped().octets());
    answer
}

#[test]
fn a_request_is_laid_out_as_the_rfc_draws_it() {
    let request = map_request(CLIENT, &NONCE, INTERNAL, 0x1234, 3600);
    assert_eq!(request[..8], [2, 1, 0, 0, 0, 0, 0x0e, 0x10]);
    assert_eq!(request[8..24], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 7, 2]);
    assert_eq!(request[24..36], NONCE);
    assert_eq!(request[36..44], [17, 0, 0, 0, 0xca, 0x6c, 0x12, 0x34]);
    assert_eq!(request[44..], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0]);
}

#[test]
fn a_mapping_is_read() {
    let external = Some(Ipv4Addr::new(11, 22, 33, 44));
    let expected = Mapped { external_port: 0x1234, external, lifetime: 3600, epoch: 258 };
    assert_eq!(mapped(&granted(), &NONCE, INTERNAL), Some(Ok(expected)));
    let mut none = granted();
    none[56..].fill(0);
    assert_eq!(mapped(&none, &NONCE, INTERNAL), Some(Ok(Mapped { external: None, ..expected })));
    none[44..].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
    assert_eq!(mapped(&none, &NONCE, INTERNAL), Some(Ok(Mapped { external: None, ..expected })));
    let with_option = [&granted()[..], &[2, 0, 0, 0]].concat();
    assert_eq!(mapped(&with_option, &NONCE, INTERNAL), Some(Ok(expected)));
}

/// §11.4: nonce, protocol and port tell whose mapping it is.
#[test]
fn an_answer_to_another_request_is_none() {
    for at in [0, 1, 24, 35, 36, 40, 41] {
        let mut changed = granted();
        changed[at] ^= 4;
        assert_eq!(mapped(&changed, &NONCE, INTERNAL), None, "octet {at}");
    }
    assert_eq!(mapped(&map_request(CLIENT, &NONCE, INTERNAL, 1, 1), &NONCE, INTERNAL), None, "a request");
    for length in 0..WITH_MAP {
        assert_eq!(mapped(&granted()[..length], &NONCE, INTERNAL), None, "{length} octets");
    }
    let long = [&granted()[..], &[0; LONGEST - WITH_MAP + 4]].concat();
    assert_eq!(mapped(&long, &NONCE, INTERNAL), None, "longer than a message may be");
}

#[test]
fn a_refusal_is_read_with_its_lifetime() {
    let mut refused = granted();
    refused[3] = 2;
    assert_eq!(mapped(&refused, &NONCE, INTERNAL), Some(Err(Refusal { result: 2, lifetime: 3600 })));
    let passed: Vec<u8> = (0..=13).filter(|result| passing(*result)).collect();
    assert_eq!(passed, [7, 8, 10, 11]);
}

/// Appendix A: what a NAT-PMP server says to PCP, and what another PCP says.
#[test]
fn another_version_is_told_apart() {
    let nat_pmp = [0, 0x81, 0, 1, 0, 0, 0, 9];
    assert_eq!(mapped(&nat_pmp, &NONCE, INTERNAL), Some(Err(Refusal { result: 1, lifetime: 0 })));
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&[2, 0x81, 0, 1]);
    assert_eq!(mapped(&header, &NONCE, INTERNAL), Some(Err(Refusal { result: 1, lifetime: 0 })));
}

#[test]
fn an_announcement_has_an_epoch_and_nothing_else() {
    let mut notice = [0; HEADER];
    notice[..2].copy_from_slice(&[2, 0x80]);
    notice[8..12].copy_from_slice(&258_u32.to_be_bytes());
    assert_eq!(announcement(&notice), Some(258));
    assert_eq!(announcement(&notice[..20]), None);
    assert_eq!(announcement(&granted()), None, "a mapping");
    for (at, value) in [(0, 0), (0, 1), (1, 0), (3, 1)] {
        let mut changed = notice;
        changed[at] = value;
        assert_eq!(announcement(&changed), None, "octet {at} is {value}");
    }
}

proptest! {
    /// Fault 72.
    #[test]
    fn no_datagram_is_too_strange(tail in prop::collection::vec(any::<u8>(), 0..80), version in 0_u8..3, code in 127_u8..131) {
        let datagram = [&[version, code][..], &tail].concat();
        let _ = mapped(&datagram, &NONCE, INTERNAL);
        prop_assert!(announcement(&datagram).is_none() || datagram.len() >= HEADER);
    }
}
