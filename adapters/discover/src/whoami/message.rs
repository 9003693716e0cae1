//! The messages, pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ddns_core::address::Family;
use ddns_core::ports::VoteError;
use ddns_core::record::RecordName;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};

use super::WhoamiType;
use crate::quote::quoted;

fn garbage(what: &str) -> VoteError {
    VoteError::Garbage(what.to_owned())
}

/// What is asked for over this family.
pub fn question(name: &RecordName, rtype: WhoamiType, family: Family) -> Result<Query, VoteError> {
    let (class, wire) = match (rtype, family) {
        (WhoamiType::Address, Family::V4) => (DNSClass::IN, RecordType::A),
        (WhoamiType::Address, Family::V6) => (DNSClass::IN, RecordType::AAAA),
        (WhoamiType::Txt, _) => (DNSClass::IN, RecordType::TXT),
        (WhoamiType::ChaosTxt, _) => (DNSClass::CH, RecordType::TXT),
    };
    let name = Name::from_ascii(format!("{name}.")).map_err(|_| garbage("the name has no wire form"))?;
    let mut query = Query::query(name, wire);
    query.set_query_class(class);
    Ok(query)
}

/// The query with this id. Recursion is desired as by any stub, since some of these names live on resolvers.
pub fn query(id: u16, question: &Query) -> Result<Vec<u8>, VoteError> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(question.clone());
    message.to_vec().map_err(|_| garbage("the query has no wire form"))
}

/// Reads the answer to [`query`]: the one address in the records of the name, class and type asked for. Texts that are no
/// address are passed over, since Google adds one about client subnets (RFC 7871).
pub fn answer(octets: &[u8], id: u16, question: &Query) -> Result<IpAddr, VoteError> {
    let message = Message::from_vec(octets).map_err(|_| garbage("not a DNS message"))?;
    let head = &message.metadata;
    if head.message_type != MessageType::Response || head.op_code != OpCode::Query {
        return Err(garbage("not a response to a query"));
    }
    if head.id != id || message.queries.as_slice() != std::slice::from_ref(question) {
        return Err(garbage("an answer to another question"));
    }
    if head.truncation {
        return Err(garbage("truncated"));
    }
    if head.response_code != ResponseCode::NoError {
        return Err(VoteError::Refused(format!("{:?}", head.response_code)));
    }
    let asked = message.answers.iter().filter(|record| {
        record.name == *question.name()
            && record.dns_class == question.query_class()
            && record.record_type() == question.query_type()
    });
    let mut addresses = BTreeSet::new();
    let mut other = None;
    for record in asked {
        match &record.data {
            RData::A(a) => {
                addresses.insert(IpAddr::V4(a.0));
            }
            RData::AAAA(aaaa) => {
                addresses.insert(IpAddr::V6(aaaa.0));
            }
            RData::TXT(txt) => {
                let text = txt.txt_data.concat();
                match str::from_utf8(&text).ok().and_then(|text| text.parse().ok()) {
                    Some(address) => {
                        addresses.insert(address);
                    }
                    None => other = Some(quoted(&text)),
                }
            }
            _ => {}
        }
    }
    match (addresses.pop_first(), addresses.is_empty(), other) {
        (Some(address), true, _) => Ok(address),
        (Some(_), false, _) => Err(garbage("several addresses")),
        (None, _, Some(text)) => Err(VoteError::Garbage(text)),
        (None, _, None) => Err(garbage("no record")),
    }
}
