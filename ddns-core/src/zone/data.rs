//! The data of records, by type.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::kind::Kind;
use super::lexer::{Token, tokens};
use super::name::{Name, NameError, Zone};
use super::text::{LONGEST_DATA, Text, TextError, quote, unescape};

/// The longest tag of a CAA record in octets (RFC 6844 §5.1).
const LONGEST_TAG: usize = 15;

/// The data of one record. The SOA record is not among it: see [`super::soa::Soa`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Data {
    /// RFC 1035 §3.3.11.
    Ns(Name),
    /// RFC 1035 §3.4.1.
    A(Ipv4Addr),
    /// RFC 3596.
    Aaaa(Ipv6Addr),
    /// RFC 1035 §3.3.1.
    Cname(Name),
    /// RFC 1035 §3.3.9.
    Mx {
        /// The least is tried first.
        preference: u16,
        /// The host that takes the mail; the root if there is none (RFC 7505).
        exchange: Name,
    },
    /// RFC 1035 §3.3.14.
    Txt(Text),
    /// RFC 2782.
    Srv {
        /// The least is tried first.
        priority: u16,
        /// The share among those of one priority.
        weight: u16,
        /// The port of the service.
        port: u16,
        /// The host that serves; the root if there is none.
        target: Name,
    },
    /// RFC 8659 §4.
    Caa(Caa),
    /// RFC 1035 §3.3.12.
    Ptr(Name),
}

/// Who may issue certificates (RFC 8659 §4).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Caa {
    /// 128 makes the property critical.
    flags: u8,
    /// Letters and digits, in lower case.
    tag: String,
    /// Any octets.
    value: Vec<u8>,
}

/// A value that is none: which, where, and what to write.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{field}: {value:?}: {fault}")]
pub struct DataError {
    /// The field, as resources name it.
    pub field: &'static str,
    /// The value as it was given.
    pub value: String,
    /// What is wrong with it and the remedy.
    pub fault: Fault,
}

/// What is wrong with a value, with the remedy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// RFC 1035 §3.4.1.
    #[error("this is no IPv4 address; write one such as 192.0.2.1")]
    Ipv4,
    /// RFC 3596.
    #[error("this is no IPv6 address; write one such as 2001:db8::1")]
    Ipv6,
    /// A number beyond its field.
    #[error("this is no whole number from 0 to {0}")]
    Number(u32),
    /// No name.
    #[error("{0}")]
    Name(NameError),
    /// RFC 952: a name server refuses a zone in which these are no hosts (`check-names`).
    #[error("this is no name of a host; use letters, digits and inner hyphens")]
    Host,
    /// No text.
    #[error("{0}")]
    Text(TextError),
    /// RFC 8659 §4.1.
    #[error("this is no tag; use one such as issue, issuewild or iodef: 1 to 15 letters and digits")]
    Tag,
    /// RFC 1035 §8.
    #[error("this is no e-mail address; write one such as hostmaster@example.com")]
    Email,
    /// A field that is not there.
    #[error("this is missing")]
    Missing,
    /// More than the type holds.
    #[error("this is one too many; if it belongs to the text before it, put both in quotes")]
    Surplus,
    /// Quotes or parentheses that do not match.
    #[error("quotes or parentheses do not match; close or escape them")]
    Unbalanced,
    /// The SOA record is made of the zone's own settings.
    #[error("the SOA record is the zone's own; set it there")]
    Soa,
}

impl Data {
    /// The data of a resource's record from the form of zone files (RFC 1035 §5.1), with names read as
    /// [`Name::target`] does. The text of a TXT record that is not in that form goes to [`Text::plain`].
    pub fn parse(kind: Kind, text: &str, zone: &Zone) -> Result<Self, DataError> {
        let unbalanced = || DataError { field: "data", value: text.to_owned(), fault: Fault::Unbalanced };
        let tokens = tokens(text).ok_or_else(unbalanced)?;
        Self::read(kind, &tokens, &|text| Name::target(text, zone))
    }

