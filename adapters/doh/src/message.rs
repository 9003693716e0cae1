use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ddns_core::ports::{Answer, LookupError};
use ddns_core::record::{RecordKey, RecordType};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType as WireType};

/// CNAMEs followed within one answer; a longer chain is a loop or an attack.
const MAX_CHAIN: usize = 16;

const fn wire_type(rtype: RecordType) -> WireType {
    match rtype {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
    }
}

fn owner(key: &RecordKey) -> Result<Name, LookupError> {
    // A wildcard is asked for by a name that it alone can answer.
    let text = key.name.as_str();
    let text = text.strip_prefix("*.").map_or_else(|| text.to_owned(), |rest| format!("ddnsd-wildcard-check.{rest}"));
    Name::from_ascii(format!("{text}.")).map_err(|_| LookupError::Garbage("the name has no wire form"))
}

/// A query with id 0, as RFC 8484 §4.1 asks for.
pub(crate) fn query(key: &RecordKey) -> Result<Vec<u8>, LookupError> {
    question(0, owner(key)?, wire_type(key.rtype), true)
}

/// A query for one of the zone's own name servers, which looks nothing up for others.
pub(crate) fn query_of_authority(id: u16, key: &RecordKey) -> Result<Vec<u8>, LookupError> {
    question(id, owner(key)?, wire_type(key.rtype), false)
}

/// A query for the name servers of `zone`, with id 0.
pub(crate) fn query_of_servers(zone: &str) -> Result<Vec<u8>, LookupError> {
    question(0, absolute(zone)?, WireType::NS, true)
}

fn absolute(name: &str) -> Result<Name, LookupError> {
    Name::from_ascii(format!("{name}.")).map_err(|_| LookupError::Garbage("the name has no wire form"))
}

fn question(id: u16, name: Name, wire_type: WireType, recursion: bool) -> Result<Vec<u8>, LookupError> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = recursion;
    message.add_query(Query::query(name, wire_type));
    message.to_vec().map_err(|_| LookupError::Garbage("the query has no wire form"))
}

/// A whole response to this question without an error.
fn response(octets: &[u8], name: &Name, wire_type: WireType) -> Result<Message, LookupError> {
    let message = Message::from_vec(octets).map_err(|_| LookupError::Garbage("not a DNS message"))?;
    if message.metadata.message_type != MessageType::Response || message.metadata.op_code != OpCode::Query {
        return Err(LookupError::Garbage("not a response to a query"));
    }
    if message.metadata.truncation {
        return Err(LookupError::Garbage("truncated"));
    }
    let asked = |query: &Query| query.name() == name && query.query_type() == wire_type;
    if !message.queries.iter().all(asked) || message.queries.len() != 1 {
        return Err(LookupError::Garbage("an answer to another question"));
    }
    let code = message.metadata.response_code;
    if code != ResponseCode::NoError && code != ResponseCode::NXDomain {
        // RFC 4035 §5.5: what fails validation is answered like any other failure.
        let validates =
            if code == ResponseCode::ServFail { " (also what a resolver says of wrong DNSSEC signatures)" } else { "" };
        return Err(LookupError::Rcode(format!("{code}{validates}")));
    }
    Ok(message)
}

/// Reads an answer to [`query_of_servers`]: their names, none if `zone` is no zone of its own.
pub(crate) fn servers(octets: &[u8], zone: &str) -> Result<BTreeSet<String>, LookupError> {
    let name = absolute(zone)?;
    let message = response(octets, &name, WireType::NS)?;
    let of_zone = message.answers.iter().filter(|record| record.dns_class == DNSClass::IN && record.name == name);
    let server = |data: &RData| match data {
        RData::NS(server) => Some(server.0.to_ascii().trim_end_matches('.').to_ascii_lowercase()),
        _ => None,
    };
    Ok(of_zone.filter_map(|record| server(&record.data)).collect())
}

/// Reads an answer to [`query_of_authority`]: it has to be the server's own.
pub(crate) fn answer_of_authority(octets: &[u8], id: u16, key: &RecordKey) -> Result<Answer, LookupError> {
    let message = response(octets, &owner(key)?, wire_type(key.rtype))?;
    if message.metadata.id != id {
        return Err(LookupError::Garbage("an answer to another question"));
    }
    if !message.metadata.authoritative {
        return Err(LookupError::Garbage("not an authority of the zone: a lame delegation, or somebody in between"));
    }
    addresses(&message, key)
}

/// Reads an answer to [`query`]: the set of addresses at the end of the chain of CNAMEs (RFC 1034 §3.6.2).
pub(crate) fn answer(octets: &[u8], key: &RecordKey) -> Result<Answer, LookupError> {
    addresses(&response(octets, &owner(key)?, wire_type(key.rtype))?, key)
}

fn addresses(message: &Message, key: &RecordKey) -> Result<Answer, LookupError> {
    let mut name = owner(key)?;
    let mut ttl = u32::MAX;
    for _ in 0..MAX_CHAIN {
        let here = || message.answers.iter().filter(|record| record.dns_class == DNSClass::IN && record.name == name);
        let mut addresses = BTreeSet::new();
        for record in here() {
            let address = match (&record.data, key.rtype) {
                (RData::A(a), RecordType::A) => IpAddr::V4(a.0),
                (RData::AAAA(aaaa), RecordType::Aaaa) => IpAddr::V6(aaaa.0),
                _ => continue,
            };
            addresses.insert(address);
            ttl = ttl.min(record.ttl);
        }
        if !addresses.is_empty() {
            return Ok(Answer { addresses, ttl: Duration::from_secs(ttl.into()) });
        }
        let alias = here().find_map(|record| match &record.data {
            RData::CNAME(target) => Some((target.0.clone(), record.ttl)),
            _ => None,
        });
        match alias {
            Some((target, alias_ttl)) => {
                name = target;
                ttl = ttl.min(alias_ttl);
            }
            None => {
                let negative = message.authorities.iter().find_map(|record| match &record.data {
                    RData::SOA(soa) => Some(soa.minimum.min(record.ttl)),
                    _ => None,
                });
                let ttl = negative.unwrap_or(0).min(ttl);
                return Ok(Answer { addresses, ttl: Duration::from_secs(ttl.into()) });
            }
        }
    }
    Err(LookupError::Garbage("a chain of CNAMEs without end"))
}

#[cfg(test)]
mod tests;
