//! Domain names in presentation form (RFC 1035 §5.1, RFC 4343) and the names of zones.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Octets of a name in wire form, the root label included (RFC 1035 §2.3.4).
pub const LONGEST_NAME: usize = 255;
/// Octets of a label (RFC 1035 §2.3.4).
pub const LONGEST_LABEL: usize = 63;

/// A domain name in full, in lower case. Its order is the canonical one (RFC 4034 §6.1): a zone's apex comes first.
///
/// A label may hold any octet (RFC 2181 §11); what is no printable ASCII is written as `\DDD`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// Each label after its length; without the root's empty label.
    wire: Box<[u8]>,
}

/// Why a text is no name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("the name is empty; write '@' for the zone itself")]
    Empty,
    /// Two dots in a row, or one at the start.
    #[error("a label is empty: take out the dot that stands first or next to another")]
    EmptyLabel,
    /// RFC 1035 §2.3.4.
    #[error("the label {0:?} is longer than 63 octets; shorten it")]
    LabelTooLong(String),
    /// RFC 1035 §2.3.4.
    #[error("the name is longer than 255 octets; shorten it")]
    TooLong,
    /// Letters outside ASCII.
    #[error("{0:?} is not ASCII; write an internationalised label as its A-label (xn--...)")]
    NotAscii(char),
    /// It has a meaning of its own in zone files.
    #[error("{0:?} stands there unescaped; if it belongs to the name write \\{code:03}", code = u32::from(*.0))]
    Character(char),
    /// RFC 1035 §5.1: `\DDD` or `\X`.
    #[error("a backslash wants three digits up to 255, or one character that is no digit")]
    Escape,
    /// As in `www.example.com` within `example.com`, which would become `www.example.com.example.com`.
    #[error("the name ends in the zone's own name; write it relative to the zone, or end it in a dot: \"{0}.\"")]
    ZoneTwice(String),
    /// Several labels without a dot at the end: nobody can tell whether the zone belongs behind them.
    #[error("it is not clear whether the zone's name belongs behind it; if not, end it in a dot: \"{0}.\"")]
    Ambiguous(String),
    /// The root is no zone of ours.
    #[error("the root is no zone that could be kept here; write a name such as example.com")]
    Root,
    /// RFC 4592: a wildcard is an owner within a zone.
    #[error("a zone's name cannot begin with '*'; a wildcard is a record within a zone")]
    WildcardZone,
}

impl Name {
    /// Reads a name as zone files have it: `@` is the origin, a name without a dot at its end is relative to it.
    pub fn relative(text: &str, origin: &Self) -> Result<Self, NameError> {
        if text == "@" {
            return Ok(origin.clone());
        }
        let (wire, absolute) = read(text)?;
        if absolute { Self::within_limits(wire) } else { Self::within_limits([&wire[..], &origin.wire].concat()) }
    }

    /// Reads the owner name of a resource: relative to the zone, or in full with a dot at its end. A relative name that
    /// ends in the zone's own name is refused: it is nearly always meant in full.
    pub fn owner(text: &str, zone: &Zone) -> Result<Self, NameError> {
        if text == "@" {
            return Ok(zone.name().clone());
        }
        let (wire, absolute) = read(text)?;
        if !absolute && (Self { wire: wire.into() }).is_within(zone.name()) {
            return Err(NameError::ZoneTwice(text.to_owned()));
        }
        Self::relative(text, zone.name())
    }

    /// Reads a name that a resource points at: `@`, one label within the zone, or a name in full with a dot at its end.
    pub fn target(text: &str, zone: &Zone) -> Result<Self, NameError> {
        let name = Self::owner(text, zone)?;
        if text == "@" {
            return Ok(name);
        }
        let (wire, absolute) = read(text)?;
        let several = wire.first().is_some_and(|&length| usize::from(length) + 1 < wire.len());
        if !absolute && several { Err(NameError::Ambiguous(text.to_owned())) } else { Ok(name) }
    }

    fn within_limits(wire: Vec<u8>) -> Result<Self, NameError> {
        if wire.len() >= LONGEST_NAME { Err(NameError::TooLong) } else { Ok(Self { wire: wire.into() }) }
    }

    /// A name of a label of any octets before `parent`.
    pub(super) fn below(label: &[u8], parent: &Self) -> Result<Self, NameError> {
        let mut wire = Vec::new();
        push_label(&mut wire, label)?;
        Self::within_limits([&wire[..], &parent.wire].concat())
    }

