use std::sync::Mutex;

use ddns_core::ports::{DnsError, Phase};
use ddns_core::record::RecordType;
use ddns_core::time::{Instant, Wall};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_proto::op::{MessageType, OpCode};
use hickory_proto::rr::rdata::tsig::{TSIG, TsigError, make_tsig_record};
use hickory_proto::rr::rdata::{A, CNAME, SOA};
use hickory_proto::rr::{DNSClass, RData, Record};

use super::*;

const KEY: &str = "key ddns { algorithm hmac-sha256; secret \"2xNlqoHKvFq3cIhNyJmR9mGzn0dT0p1yQ2m0s3l4uXo=\"; };";
const NOW: u64 = 1_800_000_000;

/// What the server does with a request.
enum Reply {
    /// A signed answer, after this was done to it.
    Says(Box<dyn Fn(&mut Message) + Send>),
    /// The same without a signature.
    Unsigned(Box<dyn Fn(&mut Message) + Send>),
    /// A failure of TSIG: BADKEY and BADSIG unsigned, BADTIME signed.
    Tsig(TsigError),
    /// These octets.
    Raw(Vec<u8>),
    /// A signed answer with an octet turned over after that.
    Tampered,
    /// Signed at another time.
    Late,
    Fails(fn() -> DnsError),
}

struct Script {
    replies: Mutex<Vec<Reply>>,
    asked: Mutex<Vec<Message>>,
}

struct Clockwork(u64);

impl Clock for Clockwork {
    fn now(&self) -> Instant {
        Instant::default()
    }

    fn wall(&self) -> Wall {
        Wall::from_millis(self.0 * 1000)
    }

    fn sleep_until(&self, _deadline: Instant) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }
}

fn sign(response: &mut Message, request: &Message, time: u64, error: Option<TsigError>, other: Vec<u8>) {
    let key = key::parse_key(KEY).ok().unwrap();
    let octets = response.to_vec().unwrap();
    let unsigned = matches!(error, Some(TsigError::BadKey | TsigError::BadSig));
    let tsig = TSIG::new(key.algorithm().clone(), time, 300, Vec::new(), request.metadata.id, error, other);
    let mac = &request.signature().unwrap().data.mac;
    let signed = key.sign(&key.encode_response_tbs(mac, &octets, &tsig).unwrap()).unwrap();
    let tsig = if unsigned { tsig } else { tsig.set_mac(signed) };
    response.set_signature(Box::new(make_tsig_record(key.signer_name().clone(), tsig)));
}

#[async_trait]
impl DnsTransport for Script {
    async fn exchange(&self, octets: &[u8]) -> Result<Vec<u8>, DnsError> {
        let request = Message::from_vec(octets).unwrap();
        let mut response = Message::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
        response.metadata.authoritative = true;
        response.queries.clone_from(&request.queries);
        let reply = self.replies.lock().unwrap().remove(0);
        let mut turned = false;
        match reply {
            Reply::Says(say) => {
                say(&mut response);
                sign(&mut response, &request, NOW + 1, None, Vec::new());
            }
            Reply::Unsigned(say) => say(&mut response),
            Reply::Tsig(error) => {
                response.metadata.response_code = ResponseCode::NotAuth;
                let other = (NOW + 1000).to_be_bytes()[2..].to_vec();
                let other = if error == TsigError::BadTime { other } else { Vec::new() };
                let time = request.signature().unwrap().data.time;
                sign(&mut response, &request, time, Some(error), other);
            }
            Reply::Tampered => {
                sign(&mut response, &request, NOW, None, Vec::new());
                turned = true;
            }
            Reply::Late => sign(&mut response, &request, NOW + 301, None, Vec::new()),
            Reply::Raw(octets) => return Ok(octets),
            Reply::Fails(error) => return Err(error()),
        }
        self.asked.lock().unwrap().push(request);
        let mut octets = response.to_vec().unwrap();
        if turned {
            // The bit "recursion available", which nobody looks at.
            octets[3] ^= 0x80;
        }
        Ok(octets)
    }
}

fn name(text: &str) -> Name {
    absolute(text).unwrap()
}