    /// The data of a record of a zone file.
    pub(super) fn read(
        kind: Kind,
        tokens: &[Token<'_>],
        name: &dyn Fn(&str) -> Result<Name, NameError>,
    ) -> Result<Self, DataError> {
        let mut fields = Fields { tokens: tokens.iter(), name };
        let data = match kind {
            Kind::Soa => return Err(wrong("type", "SOA", Fault::Soa)),
            Kind::Ns => Self::Ns(fields.host("target")?),
            Kind::A => fields.parsed("address", Fault::Ipv4).map(Self::A)?,
            Kind::Aaaa => fields.parsed("address", Fault::Ipv6).map(Self::Aaaa)?,
            Kind::Cname => Self::Cname(fields.name("target")?),
            Kind::Mx => Self::Mx { preference: fields.short("preference")?, exchange: fields.host("exchange")? },
            Kind::Txt => return Self::strings(tokens).map(Self::Txt),
            Kind::Srv => Self::Srv {
                priority: fields.short("priority")?,
                weight: fields.short("weight")?,
                port: fields.short("port")?,
                target: fields.host("target")?,
            },
            Kind::Caa => {
                let (flags, tag) = (fields.parsed("flags", Fault::Number(255))?, fields.next("tag")?.text);
                let value = fields.next("value")?.text;
                let value = unescape(value).map_err(|error| wrong("value", value, Fault::Text(error)))?;
                Self::Caa(Caa::new(flags, tag, value)?)
            }
            Kind::Ptr => Self::Ptr(fields.name("target")?),
        };
        match fields.tokens.next() {
            None => Ok(data),
            Some(surplus) => Err(wrong("data", surplus.text, Fault::Surplus)),
        }
    }

    fn strings(tokens: &[Token<'_>]) -> Result<Text, DataError> {
        let read = |token: &Token<'_>| {
            let octets = unescape(token.text).map_err(|error| wrong("text", token.text, Fault::Text(error)))?;
            Ok(octets.into())
        };
        let strings = tokens.iter().map(read).collect::<Result<_, _>>()?;
        Text::of(strings).map_err(|error| wrong("text", "", Fault::Text(error)))
    }

    /// The type.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Ns(_) => Kind::Ns,
            Self::A(_) => Kind::A,
            Self::Aaaa(_) => Kind::Aaaa,
            Self::Cname(_) => Kind::Cname,
            Self::Mx { .. } => Kind::Mx,
            Self::Txt(_) => Kind::Txt,
            Self::Srv { .. } => Kind::Srv,
            Self::Caa(_) => Kind::Caa,
            Self::Ptr(_) => Kind::Ptr,
        }
    }

    /// The host that it points at, which must be no alias (RFC 2181 §10.3, RFC 2782).
    pub const fn host(&self) -> Option<&Name> {
        match self {
            Self::Ns(target) | Self::Mx { exchange: target, .. } | Self::Srv { target, .. } => Some(target),
            Self::A(_) | Self::Aaaa(_) | Self::Cname(_) | Self::Txt(_) | Self::Caa(_) | Self::Ptr(_) => None,
        }
    }
}

impl Caa {
    /// A property, with its value as it is.
    pub fn new(flags: u8, tag: &str, value: Vec<u8>) -> Result<Self, DataError> {
        if !(1..=LONGEST_TAG).contains(&tag.len()) || !tag.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
            return Err(wrong("tag", tag, Fault::Tag));
        }
        if value.len() + tag.len() + 2 > LONGEST_DATA {
            return Err(wrong("value", "", Fault::Text(TextError::TooLong)));
        }
        Ok(Self { flags, tag: tag.to_ascii_lowercase(), value })
    }
}

fn wrong(field: &'static str, value: &str, fault: Fault) -> DataError {
    DataError { field, value: value.to_owned(), fault }
}

/// The fields of a record that are not read yet.
struct Fields<'a> {
    tokens: std::slice::Iter<'a, Token<'a>>,
    name: &'a dyn Fn(&str) -> Result<Name, NameError>,
}

impl<'a> Fields<'a> {
    fn next(&mut self, field: &'static str) -> Result<&'a Token<'a>, DataError> {
        self.tokens.next().ok_or_else(|| wrong(field, "", Fault::Missing))
    }

    fn parsed<T: std::str::FromStr>(&mut self, field: &'static str, fault: Fault) -> Result<T, DataError> {
        let text = self.next(field)?.text;
        text.parse().map_err(|_| wrong(field, text, fault))
    }

    fn short(&mut self, field: &'static str) -> Result<u16, DataError> {
        self.parsed(field, Fault::Number(u16::MAX.into()))
    }

    fn name(&mut self, field: &'static str) -> Result<Name, DataError> {
        let text = self.next(field)?.text;
        (self.name)(text).map_err(|error| wrong(field, text, Fault::Name(error)))
    }

    fn host(&mut self, field: &'static str) -> Result<Name, DataError> {
        let name = self.name(field)?;
        if name.is_host() { Ok(name) } else { Err(wrong(field, &name.to_string(), Fault::Host)) }
    }
}

/// As zone files have it, with names in full.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(address) => address.fmt(f),
            Self::Aaaa(address) => address.fmt(f),
            Self::Ns(name) | Self::Cname(name) | Self::Ptr(name) => name.fmt(f),
            Self::Mx { preference, exchange } => write!(f, "{preference} {exchange}"),
            Self::Txt(text) => text.fmt(f),
            Self::Srv { priority, weight, port, target } => write!(f, "{priority} {weight} {port} {target}"),
            Self::Caa(Caa { flags, tag, value }) => {
                write!(f, "{flags} {tag} ")?;
                quote(value, f)
            }
        }
    }
}

#[cfg(test)]
mod tests;
