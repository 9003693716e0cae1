//! What a zone's SOA record says apart from its serial (RFC 1035 §3.3.13, RFC 2308 §4).

use super::data::{DataError, Fault};
use super::name::Name;
use super::rrset::Ttl;

/// The start of authority. All times are in seconds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Soa {
    /// The primary name server.
    pub primary: Name,
    /// The mailbox of who answers for the zone, as a name (see [`mailbox`]).
    pub mailbox: Name,
    /// How often a secondary asks for the serial.
    pub refresh: Ttl,
    /// How long a secondary waits after it asked in vain.
    pub retry: Ttl,
    /// When a secondary that asked in vain stops to answer.
    pub expire: Ttl,
    /// How long resolvers remember that a name does not exist.
    pub negative_ttl: Ttl,
}

/// The mailbox of an SOA record: the local part, whose dots are escaped, becomes the first label (RFC 1035 §8).
pub fn mailbox(email: &str) -> Result<Name, DataError> {
    let wrong = |fault| DataError { field: "adminEmail", value: email.to_owned(), fault };
    let Some((local, domain)) = email.rsplit_once('@') else { return Err(wrong(Fault::Email)) };
    if local.is_empty() || !local.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'@') {
        return Err(wrong(Fault::Email));
    }
    let domain: Name = domain.parse().map_err(|error| wrong(Fault::Name(error)))?;
    if domain.is_root() || !domain.is_host() {
        return Err(wrong(Fault::Email));
    }
    Name::below(local.as_bytes(), &domain).map_err(|error| wrong(Fault::Name(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dots_of_a_local_part_are_escaped() {
        let written = |email: &str| mailbox(email).map(|name| name.to_string());
        assert_eq!(written("admin@example.com"), Ok("admin.example.com.".into()));
        assert_eq!(written("John.Doe@example.com"), Ok(r"john\.doe.example.com.".into()));
        assert_eq!(written(r"a\b@example.com"), Ok(r"a\\b.example.com.".into()));
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_remedy() {
        for wrong in
            ["", "admin.example.com", "@example.com", "a b@example.com", "a@", "a@_x.example", "a@b@c.d", "a@."]
        {
            let error = mailbox(wrong).unwrap_err();
            assert!(error.to_string().starts_with("adminEmail:"), "{error}");
        }
    }
}