fn code(code: ResponseCode) -> Reply {
    Reply::Says(Box::new(move |message| message.metadata.response_code = code))
}

/// The zone of an answer with nothing else.
fn soa(zone: &'static str) -> Reply {
    Reply::Says(Box::new(move |message| {
        let soa = SOA::new(name(zone), name(zone), 1, 2, 3, 4, 5);
        message.add_authority(Record::from_rdata(name(zone), 60, RData::SOA(soa)));
    }))
}

fn holds(addresses: &'static [[u8; 4]]) -> Reply {
    Reply::Says(Box::new(move |message| {
        let owner = message.queries[0].name().clone();
        for address in addresses {
            message.add_answer(Record::from_rdata(owner.clone(), 120, RData::A(A((*address).into()))));
        }
    }))
}

fn done() -> Reply {
    code(ResponseCode::NoError)
}

const OLD: [u8; 4] = [11, 0, 0, 1];
const NEW: [u8; 4] = [11, 0, 0, 2];
const OTHER: [u8; 4] = [11, 0, 0, 9];

fn key_of(text: &str) -> RecordKey {
    RecordKey { name: text.parse().unwrap(), rtype: RecordType::A }
}

fn request() -> UpdateRequest {
    UpdateRequest {
        key: key_of("vpn.example.com"),
        address: NEW.into(),
        previous: Some(OLD.into()),
        handle: Some(RecordHandle("example.com.".into())),
        ttl: None,
    }
}

fn run_at<T>(
    clock: u64,
    zone: Option<&str>,
    replies: Vec<Reply>,
    work: impl AsyncFnOnce(&Rfc2136) -> Result<T, ProviderError>,
) -> (Result<T, ProviderError>, Vec<Message>) {
    let script = Arc::new(Script { replies: Mutex::new(replies), asked: Mutex::default() });
    let transport: Arc<dyn DnsTransport> = Arc::<Script>::clone(&script);
    let provider = Rfc2136::with_key(transport, Arc::new(Clockwork(clock)), KEY, zone).unwrap();
    let result = work(&provider).now_or_never().expect("the script answers at once");
    assert!(script.replies.lock().unwrap().is_empty(), "not all answers were asked for");
    let asked = std::mem::take(&mut *script.asked.lock().unwrap());
    (result, asked)
}

fn update(replies: Vec<Reply>) -> (Result<UpdateResult, ProviderError>, Vec<Message>) {
    update_with(&request(), replies)
}

fn update_with(request: &UpdateRequest, replies: Vec<Reply>) -> (Result<UpdateResult, ProviderError>, Vec<Message>) {
    run_at(NOW, None, replies, async |provider| provider.update(request).await)
}

fn read(replies: Vec<Reply>) -> Result<Observed, ProviderError> {
    run_at(NOW, Some("example.com"), replies, async |provider| provider.read(&key_of("vpn.example.com")).await).0
}

fn class(error: &ProviderError) -> &'static str {
    match error {
        ProviderError::Unreachable { .. } => "unreachable",
        ProviderError::Unavailable { .. } => "unavailable",
        ProviderError::Unauthorized { .. } => "unauthorized",
        ProviderError::Refused { .. } => "refused",
        ProviderError::Unknown { .. } => "unknown",
        ProviderError::Unreadable => "unreadable",
        ProviderError::Stale { .. } => "stale",
    }
}

/// The records of a section as class, TTL and data.
fn section(records: &[Record]) -> Vec<(DNSClass, u32, String)> {
    records.iter().map(|record| (record.dns_class, record.ttl, record.data.to_string())).collect()
}

