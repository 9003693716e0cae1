use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ddns_core::address::Family;
use ddns_core::error_chain;
use ddns_core::ports::{Clock, DnsError, DnsProvider, DnsTransport, Phase, ProviderError, RecordHandle, UpdateRequest};
use ddns_core::record::{RecordKey, RecordType};
use ddns_core::time::{Instant, Wall};
use ddns_provider_rfc2136::Rfc2136;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_proto::op::{Message, MessageType};
use hickory_proto::rr::rdata::tsig::{TSIG, TsigAlgorithm, make_tsig_record};
use hickory_proto::rr::{Name, RData, TSigner};

const SECRET: &[u8; 32] = b"thirty-two octets of no secrecy.";
const KEY: &str = "key k { algorithm hmac-sha256; secret \"dGhpcnR5LXR3byBvY3RldHMgb2Ygbm8gc2VjcmVjeS4=\"; };";
const NOW: u64 = 1_800_000_000;
const WANTED: Ipv4Addr = Ipv4Addr::new(11, 0, 0, 2);

struct Clockwork;

impl Clock for Clockwork {
    fn now(&self) -> Instant {
        Instant::default()
    }

    fn wall(&self) -> Wall {
        Wall::from_millis(NOW * 1000)
    }

    fn sleep_until(&self, _deadline: Instant) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }
}

/// What becomes of a message before it is given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    AsItIs,
    /// Made to fit the request, as anybody on the way could.
    Fitting,
    /// And signed by the right key.
    Signed,
}

/// Gives one message after the other, then none.
struct Script {
    messages: Mutex<VecDeque<Vec<u8>>>,
    sent: Sent,
    /// Whether the last message given holds the wanted address.
    shows: Mutex<bool>,
}

#[async_trait]
impl DnsTransport for Script {
    async fn exchange(&self, request: &[u8]) -> Result<Vec<u8>, DnsError> {
        let next = self.messages.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let octets = next.ok_or_else(|| DnsError::Timeout { server: "script".to_owned(), phase: Phase::Answer })?;
        let request = Message::from_vec(request).expect("our own message");
        let Ok(mut answer) = Message::from_vec(&octets) else { return Ok(octets) };
        let wanted = |data: &RData| matches!(data, RData::A(a) if a.0 == WANTED);
        *self.shows.lock().unwrap_or_else(PoisonError::into_inner) =
            answer.answers.iter().any(|record| wanted(&record.data));
        let changed = match self.sent {
            Sent::AsItIs => None,
            Sent::Fitting => fitting(&mut answer, &request),
            Sent::Signed => signed(&mut answer, &request),
        };
        Ok(changed.unwrap_or(octets))
    }
}

/// Without a signature; `None` if it has no wire form.
fn fitting(answer: &mut Message, request: &Message) -> Option<Vec<u8>> {
    answer.metadata.id = request.metadata.id;
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.op_code = request.metadata.op_code;
    answer.queries.clone_from(&request.queries);
    answer.take_signature();
    answer.to_vec().ok()
}

/// The answer as the server would send it that has it to give.
fn signed(answer: &mut Message, request: &Message) -> Option<Vec<u8>> {
    let key = TSigner::new(SECRET.to_vec(), TsigAlgorithm::HmacSha256, Name::from_ascii("k").ok()?, 300).ok()?;
    let octets = fitting(answer, request)?;
    let tsig = TSIG::new(key.algorithm().clone(), NOW, 300, Vec::new(), request.metadata.id, None, Vec::new());
    let mac = &request.signature()?.data.mac;
    let mac = key.sign(&key.encode_response_tbs(mac, &octets, &tsig).ok()?).ok()?;
    answer.set_signature(Box::new(make_tsig_record(key.signer_name().clone(), tsig.set_mac(mac))));
    answer.to_vec().ok()
}

/// Messages with their lengths before them, as over TCP.
fn messages(mut octets: &[u8]) -> VecDeque<Vec<u8>> {
    let mut messages = VecDeque::new();
    while let Some((length, rest)) = octets.split_first_chunk() {
        let (message, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        messages.push_back(message.to_vec());
        octets = rest;
    }
    messages
}

/// The answers of a name server that takes dynamic updates: as they are, fitting, and signed.
pub fn dynamic_update(octets: &[u8]) {
    let key = RecordKey { name: "vpn.example.com".parse().expect("a name"), rtype: RecordType::A };
    for sent in [Sent::AsItIs, Sent::Fitting, Sent::Signed] {
        let provider = |zone| {
            let script = Script { messages: Mutex::new(messages(octets)), sent, shows: Mutex::default() };
            let script = Arc::new(script);
            let transport: Arc<dyn DnsTransport> = Arc::<Script>::clone(&script);
            (Rfc2136::with_key(transport, Arc::new(Clockwork), KEY, zone).expect("the key"), script)
        };
        for zone in [None, Some("example.com")] {
            let read = provider(zone).0.read(&key).now_or_never().expect("the script answers at once");
            match read {
                Ok(observed) => {
                    assert!(sent == Sent::Signed, "an answer that is not signed was believed");
                    assert!(observed.addresses.iter().all(|address| Family::of(address) == Family::V4));
                }
                Err(error) => {
                    assert!(!matches!(error, ProviderError::Unknown { .. }), "a read changes nothing: {error}");
                    check_told(&error);
                }
            }
        }
        for previous in [None, Some(IpAddr::from([11, 0, 0, 1]))] {
            let handle = Some(RecordHandle("example.com.".to_owned()));
            let request = UpdateRequest { key: key.clone(), address: WANTED.into(), previous, handle, ttl: None };
            let (provider, script) = provider(None);
            match provider.update(&request).now_or_never().expect("the script answers at once") {
                Ok(_) => {
                    let shows = *script.shows.lock().unwrap_or_else(PoisonError::into_inner);
                    assert!(sent == Sent::Signed && shows, "success that no signed answer shows");
                }
                Err(error) => check_told(&error),
            }
        }
    }
}

/// A key file.
pub fn tsig_key(octets: &[u8]) {
    let Ok(text) = str::from_utf8(octets) else { return };
    let script = Script { messages: Mutex::default(), sent: Sent::AsItIs, shows: Mutex::default() };
    if let Err(reason) = Rfc2136::with_key(Arc::new(script), Arc::new(Clockwork), text, None) {
        assert!(reason.len() < 200 && reason.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{reason:?}");
    }
}

fn check_told(error: &ProviderError) {
    let text = error_chain(error);
    assert!(!text.contains('\n') && !text.contains("no secrecy") && !text.contains("dGhpcnR5"), "{text:?}");
}
