use proptest::prelude::*;

use super::*;

/// RFC 5769 §2.2: the sample response, with SOFTWARE, MESSAGE-INTEGRITY and FINGERPRINT.
const SAMPLE: [u8; 80] = [
    0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf,
    0xae, 0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20,
    0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd,
    0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04,
    0xc0, 0x7d, 0x4c, 0x96,
];
const SAMPLE_TRANSACTION: Transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
const TRANSACTION: Transaction = *b"transaction.";
const V4: [u8; 8] = [0, 1, 0x30, 0x39, 11, 22, 33, 44];

/// A response of this kind with these attributes.
fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = request(&TRANSACTION).to_vec();
    message[..2].copy_from_slice(&kind.to_be_bytes());
    for (kind, value) in attributes {
        message.extend(kind.to_be_bytes());
        message.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        message.extend(*value);
        message.resize(message.len().next_multiple_of(4), 0);
    }
    let length = u16::try_from(message.len() - HEADER).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
    message
}

/// The value of XOR-MAPPED-ADDRESS for an address.
fn xored(address: SocketAddr) -> Vec<u8> {
    let hidden = unxored(address, &TRANSACTION);
    let mut value = vec![0, if address.is_ipv4() { 1 } else { 2 }];
    value.extend(hidden.port().to_be_bytes());
    match hidden.ip() {
        IpAddr::V4(ip) => value.extend(ip.octets()),
        IpAddr::V6(ip) => value.extend(ip.octets()),
    }
    value
}

fn read(kind: u16, attributes: &[(u16, &[u8])]) -> Result<SocketAddr, MessageError> {
    response(&message(kind, attributes), &TRANSACTION)
}

fn is_garbage(outcome: Result<SocketAddr, MessageError>) -> bool {
    matches!(outcome, Err(MessageError::Garbage(_)))
}

#[test]
fn the_samples_of_rfc_5769_are_read() {
    assert_eq!(response(&SAMPLE, &SAMPLE_TRANSACTION), Ok("192.0.2.1:32853".parse().unwrap()));
    // §2.3
    let hidden: [u8; 20] = [
        0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2,
        0xb9, 0xd9,
    ];
    let expected: SocketAddr = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
    assert_eq!(unxored(address(&hidden).unwrap(), &SAMPLE_TRANSACTION), expected);
}

