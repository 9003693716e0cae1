//! Hosts under a dynamic IPv6 prefix: the part of their addresses that stays.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// The prefix that a suffix lies under unless another length is given (RFC 4291 §2.5.1).
const PREFIX: u8 = 64;

/// The last bits of an IPv6 address, under a prefix that changes.
///
/// Written as an address whose first bits are zero, with the length of the prefix unless that is 64 (`::5`,
/// `::2:0:0:0:5/56`), or as a MAC address, which gives the host's EUI-64 address (RFC 4291 Appendix A).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Suffix {
    prefix: u8,
    bits: u128,
}

/// Why a text is no suffix.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SuffixError {
    /// Neither form.
    #[error("neither an IPv6 suffix nor a MAC address")]
    Malformed,
    /// The length of the prefix.
    #[error("the prefix length {0:?} is not a number from 16 to 120")]
    Length(String),
    /// It reaches into the prefix.
    #[error("its first {0} bits, which the prefix takes, are not zero")]
    Overlaps(u8),
    /// RFC 4291 §2.6.1.
    #[error("it is all zero, which is the routers' anycast address (RFC 4291 §2.6.1)")]
    Zero,
}

impl Suffix {
    /// The host's address under the prefix of `address`. An IPv4 address has no such part and stays as it is.
    pub fn under(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(v6) => {
                let prefix = u128::from(v6) & !host_mask(self.prefix);
                IpAddr::V6(Ipv6Addr::from(prefix | self.bits))
            }
        }
    }
}

const fn host_mask(prefix: u8) -> u128 {
    u128::MAX >> prefix
}

impl FromStr for Suffix {
    type Err = SuffixError;

    fn from_str(text: &str) -> Result<Self, SuffixError> {
        if let Some(mac) = mac(text) {
            return Ok(Self { prefix: PREFIX, bits: u128::from(eui64(mac)) });
        }
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let bits: Ipv6Addr = address.parse().map_err(|_| SuffixError::Malformed)?;
        let bits = u128::from(bits);
        let prefix = length.map_or(Ok(PREFIX), |length| {
            let number = length.parse().ok().filter(|prefix| (16..=120).contains(prefix));
            number.ok_or_else(|| SuffixError::Length(length.to_owned()))
        })?;
        if bits & !host_mask(prefix) != 0 {
            return Err(SuffixError::Overlaps(prefix));
        }
        if bits == 0 {
            return Err(SuffixError::Zero);
        }
        Ok(Self { prefix, bits })
    }
}

impl fmt::Display for Suffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv6Addr::from(self.bits), self.prefix)
    }
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let separator = if text.contains('-') { '-' } else { ':' };
    let octets = text.split(separator).map(|octet| match octet.len() {
        2 if octet.chars().all(|c| c.is_ascii_hexdigit()) => u8::from_str_radix(octet, 16).ok(),
        _ => None,
    });
    octets.collect::<Option<Vec<u8>>>()?.try_into().ok()
}

/// The interface identifier that a host makes of its MAC address (RFC 4291 Appendix A).
const fn eui64(mac: [u8; 6]) -> u64 {
    let [a, b, c, d, e, f] = mac;
    u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(suffix: &str, address: &str, expected: &str) {
        let suffix: Suffix = suffix.parse().unwrap();
        assert_eq!(suffix.under(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap(), "{suffix}");
        assert_eq!(suffix.to_string().parse(), Ok(suffix));
    }

    #[test]
    fn a_suffix_takes_the_prefix_of_any_address_of_the_line() {
        check("::5", "2a00:1:2:3:aaaa:bbbb:cccc:dddd", "2a00:1:2:3::5");
        check("::1:2:3:4", "2a00:1:2:3::9", "2a00:1:2:3:1:2:3:4");
        check("::2:0:0:0:5/56", "2a00:1:2:3ff::9", "2a00:1:2:302::5");
        check("::ff:ffff/104", "2a00:1:2:3::900:1", "2a00:1:2:3::9ff:ffff");
    }

    /// The example of RFC 4291 Appendix A: 34-56-78-9A-BC-DE becomes 36-56-78-FF-FE-9A-BC-DE.
    #[test]
    fn a_mac_address_is_a_suffix_by_eui_64() {
        check("34-56-78-9A-BC-DE", "2a00:1:2:3::9", "2a00:1:2:3:3656:78ff:fe9a:bcde");
        check("36:56:78:9a:bc:de", "2a00:1:2:3::9", "2a00:1:2:3:3456:78ff:fe9a:bcde");
    }

    #[test]
    fn what_is_no_suffix_is_refused_with_the_reason() {
        for (text, error) in [
            ("", SuffixError::Malformed),
            ("5", SuffixError::Malformed),
            ("34:56:78:9a:bc", SuffixError::Malformed),
            ("34:56:78:9a:bc:g0", SuffixError::Malformed),
            ("11.0.0.1", SuffixError::Malformed),
            ("::5/", SuffixError::Length(String::new())),
            ("::5/8", SuffixError::Length("8".into())),
            ("::5/121", SuffixError::Length("121".into())),
            ("::1:0:0:0:5", SuffixError::Overlaps(64)),
            ("2a00::5", SuffixError::Overlaps(64)),
            ("::", SuffixError::Zero),
        ] {
            assert_eq!(text.parse::<Suffix>(), Err(error), "{text}");
        }
    }
}
