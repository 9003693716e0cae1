use proptest::prelude::*;

use super::*;

#[test]
fn both_protocols_are_read() {
    let external = Some(Ipv4Addr::new(11, 22, 33, 44));
    let nat_pmp = [0, 128, 0, 0, 0, 0, 0, 7, 11, 22, 33, 44];
    assert_eq!(parse(&nat_pmp), Some(Notice { epoch: 7, external, protocol: Protocol::NatPmp }));
    let mut pcp = [0; 24];
    pcp[..2].copy_from_slice(&[2, 0x80]);
    pcp[11] = 7;
    assert_eq!(parse(&pcp), Some(Notice { epoch: 7, external: None, protocol: Protocol::Pcp }));
}

proptest! {
    /// Fault 72.
    #[test]
    fn whatever_is_read_is_as_long_as_its_protocol_says(head in prop::sample::select(vec![[0, 128], [2, 128], [1, 128]]), tail: Vec<u8>) {
        let datagram = [&head[..], &tail].concat();
        if let Some(notice) = parse(&datagram) {
            match notice.protocol {
                Protocol::NatPmp => prop_assert!(matches!(datagram.len(), 8 | 12)),
                Protocol::Pcp => prop_assert!(notice.external.is_none() && datagram.len() >= 24),
            }
        }
    }
}
