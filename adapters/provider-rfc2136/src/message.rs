use std::collections::BTreeSet;
use std::net::IpAddr;

use ddns_core::record::{RecordKey, RecordType};
use hickory_proto::op::{Message, OpCode, Query};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType as WireType};

use crate::mark::Mark;

/// The TTL of a mark, in seconds: nobody but an updater asks for it.
const MARK_TTL: u32 = 300;

/// All addresses of one name and type.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rrset {
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// Seconds; 0 if there is no record.
    pub(crate) ttl: u32,
}

pub(crate) const fn wire_type(rtype: RecordType) -> WireType {
    match rtype {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
    }
}

/// The name in absolute form.
pub(crate) fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// A query without recursion: what the server itself holds.
pub(crate) fn query(name: &Name, rtype: WireType) -> Message {
    let mut message = Message::query();
    message.metadata.recursion_desired = false;
    message.add_query(Query::query(name.clone(), rtype));
    message
}

/// An update of a zone (RFC 2136 §2) that is about one RRset.
pub(crate) struct Update {
    message: Message,
    name: Name,
    rtype: WireType,
}

impl Update {
    /// Nothing yet. `name` has to lie in `zone`.
    pub(crate) fn new(zone: &Name, name: &Name, key: &RecordKey) -> Self {
        let mut message = query(zone, WireType::SOA);
        message.metadata.op_code = OpCode::Update;
        Self { message, name: name.clone(), rtype: wire_type(key.rtype) }
    }

    /// Only if the RRset holds exactly these addresses (§2.4.2); an empty set: only if it does not exist (§2.4.3).
    pub(crate) fn only_if(mut self, addresses: &BTreeSet<IpAddr>) -> Self {
        if addresses.is_empty() {
            let mut absent = Record::update0(self.name.clone(), 0, self.rtype);
            absent.dns_class = DNSClass::NONE;
            self.message.add_answer(absent);
        }
        let same = |address: &IpAddr| Record::from_rdata(self.name.clone(), 0, rdata(*address));
        self.message.answers.extend(addresses.iter().map(same));
        self
    }

    /// Only if the record's mark is as it was read; one that was not there comes with the update.
    pub(crate) fn marked(mut self, mark: Option<(&Mark, &Name, bool)>) -> Self {
        let Some((mark, place, there)) = mark else { return self };
        if there {
            self.message.answers.push(mark.record(place.clone(), 0));
        } else {
            let mut absent = Record::update0(place.clone(), 0, WireType::TXT);
            absent.dns_class = DNSClass::NONE;
            self.message.add_answer(absent);
            self.message.add_authority(mark.record(place.clone(), MARK_TTL));
        }
        self
    }

    /// One address goes (§2.5.4).
    pub(crate) fn delete(mut self, address: IpAddr) -> Self {
        let mut deletion = Record::from_rdata(self.name.clone(), 0, rdata(address));
        deletion.dns_class = DNSClass::NONE;
        self.message.add_authority(deletion);
        self
    }

    /// One address comes (§2.5.1).
    pub(crate) fn add(mut self, address: IpAddr, ttl: u32) -> Message {
        self.message.add_authority(Record::from_rdata(self.name.clone(), ttl, rdata(address)));
        self.message
    }
}

const fn rdata(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(address) => RData::A(hickory_proto::rr::rdata::A(address)),
        IpAddr::V6(address) => RData::AAAA(hickory_proto::rr::rdata::AAAA(address)),
    }
}

/// What an answer says of a name.
pub(crate) enum Said {
    /// Its RRset, which may be empty.
    Holds(Rrset),
    /// It is another name for this one.
    Alias(Name),
}

/// The addresses of exactly this name in an answer.
pub(crate) fn said(answer: &Message, name: &Name, rtype: RecordType) -> Said {
    let mut rrset = Rrset { addresses: BTreeSet::new(), ttl: u32::MAX };
    for record in answer.answers.iter().filter(|record| record.dns_class == DNSClass::IN && record.name == *name) {
        let address = match (&record.data, rtype) {
            (RData::A(a), RecordType::A) => IpAddr::V4(a.0),
            (RData::AAAA(aaaa), RecordType::Aaaa) => IpAddr::V6(aaaa.0),
            (RData::CNAME(target), _) => return Said::Alias(target.0.clone()),
            _ => continue,
        };
        rrset.addresses.insert(address);
        rrset.ttl = rrset.ttl.min(record.ttl);
    }
    if rrset.addresses.is_empty() { Said::Holds(Rrset::default()) } else { Said::Holds(rrset) }
}

/// The zone that an answer to a SOA query names: its owner stands over the answer, or over a denial (RFC 2308 §3).
pub(crate) fn zone_of(answer: &Message, name: &Name) -> Option<Name> {
    let records = answer.answers.iter().chain(&answer.authorities);
    let mut zones = records.filter(|record| matches!(record.data, RData::SOA(_))).map(|record| &record.name);
    zones.find(|zone| zone.zone_of(name)).map(Name::to_lowercase)
}
