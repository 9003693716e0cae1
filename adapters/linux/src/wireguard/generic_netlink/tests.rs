use ddns_core::time::Wall;
use proptest::prelude::*;

use super::*;
use crate::rtnetlink::messages;

const WGDEVICE_A_PRIVATE_KEY: u16 = 3;
const WGPEER_A_ALLOWEDIPS: u16 = 9;
const NESTED: u16 = 0x8000;

fn nested(kind: u16, attributes: &[(u16, Vec<u8>)]) -> (u16, Vec<u8>) {
    let mut octets = Vec::new();
    attributes.iter().for_each(|(kind, value)| push_attribute(&mut octets, *kind, value));
    (kind | NESTED, octets)
}

fn peer(number: u8, handshake: Option<(i64, i64)>) -> (u16, Vec<u8>) {
    // The numbers of include/uapi/linux/wireguard.h, said a second time.
    let mut attributes = vec![(1, vec![number; 32])];
    if let Some((seconds, nanos)) = handshake {
        let time = [seconds.to_ne_bytes(), nanos.to_ne_bytes()].concat();
        attributes.push((6, time));
    }
    attributes.push(nested(WGPEER_A_ALLOWEDIPS, &[]));
    nested(0, &attributes)
}

fn device(peers: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut payload = vec![WG_CMD_GET_DEVICE, 1, 0, 0];
    push_attribute(&mut payload, WGDEVICE_A_IFNAME, b"wg0\0");
    push_attribute(&mut payload, WGDEVICE_A_PRIVATE_KEY, &[0xca; 32]);
    let (kind, octets) = nested(8, peers);
    push_attribute(&mut payload, kind, &octets);
    payload
}

fn shown(payloads: &[Vec<u8>]) -> Result<Vec<(u8, Option<Wall>)>, Malformed> {
    let mut peers = Vec::new();
    payloads.iter().try_for_each(|payload| read_device(payload, &mut peers))?;
    assert!(!format!("{peers:?}").contains("ca"), "the private key is kept nowhere");
    Ok(peers.iter().map(|peer| (peer.key.0[0], peer.handshake)).collect())
}

#[test]
fn peers_come_with_their_handshakes() {
    let one = device(&[peer(1, Some((1_700_000_000, 123_456_789))), peer(2, Some((0, 0))), peer(3, None)]);
    let at = Some(Wall::from_millis(1_700_000_000_123));
    assert_eq!(shown(&[one]), Ok(vec![(1, at), (2, None), (3, None)]));
}

#[test]
fn a_peer_that_goes_on_in_the_next_message_is_one_peer() {
    let (first, second) = (device(&[peer(1, Some((5, 0)))]), device(&[peer(1, None), peer(2, None)]));
    assert_eq!(shown(&[first, second]), Ok(vec![(1, Some(Wall::from_millis(5000))), (2, None)]));
}

#[test]
fn what_no_kernel_sends_is_refused() {
    let keyless = nested(0, &[(WGPEER_A_LAST_HANDSHAKE_TIME, vec![0; 16])]);
    let short_key = nested(0, &[(WGPEER_A_PUBLIC_KEY, vec![1; 31])]);
    let short_time = nested(0, &[(WGPEER_A_PUBLIC_KEY, vec![1; 32]), (WGPEER_A_LAST_HANDSHAKE_TIME, vec![0; 8])]);
    for broken in [keyless, short_key, short_time, peer(1, Some((-1, 0)))] {
        assert_eq!(shown(&[device(&[broken])]), Err(Malformed));
    }
    let whole = device(&[peer(1, Some((5, 0)))]);
    assert_eq!(shown(&[whole[..whole.len() - 1].to_vec()]), Err(Malformed));
    assert_eq!(shown(&[vec![0; 3]]), Err(Malformed));
}

#[test]
fn requests_are_what_the_kernel_expects() {
    let datagram = get_device(0x1c, "wg0", 7);
    let message = messages(&datagram).next().expect("one").expect("whole");
    assert_eq!((message.kind, message.flags, message.sequence), (0x1c, 0x301, 7));
    assert_eq!(message.payload, [&[0, 1, 0, 0, 8, 0, 2, 0][..], b"wg0\0"].concat());
    let datagram = get_family(7);
    let message = messages(&datagram).next().expect("one").expect("whole");
    assert_eq!((message.kind, message.flags), (GENL_ID_CTRL, 0x5));
    assert_eq!(message.payload, [&[3, 1, 0, 0, 14, 0, 2, 0][..], b"wireguard\0\0\0"].concat());
}

#[test]
fn a_kernel_is_asked_and_says_what_it_has() {
    let asked = ask("ddnsabsent0");
    let known = matches!(asked, Err(AskError::NoFamily | AskError::Refused(Errno::NODEV | Errno::PERM)));
    assert!(known, "{asked:?}");
}

proptest! {
    #[test]
    fn any_octets_are_peers_or_malformed(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read_device(&octets, &mut Vec::new());
        let _ = family_id(&octets);
    }
}
