use proptest::prelude::*;

use super::*;

const ANSWER: [u8; 12] = [0, 128, 0, 0, 0, 0, 1, 2, 11, 22, 33, 44];
const MAPPED: [u8; 16] = [0, 129, 0, 0, 0, 0, 1, 2, 0xca, 0x6c, 0x12, 0x34, 0, 0, 0x0e, 0x10];
const INTERNAL: u16 = 51820;

#[test]
fn an_address_is_read_with_its_epoch() {
    assert_eq!(address(&ANSWER), Some(Ok((258, Some(Ipv4Addr::new(11, 22, 33, 44))))));
    let mut none = ANSWER;
    none[8..].fill(0);
    assert_eq!(address(&none), Some(Ok((258, None))), "0.0.0.0 is no address");
}

#[test]
fn a_mapping_is_asked_for_and_read() {
    assert_eq!(map_request(INTERNAL, 0x1234, 3600), [0, 1, 0, 0, 0xca, 0x6c, 0x12, 0x34, 0, 0, 0x0e, 0x10]);
    let expected = Mapped { external_port: 0x1234, lifetime: 3600, epoch: 258 };
    assert_eq!(mapped(&MAPPED, INTERNAL), Some(Ok(expected)));
    assert_eq!(mapped(&MAPPED, INTERNAL + 1), None, "the answer for another port");
}

#[test]
fn a_result_is_read_from_long_and_short_answers() {
    let mut refused = MAPPED;
    refused[3] = 2;
    assert_eq!(mapped(&refused, INTERNAL), Some(Err(2)));
    assert_eq!(mapped(&refused[..8], INTERNAL), Some(Err(2)));
    let mut failed = ANSWER;
    failed[3] = 3;
    assert_eq!(address(&failed), Some(Err(3)));
    assert!(passing(3) && passing(4) && !passing(1) && !passing(2) && !passing(5));
}

#[test]
fn requests_and_other_lengths_versions_and_operations_are_no_answers() {
    for length in (0..12).filter(|length| *length != 8) {
        assert_eq!(address(&ANSWER[..length]), None, "{length} octets");
    }
    assert_eq!(address(&ANSWER[..8]), None, "success without an address");
    assert_eq!(address(&MAPPED), None);
    assert_eq!(mapped(&ANSWER, INTERNAL), None);
    for (at, value) in [(0, 1), (0, 2), (1, 0), (1, 130)] {
        let mut changed = ANSWER;
        changed[at] = value;
        assert_eq!(address(&changed), None, "octet {at} is {value}");
    }
}

/// A router that has lost its external address announces that as well.
#[test]
fn an_announcement_of_a_failure_has_no_address() {
    assert_eq!(announcement(&ANSWER), Some((258, Some(Ipv4Addr::new(11, 22, 33, 44)))));
    let mut failed = ANSWER;
    failed[3] = 3;
    assert_eq!(announcement(&failed), Some((258, None)));
    assert_eq!(announcement(&MAPPED), None);
}

proptest! {
    /// Fault 72.
    #[test]
    fn no_datagram_is_too_strange(tail in prop::collection::vec(any::<u8>(), 0..20), code in prop::sample::select(vec![128_u8, 129])) {
        let datagram = [&[0, code][..], &tail].concat();
        let _ = (address(&datagram), mapped(&datagram, 1));
        prop_assert!(announcement(&datagram).is_none() || matches!(datagram.len(), 8 | 12));
    }
}
