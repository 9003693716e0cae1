use std::net::{IpAddr, SocketAddr};

use ddns_core::address::Family;

// RFC 792, RFC 4443 §4
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
const HEADER: usize = 8;
/// The first header length of IPv4, in octets.
const IPV4_HEADER: usize = 20;

/// The echo requests to one router, and what their answers have to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Echo {
    /// The router; the port is 0.
    pub(super) router: SocketAddr,
    /// The identifier, which tells the answers of one socket from those of another.
    pub(super) id: u16,
    /// What nobody knows who has not seen a request.
    pub(super) nonce: [u8; 16],
}

impl Echo {
    fn family(&self) -> Family {
        Family::of(&self.router.ip())
    }

    /// A request. The kernel writes the checksum of ICMPv6 itself.
    pub(super) fn request(&self, sequence: u16) -> Vec<u8> {
        let kind = match self.family() {
            Family::V4 => ECHO_REQUEST,
            Family::V6 => ECHO_REQUEST_V6,
        };
        let mut request = vec![kind, 0, 0, 0];
        request.extend(self.id.to_be_bytes());
        request.extend(sequence.to_be_bytes());
        request.extend(self.nonce);
        let checksum = checksum(&request).to_be_bytes();
        request.splice(2..4, checksum);
        request
    }

    /// Whether this is the router's answer to one of the first `sent` requests. Anybody in the network can send one, and a
    /// raw socket hears the answers to everybody: sender, identifier, sequence and nonce have to be right.
    pub(super) fn is_answered(&self, message: &[u8], from: SocketAddr, sent: u16) -> bool {
        let kind = match self.family() {
            Family::V4 => ECHO_REPLY,
            Family::V6 => ECHO_REPLY_V6,
        };
        let Some((header, payload)) = message.split_at_checked(HEADER) else { return false };
        let [told, code, _, _, i, d, s, q] = *header else { return false };
        let sequence = u16::from_be_bytes([s, q]);
        (told, code, u16::from_be_bytes([i, d])) == (kind, 0, self.id)
            && (1..=sent).contains(&sequence)
            && payload == self.nonce
            && same_host(self.router, from)
    }
}

/// A link-local address is one host per interface.
fn same_host(router: SocketAddr, from: SocketAddr) -> bool {
    let scope = |address: SocketAddr| match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    };
    router.ip() == from.ip() && (scope(router) == 0 || scope(router) == scope(from))
}

/// The message in a packet of a raw socket, which has its header before it only with IPv4.
pub(super) fn beneath_ip(packet: &[u8], from: IpAddr) -> &[u8] {
    if from.is_ipv6() {
        return packet;
    }
    let words = packet.first().map_or(0, |first| usize::from(first & 0x0f));
    packet.get((words * 4).max(IPV4_HEADER)..).unwrap_or_default()
}

/// RFC 1071, over an even number of octets.
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks_exact(2).map(|pair| pair.iter().fold(0, |word, octet| word << 8 | u32::from(*octet)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    // A second carry comes from the first at most.
    !(((folded & 0xffff) + (folded >> 16)) as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn echo(router: &str) -> Echo {
        Echo { router: router.parse().unwrap(), id: 0x1234, nonce: *b"sixteen octets.." }
    }

    /// As a router answers: the request with another type.
    fn answer(echo: &Echo, sequence: u16) -> Vec<u8> {
        let mut answer = echo.request(sequence);
        answer[0] = if echo.router.is_ipv4() { 0 } else { 129 };
        answer
    }

    #[test]
    fn a_request_is_what_the_rfc_says() {
        let request = echo("192.0.2.1:0").request(2);
        assert_eq!((request[0], &request[4..8]), (8, &[0x12, 0x34, 0, 2][..]));
        assert_eq!(checksum(&request), 0, "with its checksum in place the sum is all ones");
        assert_eq!(echo("[2001:db8::1]:0").request(1)[0], 128);
    }

    #[test]
    fn an_answer_that_is_wrong_in_anything_is_none() {
        for router in ["192.0.2.1:0", "[2001:db8::1]:0", "[fe80::1%3]:0"] {
            let echo = echo(router);
            let good = answer(&echo, 2);
            assert!(echo.is_answered(&good, echo.router, 2), "{router}");
            assert!(!echo.is_answered(&good, echo.router, 1), "what was not sent yet has no answer");
            assert!(!echo.is_answered(&answer(&echo, 0), echo.router, 2));
            assert!(!echo.is_answered(&echo.request(2), echo.router, 2), "our own request comes back by a loop");
            for at in [0, 1, 4, 5, 6, 8, 23] {
                let mut forged = good.clone();
                forged[at] ^= 0x40;
                assert!(!echo.is_answered(&forged, echo.router, 2), "{router}: octet {at}");
            }
            for length in 0..good.len() {
                assert!(!echo.is_answered(&good[..length], echo.router, 2), "{router}: {length} octets");
            }
            for other in ["192.0.2.2:0", "[2001:db8::2]:0", "[fe80::1%4]:0"] {
                assert!(!echo.is_answered(&good, other.parse().unwrap(), 2), "{router}: from {other}");
            }
        }
    }

    #[test]
    fn the_header_before_a_raw_answer_has_any_length() {
        let [v4, v6] = ["192.0.2.1", "2001:db8::1"].map(|address| address.parse().unwrap());
        let plain = [&[0x45][..], &[0; 19], b"message"].concat();
        let long = [&[0x46][..], &[0; 23], b"message"].concat();
        assert_eq!((beneath_ip(&plain, v4), beneath_ip(&long, v4)), (&b"message"[..], &b"message"[..]));
        assert_eq!(beneath_ip(b"message", v6), b"message");
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_panicking(octets in proptest::collection::vec(any::<u8>(), 0..64)) {
            let echo = echo("192.0.2.1:0");
            prop_assert!(!echo.is_answered(beneath_ip(&octets, echo.router.ip()), echo.router, 3));
        }
    }
}