/// FAULTS 32: nobody's change is overwritten blindly, and only our address goes; the TTL stays.
#[test]
fn a_change_is_one_update_with_the_whole_rrset_as_its_prerequisite() {
    let (result, asked) = update(vec![holds(&[OTHER, OLD]), done(), holds(&[OTHER, NEW])]);
    let handle = Some(RecordHandle("example.com.".into()));
    assert_eq!(result.unwrap(), UpdateResult { kind: UpdateKind::Changed, proxied: false, handle });
    let update = &asked[1];
    assert_eq!(update.metadata.op_code, OpCode::Update);
    assert_eq!(update.queries[0].name(), &name("example.com"));
    let same = |address: &str| (DNSClass::IN, 0, address.to_owned());
    assert_eq!(section(&update.answers), [same("11.0.0.1"), same("11.0.0.9")]);
    let delete = (DNSClass::NONE, 0, "11.0.0.1".to_owned());
    assert_eq!(section(&update.authorities), [delete, (DNSClass::IN, 120, "11.0.0.2".to_owned())]);
    assert!(asked.iter().all(|message| !message.metadata.recursion_desired && message.signature().is_some()));
}

#[test]
fn a_record_that_is_not_there_is_created_and_one_that_is_right_is_left_alone() {
    let (result, asked) = update(vec![code(ResponseCode::NXDomain), done(), holds(&[NEW])]);
    assert_eq!(result.unwrap().kind, UpdateKind::Created);
    let absent = &asked[1].answers[0];
    assert_eq!((absent.dns_class, absent.record_type(), absent.ttl), (DNSClass::NONE, WireType::A, 0));
    assert_eq!(section(&asked[1].authorities), [(DNSClass::IN, 60, "11.0.0.2".to_owned())]);
    assert_eq!(update(vec![holds(&[OTHER, NEW])]).0.unwrap().kind, UpdateKind::Unchanged);
}

#[test]
fn a_time_to_live_is_written_if_it_is_configured() {
    let request = UpdateRequest { ttl: Some(300), ..request() };
    for before in [holds(&[OLD]), holds(&[])] {
        let (result, asked) = update_with(&request, vec![before, done(), holds(&[NEW])]);
        assert!(result.is_ok());
        assert_eq!(asked[1].authorities.last().unwrap().ttl, 300);
    }
}

/// FAULTS 32 and 35.
#[test]
fn what_someone_else_wrote_is_read_again_or_left_alone() {
    assert_eq!(class(&update(vec![holds(&[OTHER])]).0.unwrap_err()), "stale");
    let unknown = UpdateRequest { previous: None, ..request() };
    let (result, asked) = update_with(&unknown, vec![holds(&[OTHER]), done(), holds(&[NEW])]);
    assert_eq!(result.unwrap().kind, UpdateKind::Changed);
    assert_eq!(section(&asked[1].authorities)[0].2, "11.0.0.9");
    let error = update(vec![holds(&[OTHER, [11, 0, 0, 8]])]).0.unwrap_err();
    assert_eq!((class(&error), error.to_string().contains("delete all but one")), ("refused", true));
    // Between the read and the update.
    let raced = vec![holds(&[OLD]), code(ResponseCode::NXRRSet), holds(&[OTHER])];
    assert_eq!(class(&update(raced).0.unwrap_err()), "stale");
    let raced = vec![holds(&[]), code(ResponseCode::YXRRSet), holds(&[OTHER])];
    assert_eq!(class(&update(raced).0.unwrap_err()), "stale");
}

/// FAULTS 33: over UDP the answer to the first may be lost, and that to its repetition be no.
#[test]
fn an_update_that_came_twice_has_done_what_it_should() {
    let twice = vec![holds(&[OTHER, OLD]), code(ResponseCode::NXRRSet), holds(&[OTHER, NEW]), holds(&[OTHER, NEW])];
    assert_eq!(update(twice).0.unwrap().kind, UpdateKind::Changed);
    let twice = vec![holds(&[]), code(ResponseCode::YXRRSet), holds(&[NEW]), holds(&[NEW])];
    assert_eq!(update(twice).0.unwrap().kind, UpdateKind::Created);
}

/// RFC 4592: a wildcard answers for a name that is not there.
#[test]
fn a_name_that_a_wildcard_answers_for_is_created() {
    let replies = vec![holds(&[OLD]), code(ResponseCode::NXRRSet), holds(&[OLD]), done(), holds(&[NEW])];
    let (result, asked) = update(replies);
    assert_eq!(result.unwrap().kind, UpdateKind::Created);
    assert_eq!((asked[3].answers[0].dns_class, asked[3].authorities.len()), (DNSClass::NONE, 1));
}