    /// Its labels, leftmost first; the root has none.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.wire[..];
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (label, after) = after.split_at_checked(usize::from(length))?;
            rest = after;
            Some(label)
        })
    }

    /// The name without its leftmost label; the root has none above it.
    pub fn parent(&self) -> Option<Self> {
        let length = usize::from(*self.wire.first()?);
        Some(Self { wire: self.wire.get(length + 1..)?.into() })
    }

    /// Whether it is `other` or lies beneath it.
    pub fn is_within(&self, other: &Self) -> bool {
        let mut rest = Some(self.clone());
        // A label may hold octets that look like lengths, so the ends are compared at the borders of labels.
        while let Some(name) = rest.filter(|name| name.wire.len() >= other.wire.len()) {
            if name.wire == other.wire {
                return true;
            }
            rest = name.parent();
        }
        false
    }

    /// Whether it is the root, which null MX and SRV records point at (RFC 7505, RFC 2782).
    pub fn is_root(&self) -> bool {
        self.wire.is_empty()
    }

    /// Whether its leftmost label is `*` (RFC 4592).
    pub fn is_wildcard(&self) -> bool {
        self.labels().next() == Some(b"*")
    }

    /// Whether a label holds `*` otherwise than as the whole leftmost one, where it means nothing (RFC 4592 §2.1.1).
    pub fn has_stray_asterisk(&self) -> bool {
        self.labels().enumerate().any(|(at, label)| label.contains(&b'*') && !(at == 0 && label == b"*"))
    }

    /// Whether all labels are of letters, digits and inner hyphens (RFC 952, RFC 1123 §2.1), as a name server wants of
    /// hosts. The root passes.
    pub fn is_host(&self) -> bool {
        self.labels().all(is_host_label)
    }

    /// As [`Self::is_host`]; the leftmost label may be a wildcard.
    pub fn is_host_or_wildcard(&self) -> bool {
        self.labels().enumerate().all(|(at, label)| (at == 0 && label == b"*") || is_host_label(label))
    }

    fn label_offsets(&self) -> ([u8; LONGEST_NAME], usize) {
        let (mut offsets, mut count, mut at) = ([0; LONGEST_NAME], 0, 0_u8);
        for label in self.labels() {
            offsets[count] = at;
            count += 1;
            at = at.saturating_add(u8::try_from(label.len() + 1).unwrap_or(u8::MAX));
        }
        (offsets, count)
    }

    fn label_at(&self, offset: u8) -> &[u8] {
        let start = usize::from(offset);
        let length = self.wire.get(start).map_or(0, |&length| usize::from(length));
        self.wire.get(start + 1..start + 1 + length).unwrap_or_default()
    }
}

fn is_host_label(label: &[u8]) -> bool {
    let inner = |octet: &u8| octet.is_ascii_alphanumeric() || *octet == b'-';
    let border = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_alphanumeric);
    label.iter().all(inner) && border(label.first()) && border(label.last())
}

/// The labels in wire form, and whether a dot ends them.
fn read(text: &str) -> Result<(Vec<u8>, bool), NameError> {
    match text {
        "" => return Err(NameError::Empty),
        "." => return Ok((Vec::new(), true)),
        _ => {}
    }
    let (mut wire, mut label, mut ended) = (Vec::new(), Vec::new(), false);
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        ended = character == '.';
        match character {
            '.' => {
                push_label(&mut wire, &label)?;
                label.clear();
                rest = &rest[1..];
            }
            '\\' => {
                let (octet, after) = escaped(&rest[1..]).ok_or(NameError::Escape)?;
                label.push(octet.to_ascii_lowercase());
                rest = after;
            }
            '"' | ';' | '(' | ')' | '@' => return Err(NameError::Character(character)),
            _ if !character.is_ascii() => return Err(NameError::NotAscii(character)),
            _ if !character.is_ascii_graphic() => return Err(NameError::Character(character)),
            _ => {
                label.push(character.to_ascii_lowercase() as u8);
                rest = &rest[1..];
            }
        }
        if wire.len() + label.len() > 4 * LONGEST_NAME {
            return Err(NameError::TooLong);
        }
    }
    if !ended {
        push_label(&mut wire, &label)?;
    }
    Ok((wire, ended))
}

/// The octet behind a backslash and what follows it; none if it is neither three digits up to 255 nor an ASCII character.
pub(super) fn escaped(rest: &str) -> Option<(u8, &str)> {
    let first = *rest.as_bytes().first()?;
    if first.is_ascii_digit() {
        let digits = rest.get(..3).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
        return Some((digits.parse().ok()?, &rest[3..]));
    }
    first.is_ascii().then(|| (first, &rest[1..]))
}

fn push_label(wire: &mut Vec<u8>, label: &[u8]) -> Result<(), NameError> {
    let length = u8::try_from(label.len()).ok().filter(|&length| usize::from(length) <= LONGEST_LABEL);
    match length {
        Some(0) => Err(NameError::EmptyLabel),
        Some(length) => {
            wire.push(length);
            wire.extend(label.iter().map(u8::to_ascii_lowercase));
            Ok(())
        }
        None => Err(NameError::LabelTooLong(label.escape_ascii().to_string())),
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// Reads a name in full; a dot at its end may be there or not.
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::within_limits(read(text)?.0)
    }
}

/// In full, with a dot at the end.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => write!(f, "\\{}", char::from(octet))?,
                    0x21..=0x7e => write!(f, "{}", char::from(octet))?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        if self.is_root() { f.write_str(".") } else { Ok(()) }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let ((own, own_count), (their, their_count)) = (self.label_offsets(), other.label_offsets());
        let own = own[..own_count].iter().rev().map(|&offset| self.label_at(offset));
        own.cmp(their[..their_count].iter().rev().map(|&offset| other.label_at(offset)))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The name of a zone: neither the root nor a wildcard.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Zone(Name);

impl Zone {
    /// The name of its apex.
    pub const fn name(&self) -> &Name {
        &self.0
    }

    /// Whether `name` is the apex or lies beneath it.
    pub fn holds(&self, name: &Name) -> bool {
        name.is_within(&self.0)
    }
}

impl FromStr for Zone {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let name: Name = text.parse()?;
        if name.is_root() {
            return Err(NameError::Root);
        }
        if name.has_stray_asterisk() || name.is_wildcard() { Err(NameError::WildcardZone) } else { Ok(Self(name)) }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests;
