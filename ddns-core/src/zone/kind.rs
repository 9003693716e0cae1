//! The types of records that are kept here.

use std::fmt;
use std::str::FromStr;

/// The type of a record; the order is that in which a name's records stand in a zone file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Start of a zone of authority (RFC 1035 §3.3.13).
    Soa,
    /// A name server (RFC 1035 §3.3.11).
    Ns,
    /// An IPv4 address (RFC 1035 §3.4.1).
    A,
    /// An IPv6 address (RFC 3596).
    Aaaa,
    /// The canonical name of an alias (RFC 1035 §3.3.1).
    Cname,
    /// A mail exchange (RFC 1035 §3.3.9).
    Mx,
    /// Texts (RFC 1035 §3.3.14).
    Txt,
    /// A service (RFC 2782).
    Srv,
    /// Who may issue certificates (RFC 8659).
    Caa,
    /// A name that an address points back to (RFC 1035 §3.3.12).
    Ptr,
}

/// Why records of a type are not kept here.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KindError {
    /// The name server makes them while it signs (RFC 4034, RFC 5155, RFC 7344).
    #[error("{0} belongs to DNSSEC; the name server's own signing makes it (dnssec-policy)")]
    Dnssec(String),
    /// A type that is not known here.
    #[error("{0:?} is no type that is kept here; there are SOA, NS, A, AAAA, CNAME, MX, TXT, SRV, CAA and PTR")]
    Unknown(String),
}

/// Types of DNSSEC, with their numbers (IANA, "Resource Record (RR) TYPEs").
const DNSSEC: [(&str, u16); 9] = [
    ("DS", 43),
    ("RRSIG", 46),
    ("NSEC", 47),
    ("DNSKEY", 48),
    ("NSEC3", 50),
    ("NSEC3PARAM", 51),
    ("CDS", 59),
    ("CDNSKEY", 60),
    ("TYPE65534", 65534),
];

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 10] =
        [Self::Soa, Self::Ns, Self::A, Self::Aaaa, Self::Cname, Self::Mx, Self::Txt, Self::Srv, Self::Caa, Self::Ptr];

    /// As written in zone files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Soa => "SOA",
            Self::Ns => "NS",
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Srv => "SRV",
            Self::Caa => "CAA",
            Self::Ptr => "PTR",
        }
    }

    /// Its number in messages (IANA, "Resource Record (RR) TYPEs").
    pub const fn code(self) -> u16 {
        match self {
            Self::Soa => 6,
            Self::Ns => 2,
            Self::A => 1,
            Self::Aaaa => 28,
            Self::Cname => 5,
            Self::Mx => 15,
            Self::Txt => 16,
            Self::Srv => 33,
            Self::Caa => 257,
            Self::Ptr => 12,
        }
    }

    /// The type of a record in a zone transfer. What belongs to DNSSEC is the name server's and not to be compared.
    pub fn from_code(code: u16) -> Result<Self, KindError> {
        if let Some((name, _)) = DNSSEC.iter().find(|(_, number)| *number == code) {
            return Err(KindError::Dnssec((*name).to_owned()));
        }
        Self::ALL.into_iter().find(|kind| kind.code() == code).ok_or_else(|| KindError::Unknown(format!("TYPE{code}")))
    }

    /// Whether its records are addresses.
    pub const fn is_address(self) -> bool {
        matches!(self, Self::A | Self::Aaaa)
    }
}

impl FromStr for Kind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, KindError> {
        if let Some((name, _)) = DNSSEC.iter().find(|(name, _)| text.eq_ignore_ascii_case(name)) {
            return Err(KindError::Dnssec((*name).to_owned()));
        }
        let found = Self::ALL.into_iter().find(|kind| text.eq_ignore_ascii_case(kind.as_str()));
        found.ok_or_else(|| KindError::Unknown(text.to_owned()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_known_by_its_word_and_its_number() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().to_lowercase().parse(), Ok(kind));
            assert_eq!(Kind::from_code(kind.code()), Ok(kind));
        }
    }

    #[test]
    fn types_of_dnssec_and_unknown_ones_are_told_apart() {
        assert_eq!("rrsig".parse::<Kind>(), Err(KindError::Dnssec("RRSIG".into())));
        assert_eq!(Kind::from_code(48), Err(KindError::Dnssec("DNSKEY".into())));
        assert_eq!("HINFO".parse::<Kind>(), Err(KindError::Unknown("HINFO".into())));
        assert_eq!(Kind::from_code(13), Err(KindError::Unknown("TYPE13".into())));
    }
}
