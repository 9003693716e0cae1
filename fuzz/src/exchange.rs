use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ddns_core::address::Family;
use ddns_core::error_chain;
use ddns_core::ports::{
    DnsProvider, HttpError, HttpRequest, HttpResponse, HttpTransport, Phase, ProviderError, RecordHandle,
    UpdateRequest, Verifier,
};
use ddns_core::record::{RecordKey, RecordType};
use ddns_doh::{DohVerifier, Resolver};
use ddns_provider_cloudflare::Cloudflare;
use futures_util::FutureExt;

/// Gives one answer after the other, then none.
struct Script(Mutex<VecDeque<HttpResponse>>);

impl Script {
    fn of(answers: impl IntoIterator<Item = HttpResponse>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(answers.into_iter().collect())))
    }
}

#[async_trait]
impl HttpTransport for Script {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let plain = request.path.chars().all(|c| c.is_ascii_graphic());
        assert!(plain && !request.path.contains("//") && !request.path.contains(".."), "{:?}", request.path);
        let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        next.ok_or_else(|| HttpError::Timeout { origin: "script".to_owned(), phase: Phase::Answer })
    }
}

fn key(rtype: RecordType) -> RecordKey {
    RecordKey { name: "vpn.example.com".parse().expect("a name"), rtype }
}

/// The body of a resolver's answer (RFC 8484) to a question for vpn.example.com.
pub fn dns(message: &[u8]) {
    for rtype in [RecordType::A, RecordType::Aaaa] {
        let content_type = "application/dns-message".to_owned();
        let answer = HttpResponse { status: 200, content_type, body: message.to_vec(), ..HttpResponse::default() };
        let resolver = Resolver { name: "script".to_owned(), transport: Script::of([answer]) };
        let verifier = DohVerifier::new(vec![resolver]);
        let votes = verifier.resolve(&key(rtype), 1).now_or_never().expect("the script answers at once");
        for vote in votes {
            match vote.answer {
                Ok(answer) => assert!(answer.addresses.iter().all(|address| Family::of(address) == rtype.family())),
                Err(error) => assert!(!error_chain(&error).contains('\n'), "{error}"),
            }
        }
    }
}

/// Answers of Cloudflare's API, one a line: `status body`.
pub fn cloudflare(text: &[u8]) {
    let answers: Vec<HttpResponse> = text.split(|octet| *octet == b'\n').map(answer).collect();
    let provider = |token: &str| Cloudflare::new(Script::of(answers.clone()), token.into(), None);
    let (key, address) = (key(RecordType::A), IpAddr::V4(Ipv4Addr::new(11, 0, 0, 2)));
    let read = provider("t").read(&key).now_or_never().expect("the script answers at once");
    if let Err(error) = read {
        assert!(!matches!(error, ProviderError::Unknown { .. }), "a read changes nothing: {error}");
    }
    for handle in [None, Some(RecordHandle("zone/record".to_owned()))] {
        let request = UpdateRequest { key: key.clone(), address, previous: None, handle, ttl: None };
        let updated = provider("t").update(&request).now_or_never().expect("the script answers at once");
        if let Err(error) = updated {
            assert!(!error_chain(&error).contains('\n'), "{error}");
        }
    }
}

fn answer(line: &[u8]) -> HttpResponse {
    let (status, body) = line.split_at_checked(4).unwrap_or((b"", line));
    let status = str::from_utf8(status).ok().and_then(|status| status.trim().parse().ok());
    let retry_after: Option<String> = str::from_utf8(body).ok().map(|body| body.chars().take(20).collect());
    HttpResponse {
        status: status.unwrap_or(200),
        content_type: "application/json".to_owned(),
        authenticate: None,
        rate_limit: retry_after.clone(),
        retry_after,
        body: body.to_vec(),
    }
}
