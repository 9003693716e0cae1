use hickory_proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_proto::rr::{RData, Record};

use super::*;

fn key(name: &str) -> RecordKey {
    RecordKey { name: name.parse().unwrap(), rtype: RecordType::A }
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn a(owner: &str, ttl: u32, address: &str) -> Record {
    Record::from_rdata(name(owner), ttl, RData::A(A(address.parse().unwrap())))
}

fn cname(owner: &str, ttl: u32, target: &str) -> Record {
    Record::from_rdata(name(owner), ttl, RData::CNAME(CNAME(name(target))))
}

/// An answer to the question for vpn.example.com A, changed at will.
fn answered(answers: Vec<Record>, change: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = Message::from_vec(&query(&key("vpn.example.com")).unwrap()).unwrap();
    message.metadata.message_type = MessageType::Response;
    message.answers = answers;
    change(&mut message);
    message.to_vec().unwrap()
}

fn check(octets: &[u8], expected: Result<(&[&str], u64), &str>) {
    let found = answer(octets, &key("vpn.example.com"));
    match (found, expected) {
        (Ok(found), Ok((addresses, ttl))) => {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(found, Answer { addresses, ttl: Duration::from_secs(ttl) });
        }
        (Err(found), Err(expected)) => assert!(found.to_string().contains(expected), "{found}"),
        (found, expected) => panic!("{found:?}, not {expected:?}"),
    }
}

#[test]
fn a_query_has_id_zero_and_asks_for_recursion() {
    let message = Message::from_vec(&query(&key("*.example.com")).unwrap()).unwrap();
    assert_eq!(message.metadata.id, 0);
    assert!(message.metadata.recursion_desired);
    assert_eq!(message.queries[0].name(), &name("ddnsd-wildcard-check.example.com."));
}

/// Trap 10: the first answer may be a CNAME, and there may be several addresses.
#[test]
fn cnames_are_followed_in_any_order_and_addresses_are_a_set() {
    let chain = vec![
        a("host.example.net.", 300, "11.0.0.2"),
        cname("alias.example.org.", 60, "host.example.net."),
        a("host.example.net.", 120, "11.0.0.1"),
        cname("vpn.example.com.", 600, "ALIAS.example.org."),
        a("other.example.net.", 5, "11.9.9.9"),
    ];
    check(&answered(chain, |_| {}), Ok((&["11.0.0.1", "11.0.0.2"], 60)));
}

#[test]
fn an_address_of_another_name_or_type_is_no_answer() {
    let others = vec![
        a("www.example.com.", 60, "11.0.0.1"),
        Record::from_rdata(name("vpn.example.com."), 60, RData::AAAA(AAAA("2a00::1".parse().unwrap()))),
    ];
    check(&answered(others, |_| {}), Ok((&[], 0)));
}

#[test]
fn a_loop_of_cnames_ends() {
    let looped = vec![cname("vpn.example.com.", 60, "b.example.com."), cname("b.example.com.", 60, "vpn.example.com.")];
    check(&answered(looped, |_| {}), Err("without end"));
}

#[test]
fn nothing_there_is_an_answer_with_the_negative_ttl() {
    let soa = SOA::new(name("ns.example.com."), name("ops.example.com."), 1, 2, 3, 4, 30);
    let authority = Record::from_rdata(name("example.com."), 900, RData::SOA(soa));
    check(&answered(vec![], |message| message.authorities = vec![authority]), Ok((&[], 30)));
    let nothing = |message: &mut Message| message.metadata.response_code = ResponseCode::NXDomain;
    check(&answered(vec![], nothing), Ok((&[], 0)));
}

/// Trap 9, FAULTS 29.
#[test]
fn what_is_no_answer_to_the_question_is_refused() {
    check(b"<html>", Err("not a DNS message"));
    check(b"", Err("not a DNS message"));
    let right = || vec![a("vpn.example.com.", 60, "11.0.0.1")];
    check(&answered(right(), |message| message.metadata.message_type = MessageType::Query), Err("not a response"));
    check(&answered(right(), |message| message.metadata.truncation = true), Err("truncated"));
    check(&answered(right(), |message| message.queries.clear()), Err("another question"));
    let other = Query::query(name("www.example.com."), WireType::A);
    check(&answered(right(), |message| message.queries = vec![other]), Err("another question"));
    for code in [ResponseCode::ServFail, ResponseCode::Refused, ResponseCode::FormErr] {
        check(&answered(right(), |message| message.metadata.response_code = code), Err("response code"));
    }
    let whole = answered(right(), |_| {});
    for length in 0..whole.len() {
        assert!(answer(&whole[..length], &key("vpn.example.com")).is_err(), "{length} octets");
    }
}
