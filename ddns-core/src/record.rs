//! Records: owner names (RFC 1035 §2.3.4, RFC 2181 §11) and types.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::address::Family;

/// An owner name: lower case, without the trailing dot, at least two labels.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordName(String);

/// Why a text is no owner name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("the name is empty")]
    Empty,
    /// RFC 1035 §2.3.4.
    #[error("the name is longer than 253 characters")]
    TooLong,
    /// Two dots in a row, or one at the start.
    #[error("a label is empty: two dots in a row, or one at the start")]
    EmptyLabel,
    /// RFC 1035 §2.3.4.
    #[error("the label {0:?} is longer than 63 characters")]
    LabelTooLong(String),
    /// RFC 1035 §2.3.1.
    #[error("the label {0:?} begins or ends with a hyphen")]
    Hyphen(String),
    /// Neither a letter, a digit, a hyphen nor an underscore.
    #[error("the label {label:?} holds {character:?}; allowed are letters, digits, '-' and '_'")]
    Character {
        /// The label.
        label: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// Letters outside ASCII.
    #[error("the label {0:?} is not ASCII; write an internationalised name as its A-label (xn--...)")]
    NotAscii(String),
    /// RFC 4592: only as the whole leftmost label.
    #[error("'*' is allowed only as the whole leftmost label (RFC 4592)")]
    Wildcard,
    /// A single label has no zone to lie in.
    #[error("the name has one label only; write it in full, such as vpn.example.com")]
    SingleLabel,
    /// An address is not a name.
    #[error("this is an IP address, not a name")]
    IsAddress,
}

impl RecordName {
    /// The name without its trailing dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names of all zones that could hold this name, longest first: the name itself, then its parents down to two
    /// labels' parent, never a guess from the number of labels (a zone may be `co.uk`'s child or lie deep).
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        let full = self.0.strip_prefix("*.").unwrap_or(&self.0);
        std::iter::successors(Some(full), |name| name.split_once('.').map(|(_, parent)| parent))
            .filter(|name| name.contains('.'))
    }

    /// Whether the name is `zone` or lies beneath it.
    pub fn is_within(&self, zone: &str) -> bool {
        self.0 == zone || self.0.strip_suffix(zone).is_some_and(|prefix| prefix.ends_with('.'))
    }
}

impl FromStr for RecordName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.parse::<IpAddr>().is_ok() {
            return Err(NameError::IsAddress);
        }
        for (position, label) in name.split('.').enumerate() {
            check_label(label, position == 0)?;
        }
        if name.len() > 253 {
            return Err(NameError::TooLong);
        }
        let without_wildcard = name.strip_prefix("*.").unwrap_or(name);
        if !without_wildcard.contains('.') {
            return Err(NameError::SingleLabel);
        }
        Ok(Self(name.to_ascii_lowercase()))
    }
}

fn check_label(label: &str, leftmost: bool) -> Result<(), NameError> {
    if label.is_empty() {
        return Err(NameError::EmptyLabel);
    }
    if leftmost && label == "*" {
        return Ok(());
    }
    if label.contains('*') {
        return Err(NameError::Wildcard);
    }
    if !label.is_ascii() {
        return Err(NameError::NotAscii(label.to_owned()));
    }
    if label.len() > 63 {
        return Err(NameError::LabelTooLong(label.to_owned()));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(NameError::Hyphen(label.to_owned()));
    }
    match label.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_')) {
        Some(character) => Err(NameError::Character { label: label.to_owned(), character }),
        None => Ok(()),
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The type of an address record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum RecordType {
    /// An IPv4 address (RFC 1035).
    A,
    /// An IPv6 address (RFC 3596).
    #[serde(rename = "AAAA")]
    Aaaa,
}

impl RecordType {
    /// The family whose addresses it holds.
    pub const fn family(self) -> Family {
        match self {
            Self::A => Family::V4,
            Self::Aaaa => Family::V6,
        }
    }

    /// As written in zone files and APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a record is known by: A and AAAA of one name are two records.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordKey {
    /// The owner name.
    pub name: RecordName,
    /// The type.
    pub rtype: RecordType,
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.rtype)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, NameError>) {
        assert_eq!(text.parse::<RecordName>(), expected.map(|name| RecordName(name.to_owned())), "{text}");
    }

    #[test]
    fn owner_names_follow_rfc_1035_with_wildcards_and_underscores() {
        check("vpn.example.com", Ok("vpn.example.com"));
        check("VPN.Example.COM.", Ok("vpn.example.com"));
        check("*.vpn.example.com", Ok("*.vpn.example.com"));
        check("_wg._udp.example.com", Ok("_wg._udp.example.com"));
        check("xn--bcher-kva.example", Ok("xn--bcher-kva.example"));
        check("1.2.example.com", Ok("1.2.example.com"));
    }

    /// FAULTS 70.
    #[test]
    fn what_is_no_owner_name_is_refused_with_its_reason() {
        check("", Err(NameError::Empty));
        check(".", Err(NameError::Empty));
        check("example", Err(NameError::SingleLabel));
        check("*.example", Err(NameError::SingleLabel));
        check("a..example.com", Err(NameError::EmptyLabel));
        check(".example.com", Err(NameError::EmptyLabel));
        check("-a.example.com", Err(NameError::Hyphen("-a".into())));
        check("a-.example.com", Err(NameError::Hyphen("a-".into())));
        check("a.*.example.com", Err(NameError::Wildcard));
        check("a*.example.com", Err(NameError::Wildcard));
        check("bücher.example", Err(NameError::NotAscii("bücher".into())));
        check("a b.example", Err(NameError::Character { label: "a b".into(), character: ' ' }));
        check("11.22.33.44", Err(NameError::IsAddress));
        check("2a00::1", Err(NameError::IsAddress));
        let long_label = "a".repeat(64);
        check(&format!("{long_label}.example"), Err(NameError::LabelTooLong(long_label)));
        let long = format!("{}example", "abcdefg.".repeat(31));
        assert_eq!(long.len(), 255);
        check(&long, Err(NameError::TooLong));
    }

    /// Trap 26: the zone is never guessed from the number of labels.
    #[test]
    fn every_parent_may_be_the_zone_longest_first() {
        let name: RecordName = "*.vpn.foo.co.uk".parse().unwrap();
        assert_eq!(name.ancestors().collect::<Vec<_>>(), ["vpn.foo.co.uk", "foo.co.uk", "co.uk"]);
        assert!(name.is_within("co.uk") && name.is_within("foo.co.uk"));
        assert!(!name.is_within("oo.co.uk") && !name.is_within("vpn.foo.co.u"));
    }
}
