use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record};
use proptest::prelude::*;

use super::*;

const ID: u16 = 0x1234;

fn name() -> RecordName {
    "whoami.example".parse().unwrap()
}

fn asked(rtype: WhoamiType, family: Family) -> Query {
    message::question(&name(), rtype, family).unwrap()
}

fn record(question: &Query, data: RData) -> Record {
    let mut record = Record::from_rdata(question.name().clone(), 0, data);
    record.dns_class = question.query_class();
    record
}

fn a(address: &str) -> RData {
    RData::A(A(address.parse().unwrap()))
}

fn txt(text: &str) -> RData {
    RData::TXT(TXT::new(vec![text.to_owned()]))
}

/// An answer to the question with these records, changed at will.
fn answered(question: &Query, data: &[RData], change: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = Message::from_vec(&message::query(ID, question).unwrap()).unwrap();
    message.metadata.message_type = MessageType::Response;
    message.answers = data.iter().map(|data| record(question, data.clone())).collect();
    change(&mut message);
    message.to_vec().unwrap()
}

fn read(question: &Query, data: &[RData]) -> Result<IpAddr, VoteError> {
    message::answer(&answered(question, data, |_| ()), ID, question)
}

fn check_garbage(outcome: Result<IpAddr, VoteError>, expected: &str) {
    match outcome {
        Err(VoteError::Garbage(text)) => assert!(text.contains(expected), "{text}, not {expected}"),
        other => panic!("{other:?}, not {expected}"),
    }
}

#[test]
fn the_question_fits_type_and_family() {
    use hickory_proto::rr::RecordType;
    let check = |rtype, family, class, wire| {
        let question = asked(rtype, family);
        assert_eq!((question.query_class(), question.query_type()), (class, wire));
    };
    check(WhoamiType::Address, Family::V4, DNSClass::IN, RecordType::A);
    check(WhoamiType::Address, Family::V6, DNSClass::IN, RecordType::AAAA);
    check(WhoamiType::Txt, Family::V6, DNSClass::IN, RecordType::TXT);
    check(WhoamiType::ChaosTxt, Family::V4, DNSClass::CH, RecordType::TXT);
}

#[test]
fn the_names_in_use_are_names() {
    for name in ["whoami.cloudflare", "o-o.myaddr.l.google.com", "myip.opendns.com"] {
        let question = message::question(&name.parse().unwrap(), WhoamiType::Txt, Family::V4).unwrap();
        let query = Message::from_vec(&message::query(ID, &question).unwrap()).unwrap();
        assert_eq!(query.queries[0].name().to_ascii(), format!("{name}."));
        assert!(query.metadata.recursion_desired && query.metadata.id == ID);
    }
}

#[test]
fn types_have_words() {
    for (word, rtype) in [
        ("A", WhoamiType::Address),
        ("aaaa", WhoamiType::Address),
        ("Txt", WhoamiType::Txt),
        ("CHTXT", WhoamiType::ChaosTxt),
    ] {
        assert_eq!(word.parse(), Ok(rtype));
    }
    assert_eq!("MX".parse::<WhoamiType>(), Err(UnknownType));
}

#[test]
fn addresses_and_texts_are_read() {
    let v4: IpAddr = "11.22.33.44".parse().unwrap();
    let v6: IpAddr = "2a00::44".parse().unwrap();
    assert_eq!(read(&asked(WhoamiType::Address, Family::V4), &[a("11.22.33.44")]).unwrap(), v4);
    let aaaa = RData::AAAA(AAAA("2a00::44".parse().unwrap()));
    assert_eq!(read(&asked(WhoamiType::Address, Family::V6), &[aaaa]).unwrap(), v6);
    let google = [txt("edns0-client-subnet 11.22.33.0/24"), txt("11.22.33.44")];
    assert_eq!(read(&asked(WhoamiType::Txt, Family::V4), &google).unwrap(), v4);
    assert_eq!(read(&asked(WhoamiType::ChaosTxt, Family::V6), &[txt("2a00::44")]).unwrap(), v6);
    let parts = RData::TXT(TXT::new(vec!["11.22.".to_owned(), "33.44".to_owned()]));
    assert_eq!(read(&asked(WhoamiType::Txt, Family::V4), &[parts]).unwrap(), v4);
}