/// RFC 2136 §3.4.2.2: a server acknowledges what it ignores. FAULTS 33: and an answer may be lost.
#[test]
fn an_acknowledgement_that_a_read_does_not_bear_out_is_none() {
    let lost = || Reply::Fails(|| DnsError::Broken { server: "s".into(), cause: "gone".into() });
    let unreachable = || Reply::Fails(|| DnsError::Connect { server: "s".into(), cause: "no".into() });
    for last in [holds(&[OLD]), lost(), unreachable(), code(ResponseCode::ServFail)] {
        let (result, _) = update(vec![holds(&[OLD]), done(), last]);
        assert_eq!(class(&result.unwrap_err()), "unknown");
    }
    assert_eq!(class(&update(vec![holds(&[OLD]), lost()]).0.unwrap_err()), "unknown");
}

#[test]
fn the_zone_is_what_the_server_says_it_is() {
    let zones = |replies| {
        let read = async |provider: &Rfc2136| provider.read(&key_of("a.vpn.example.com")).await;
        let (result, asked) = run_at(NOW, None, replies, read);
        (result, asked.iter().map(|message| message.queries[0].name().to_ascii()).collect::<Vec<_>>())
    };
    let (result, asked) = zones(vec![soa("example.com"), holds(&[OLD])]);
    assert_eq!(result.unwrap().handle, Some(RecordHandle("example.com.".into())));
    assert_eq!(asked, ["a.vpn.example.com.", "a.vpn.example.com."]);
    // An alias says nothing of its zone; a zone beside the name is none.
    let alias = Reply::Says(Box::new(|message| {
        let owner = message.queries[0].name().clone();
        message.add_answer(Record::from_rdata(owner, 60, RData::CNAME(CNAME(name("b.example.org")))));
    }));
    let (result, asked) = zones(vec![alias, soa("example.org"), soa("example.com"), holds(&[OLD])]);
    assert!(result.is_ok());
    assert_eq!(asked[..3], ["a.vpn.example.com.", "vpn.example.com.", "example.com."]);
    let none = || code(ResponseCode::Refused);
    let (result, _) = zones(vec![none(), none(), none()]);
    assert_eq!(class(&result.unwrap_err()), "refused");
}

/// hickory-proto asserts that a name lies in its zone: it is checked before.
#[test]
fn a_name_outside_the_zone_is_refused_before_anything_is_sent() {
    let key = key_of("vpn.example.org");
    let (result, _) = run_at(NOW, Some("example.com"), vec![], async |provider| provider.read(&key).await);
    let error = result.unwrap_err();
    assert!(class(&error) == "refused" && error.to_string().contains("DDNS_RFC2136_ZONE"), "{error}");
    // A handle from another zone is not believed.
    let request = UpdateRequest { handle: Some(RecordHandle("example.org.".into())), ..request() };
    let (result, _) = update_with(&request, vec![soa("example.com"), holds(&[NEW])]);
    assert_eq!(result.unwrap().handle, Some(RecordHandle("example.com.".into())));
}

