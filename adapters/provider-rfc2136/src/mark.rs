use ddns_core::record::RecordKey;
use hickory_proto::op::Message;
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{DNSClass, Name, RData, Record};

/// What an owner's name stands behind in the text.
const OWNER: &str = "ddnsd-owner=";
/// One character-string has at most 255 octets (RFC 1035 §3.3.14).
const LONGEST: usize = 200;

/// Whose a record is, by the TXT record beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Whose {
    /// There is no mark.
    Nobodys,
    Ours,
    Others(String),
}

/// The mark of an owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    owner: String,
}

impl Mark {
    /// Reads an owner's name.
    pub(crate) fn parse(owner: &str) -> Result<Self, String> {
        let fine = |octet: u8| octet.is_ascii_graphic() && octet != b'"' && octet != b'\\';
        if owner.is_empty() || owner.len() > LONGEST || !owner.bytes().all(fine) {
            return Err(format!("not 1 to {LONGEST} printable ASCII characters without space, quote and backslash"));
        }
        Ok(Self { owner: owner.to_owned() })
    }

    /// Where the mark of a record stands: beneath its name, one for each type.
    pub(crate) fn place(name: &Name, key: &RecordKey) -> Option<Name> {
        let base = name.to_ascii();
        let base = base.strip_prefix("*.").map_or_else(|| base.clone(), |rest| format!("_wildcard.{rest}"));
        Name::from_ascii(format!("_ddnsd-{}.{base}", key.rtype.to_string().to_ascii_lowercase())).ok()
    }

    /// What stands in the TXT record.
    pub(crate) fn text(&self) -> String {
        format!("{OWNER}{}", self.owner)
    }

    /// Reads an answer to a question for the mark's TXT records.
    pub(crate) fn whose(&self, answer: &Message, place: &Name) -> Whose {
        let texts = answer.answers.iter().filter(|record| record.dns_class == DNSClass::IN && record.name == *place);
        let texts: Vec<_> = texts
            .filter_map(|record| match &record.data {
                RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
                _ => None,
            })
            .collect();
        match texts.iter().find(|text| **text != self.text()) {
            Some(other) => Whose::Others(other.escape_debug().to_string()),
            None if texts.is_empty() => Whose::Nobodys,
            None => Whose::Ours,
        }
    }

    /// The record that is the mark, or a prerequisite on it.
    pub(crate) fn record(&self, place: Name, ttl: u32) -> Record {
        Record::from_rdata(place, ttl, RData::TXT(TXT::new(vec![self.text()])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stands_beneath_its_record_one_for_each_type() {
        let place = |name: &str, key: &str| {
            let (record, rtype) = key.split_once(' ').unwrap();
            let rtype =
                if rtype == "A" { ddns_core::record::RecordType::A } else { ddns_core::record::RecordType::Aaaa };
            let key = RecordKey { name: record.parse().unwrap(), rtype };
            Mark::place(&Name::from_ascii(name).unwrap(), &key).unwrap().to_ascii()
        };
        assert_eq!(place("vpn.example.com.", "vpn.example.com A"), "_ddnsd-a.vpn.example.com.");
        assert_eq!(place("vpn.example.com.", "vpn.example.com AAAA"), "_ddnsd-aaaa.vpn.example.com.");
        assert_eq!(place("*.example.com.", "*.example.com A"), "_ddnsd-a._wildcard.example.com.");
    }

    #[test]
    fn an_owner_is_printable_and_short() {
        assert!(Mark::parse("host-1.example.com").is_ok());
        for wrong in ["", "a b", "a\"b", "a\\b", "ä", &"x".repeat(201)] {
            assert!(Mark::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