#[test]
fn an_answer_to_another_question_is_garbage() {
    let question = asked(WhoamiType::Address, Family::V4);
    let changed =
        |change: fn(&mut Message)| message::answer(&answered(&question, &[a("11.22.33.44")], change), ID, &question);
    check_garbage(changed(|message| message.metadata.id = ID + 1), "another question");
    check_garbage(changed(|message| message.queries.clear()), "another question");
    check_garbage(changed(|message| message.queries.push(message.queries[0].clone())), "another question");
    check_garbage(
        changed(|message| {
            message.queries[0].set_name(Name::from_ascii("other.example.").unwrap());
        }),
        "another question",
    );
    check_garbage(
        changed(|message| {
            message.queries[0].set_query_class(DNSClass::CH);
        }),
        "another question",
    );
    check_garbage(changed(|message| message.metadata.message_type = MessageType::Query), "not a response");
    check_garbage(changed(|message| message.metadata.truncation = true), "truncated");
    check_garbage(changed(|message| message.answers[0].dns_class = DNSClass::CH), "no record");
    check_garbage(
        changed(|message| message.answers[0].name = Name::from_ascii("other.example.").unwrap()),
        "no record",
    );
}

#[test]
fn an_answer_must_hold_exactly_one_address() {
    let question = asked(WhoamiType::Address, Family::V4);
    check_garbage(read(&question, &[]), "no record");
    check_garbage(read(&question, &[a("11.22.33.44"), a("11.22.33.45")]), "several");
    check_garbage(read(&question, &[RData::CNAME(CNAME(Name::from_ascii("a.example.").unwrap()))]), "no record");
    check_garbage(read(&asked(WhoamiType::Address, Family::V6), &[a("11.22.33.44")]), "no record");
    assert!(read(&question, &[a("11.22.33.44"), a("11.22.33.44")]).is_ok());
    check_garbage(read(&asked(WhoamiType::Txt, Family::V4), &[txt("11.22.33.44 \n\u{1b}[31m")]), r"\n\x1b[31m");
}

#[test]
fn every_rcode_but_success_is_a_refusal() {
    let question = asked(WhoamiType::Address, Family::V4);
    for rcode in [ResponseCode::Refused, ResponseCode::ServFail, ResponseCode::NXDomain, ResponseCode::NotImp] {
        let octets = answered(&question, &[a("11.22.33.44")], |message| message.metadata.response_code = rcode);
        assert!(matches!(message::answer(&octets, ID, &question), Err(VoteError::Refused(_))), "{rcode:?}");
    }
}

struct Unanswering(fn() -> DnsError);

#[async_trait]
impl DnsTransport for Unanswering {
    async fn exchange(&self, _: &[u8]) -> Result<Vec<u8>, DnsError> {
        Err(self.0())
    }
}

/// Trap 17: the failures tell which transport was asked.
#[tokio::test]
async fn each_family_has_its_own_transport_and_failures_their_class() {
    let late = || DnsError::Timeout { server: "v4".to_owned(), phase: ddns_core::ports::Phase::Answer };
    let unconnected = || DnsError::Connect { server: "v6".to_owned(), cause: "no route".into() };
    let voter =
        WhoamiVoter::new(Arc::new(Unanswering(late)), Arc::new(Unanswering(unconnected)), name(), WhoamiType::Address);
    assert!(matches!(voter.ask(Family::V4).await, Err(VoteError::TimedOut)));
    assert!(matches!(voter.ask(Family::V6).await, Err(VoteError::Unreachable(_))));
}

proptest! {
    /// Fault 72.
    #[test]
    fn no_octets_are_too_strange(octets: Vec<u8>, flipped in prop::collection::vec((0_usize..80, any::<u8>()), 0..4)) {
        let question = asked(WhoamiType::Txt, Family::V4);
        let mut changed = answered(&question, &[txt("11.22.33.44")], |_| ());
        for (at, by) in flipped {
            if let Some(octet) = changed.get_mut(at) {
                *octet ^= by;
            }
        }
        for octets in [octets, changed] {
            if let Err(error) = message::answer(&octets, ID, &question) {
                prop_assert!(error.to_string().is_ascii());
            }
        }
    }
}