/// FAULTS 31: three failures, three messages; the one about clocks points to them, and is no hold.
#[test]
fn each_failure_of_tsig_has_its_own_message() {
    for (failure, expected, says) in [
        (TsigError::BadKey, "unauthorized", "does not know the TSIG key ddns. with algorithm hmac-sha256 (BADKEY)"),
        (TsigError::BadSig, "unauthorized", "with another secret (BADSIG)"),
        (TsigError::BadTime, "unavailable", "this host's is 1000 seconds behind the server's; set both by NTP"),
    ] {
        let error = read(vec![Reply::Tsig(failure)]).unwrap_err();
        assert_eq!(class(&error), expected, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        let error = update(vec![holds(&[OLD]), Reply::Tsig(failure)]).0.unwrap_err();
        assert_eq!(class(&error), expected, "{error}");
    }
    let unset = run_at(30, None, vec![], async |provider| provider.read(&key_of("vpn.example.com")).await).0;
    let error = unset.unwrap_err();
    assert!(class(&error) == "unavailable" && error.to_string().contains("clock is not set"), "{error}");
}

/// FAULTS 29, 33, 34 and 40: what each answer means, for a request that reads and for one that writes.
#[test]
fn every_answer_has_its_class() {
    type Given = fn() -> Reply;
    let cases: Vec<(Given, &str, &str)> = vec![
        (|| code(ResponseCode::ServFail), "unavailable", "unknown"),
        (|| code(ResponseCode::Refused), "refused", "unauthorized"),
        (|| code(ResponseCode::NotAuth), "refused", "stale"),
        (|| code(ResponseCode::NotZone), "refused", "stale"),
        (|| code(ResponseCode::NotImp), "refused", "refused"),
        (|| code(ResponseCode::FormErr), "refused", "refused"),
        (|| code(ResponseCode::YXDomain), "unavailable", "unknown"),
        (|| Reply::Says(Box::new(|message| message.metadata.id ^= 1)), "unavailable", "unknown"),
        (|| Reply::Says(Box::new(|message| message.metadata.truncation = true)), "unavailable", "unknown"),
        (
            || Reply::Says(Box::new(|message| message.metadata.message_type = MessageType::Query)),
            "unavailable",
            "unknown",
        ),
        (
            || Reply::Says(Box::new(|message| message.queries = vec![hickory_proto::op::Query::default()])),
            "unavailable",
            "unknown",
        ),
        (|| Reply::Unsigned(Box::new(|_| {})), "unavailable", "unknown"),
        (
            || Reply::Unsigned(Box::new(|message| message.metadata.response_code = ResponseCode::FormErr)),
            "refused",
            "refused",
        ),
        (
            || {
                Reply::Unsigned(Box::new(|message| {
                    message.metadata.response_code = ResponseCode::FormErr;
                    message.metadata.id ^= 1;
                }))
            },
            "unavailable",
            "unknown",
        ),
        (|| Reply::Tampered, "unavailable", "unknown"),
        (|| Reply::Late, "unavailable", "unknown"),
        (|| Reply::Raw(Vec::new()), "unavailable", "unknown"),
        (|| Reply::Raw(vec![0xff; 300]), "unavailable", "unknown"),
        (|| Reply::Fails(|| DnsError::Timeout { server: "s".into(), phase: Phase::Answer }), "unavailable", "unknown"),
        (
            || Reply::Fails(|| DnsError::Timeout { server: "s".into(), phase: Phase::Connect }),
            "unreachable",
            "unreachable",
        ),
        (
            || Reply::Fails(|| DnsError::Connect { server: "s".into(), cause: "no".into() }),
            "unreachable",
            "unreachable",
        ),
    ];
    for (number, (given, reads, writes)) in cases.into_iter().enumerate() {
        assert_eq!(class(&read(vec![given()]).unwrap_err()), reads, "case {number}, reading");
        let (result, _) = update(vec![holds(&[OLD]), given()]);
        assert_eq!(class(&result.unwrap_err()), writes, "case {number}, writing");
    }
}

#[test]
fn a_server_without_authority_and_an_alias_are_refused() {
    let referral = Reply::Says(Box::new(|message| message.metadata.authoritative = false));
    assert!(read(vec![referral]).unwrap_err().to_string().contains("no authority"));
    let alias = Reply::Says(Box::new(|message| {
        let owner = message.queries[0].name().clone();
        message.add_answer(Record::from_rdata(owner, 60, RData::CNAME(CNAME(name("b.example.org")))));
    }));
    assert!(read(vec![alias]).unwrap_err().to_string().contains("is an alias of b.example.org."));
}

/// With a configured zone there is nothing to look up anew.
#[test]
fn a_zone_that_is_configured_wrongly_is_refused() {
    for answer in [ResponseCode::NotAuth, ResponseCode::NotZone] {
        let replies = vec![holds(&[OLD]), code(answer)];
        let (result, _) = run_at(NOW, Some("example.com"), replies, async |provider| provider.update(&request()).await);
        let error = result.unwrap_err();
        assert!(class(&error) == "refused" && error.to_string().contains("DDNS_RFC2136_ZONE"), "{error}");
    }
}