#[test]
fn a_request_is_a_bare_header() {
    let sent = request(&TRANSACTION);
    assert_eq!(sent[..8], [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
    assert_eq!(sent[8..], TRANSACTION);
}

#[test]
fn the_xored_address_goes_before_the_plain_one_and_the_first_before_the_second() {
    let right = xored("11.0.0.1:5".parse().unwrap());
    let wrong = xored("11.0.0.2:5".parse().unwrap());
    let outcome = read(
        SUCCESS,
        &[(MAPPED_ADDRESS, &V4), (XOR_MAPPED_ADDRESS, &right), (XOR_MAPPED_ADDRESS, &wrong), (0x8022, b"odd")],
    );
    assert_eq!(outcome, Ok("11.0.0.1:5".parse().unwrap()));
    assert_eq!(read(SUCCESS, &[(MAPPED_ADDRESS, &V4)]), Ok("11.22.33.44:12345".parse().unwrap()));
}

/// Whoever can't see the request can't answer it: such datagrams don't end the wait for the server's.
#[test]
fn what_answers_another_request_is_foreign() {
    let good = message(SUCCESS, &[(MAPPED_ADDRESS, &V4)]);
    for at in [4, 7, 8, 19] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        assert_eq!(response(&changed, &TRANSACTION), Err(MessageError::Foreign), "octet {at}");
    }
    for kind in [REQUEST, 0x0011, 0x0102, 0xc101] {
        assert_eq!(read(kind, &[(MAPPED_ADDRESS, &V4)]), Err(MessageError::Foreign), "{kind:#x}");
    }
    for length in 0..HEADER {
        assert_eq!(response(&good[..length], &TRANSACTION), Err(MessageError::Foreign), "{length} octets");
    }
}

#[test]
fn what_breaks_the_rules_is_garbage() {
    let good = message(SUCCESS, &[(MAPPED_ADDRESS, &V4)]);
    for length in HEADER..good.len() {
        assert!(is_garbage(response(&good[..length], &TRANSACTION)), "{length} octets");
    }
    let mut longer = good;
    longer.push(0);
    assert!(is_garbage(response(&longer, &TRANSACTION)));
    let mut empty = message(SUCCESS, &[(MAPPED_ADDRESS, &V4)]);
    empty[3] = 0;
    assert!(is_garbage(response(&empty, &TRANSACTION)), "more octets than it says");
    assert!(is_garbage(read(SUCCESS, &[])));
    for value in
        [&[0, 1][..], &V4[..7], &[0, 2, 0, 1, 1, 2, 3, 4], &[0, 3, 0, 1, 1, 2, 3, 4], &[0, 1, 0, 1, 1, 2, 3, 4, 5]]
    {
        assert!(is_garbage(read(SUCCESS, &[(XOR_MAPPED_ADDRESS, value)])), "{value:?}");
    }
    // §6.3.3: an attribute that must be understood.
    assert!(is_garbage(read(SUCCESS, &[(MAPPED_ADDRESS, &V4), (0x7000, b"")])));
    // The last attribute reaches beyond the end.
    let mut beyond = message(SUCCESS, &[(MAPPED_ADDRESS, &V4), (0x8022, b"abcd")]);
    let at = beyond.len() - 5;
    beyond[at] = 5;
    assert!(is_garbage(response(&beyond, &TRANSACTION)));
}

/// §14.7
#[test]
fn a_fingerprint_must_be_right_and_last() {
    let mut wrong = SAMPLE;
    wrong[79] ^= 1;
    assert!(is_garbage(response(&wrong, &SAMPLE_TRANSACTION)));
    let mut changed = SAMPLE;
    changed[47] ^= 1;
    assert!(is_garbage(response(&changed, &SAMPLE_TRANSACTION)), "the fingerprint covers the address");
    let mut early = message(SUCCESS, &[(MAPPED_ADDRESS, &V4), (FINGERPRINT, &[0; 4]), (0x8022, b"")]);
    let at = early.len() - 12;
    let sum = crc32fast::hash(&early[..at]) ^ FINGERPRINT_MASK;
    early[at + 4..at + 8].copy_from_slice(&sum.to_be_bytes());
    assert!(is_garbage(response(&early, &TRANSACTION)), "something follows it");
}

#[test]
fn an_error_is_a_refusal_with_its_code() {
    assert_eq!(read(ERROR, &[(ERROR_CODE, &[0, 0, 4, 1, b'?'])]), Err(MessageError::Refused(401)));
    assert_eq!(read(ERROR, &[(ERROR_CODE, &[0, 0, 3, 0]), (MAPPED_ADDRESS, &V4)]), Err(MessageError::Refused(300)));
    for value in [&[0, 0, 4][..], &[0, 0, 7, 1], &[0, 0, 2, 1], &[0, 0, 4, 100]] {
        assert!(is_garbage(read(ERROR, &[(ERROR_CODE, value)])), "{value:?}");
    }
    assert!(is_garbage(read(ERROR, &[(MAPPED_ADDRESS, &V4)])));
}

proptest! {
    #[test]
    fn every_address_is_read_back(address: SocketAddr) {
        let address = SocketAddr::new(address.ip(), address.port());
        prop_assert_eq!(read(SUCCESS, &[(XOR_MAPPED_ADDRESS, &xored(address))]), Ok(address));
    }

    /// Fault 72.
    #[test]
    fn no_attributes_are_too_strange(kind in prop::sample::select(vec![SUCCESS, ERROR]), tail: Vec<u8>) {
        let mut octets = request(&TRANSACTION).to_vec();
        octets[..2].copy_from_slice(&kind.to_be_bytes());
        octets[2..4].copy_from_slice(&u16::try_from(tail.len()).unwrap().to_be_bytes());
        octets.extend(tail);
        prop_assert_ne!(response(&octets, &TRANSACTION), Err(MessageError::Foreign));
    }
}
