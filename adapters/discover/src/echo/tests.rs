use std::sync::Mutex;

use ddns_core::ports::Phase;
use proptest::prelude::*;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// What ipify, ifconfig.me, icanhazip, ipecho and Cloudflare answer.
#[test]
fn plain_text_and_the_trace_are_read() {
    for body in ["11.22.33.44", "11.22.33.44\n", " \t11.22.33.44\r\n"] {
        assert_eq!(parse(body.as_bytes()), Ok(address("11.22.33.44")), "{body:?}");
    }
    assert_eq!(parse(b"2a00:1234:5678:1::44\n"), Ok(address("2a00:1234:5678:1::44")));
    let trace = "fl=123f45\nh=one.one.one.one\nip=11.22.33.44\nts=1700000000.123\nvisit_scheme=https\nuag=curl/8.0=x\n\
        colo=FRA\nsliver=none\nhttp=http/2\nloc=DE\ntls=TLSv1.3\nsni=plaintext\nwarp=off\ngateway=off\nrbi=off\nkex=X25519\n";
    assert_eq!(parse(trace.as_bytes()), Ok(address("11.22.33.44")));
    assert_eq!(parse(trace.replace("11.22.33.44", "2a00::1").as_bytes()), Ok(address("2a00::1")));
}

/// Trap 9.
#[test]
fn a_page_is_a_page_even_if_an_address_stands_in_it() {
    for body in
        ["<html><body>11.22.33.44</body></html>", "\r\n <!DOCTYPE html>\n<p>11.22.33.44", "<?xml version='1.0'?>"]
    {
        assert!(matches!(parse(body.as_bytes()), Err(NoAddress::Page(_))), "{body:?}");
    }
}

#[test]
fn nothing_but_one_address_is_an_address() {
    let bodies = [
        "",
        "\n",
        "11.22.33",
        "11.22.33.044",
        "11.22.33.44.55",
        "11.22.33.44:80",
        "11.22.33.44, 11.22.33.45",
        "11.22.33.44\n11.22.33.45",
        "[2a00::1]",
        "fe80::1%eth0",
        "Current IP Address: 11.22.33.44",
        r#"{"ip":"11.22.33.44"}"#,
        r#""11.22.33.44""#,
        "ip=11.22.33.44\nip=11.22.33.45\n",
        "ip=11.22.33.44\nip=11.22.33.44\n",
        "ip=\nfl=1\n",
        "fl=1\n",
        "ip=11.22.33.44\nno pair\n",
        "IP=11.22.33.44\n",
        "a b=1\nip=11.22.33.44\n",
        "\u{ff11}1.22.33.44",
    ];
    for body in bodies {
        assert!(matches!(parse(body.as_bytes()), Err(NoAddress::Garbage(_))), "{body:?}");
    }
    assert!(matches!(parse(b"11.22.33.44\xff"), Err(NoAddress::Garbage(_))));
}

proptest! {
    /// Fault 72.
    #[test]
    fn what_is_quoted_is_short_and_printable(body: Vec<u8>) {
        if let Err(error) = parse(&body) {
            let text = error.to_string();
            prop_assert!(text.len() < 400 && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{}", text);
        }
    }

    #[test]
    fn every_address_is_read_back(address: IpAddr, before in "[ \t\r\n]{0,3}", after in "[ \t\r\n]{0,3}") {
        prop_assert_eq!(parse(format!("{before}{address}{after}").as_bytes()), Ok(address));
    }
}

/// Answers once, and notes that it was asked.
struct Script(Mutex<Option<Result<HttpResponse, HttpError>>>);

#[async_trait]
impl HttpTransport for Script {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        assert_eq!((request.path.as_str(), request.method), ("", Method::Get));
        assert!(request.credentials.is_none() && request.body.is_none());
        self.0.lock().unwrap().take().expect("asked once, over the right transport")
    }
}

fn script(answer: Option<Result<HttpResponse, HttpError>>) -> Arc<Script> {
    Arc::new(Script(Mutex::new(answer)))
}

fn answer(status: u16, body: &str) -> Result<HttpResponse, HttpError> {
    Ok(HttpResponse { status, body: body.as_bytes().to_vec(), ..HttpResponse::default() })
}

async fn asked(outcome: Result<HttpResponse, HttpError>) -> Result<IpAddr, VoteError> {
    EchoVoter::new(script(Some(outcome)), script(None)).ask(Family::V4).await
}

/// Trap 17.
#[tokio::test]
async fn each_family_has_its_own_transport() {
    let voter = EchoVoter::new(script(Some(answer(200, "11.0.0.1"))), script(Some(answer(200, "2a00::1"))));
    assert_eq!(voter.ask(Family::V6).await.unwrap(), address("2a00::1"));
    assert_eq!(voter.ask(Family::V4).await.unwrap(), address("11.0.0.1"));
}

#[tokio::test]
async fn every_status_has_its_class() {
    for status in [301, 302, 307, 511] {
        assert!(matches!(asked(answer(status, "11.0.0.1")).await, Err(VoteError::Page(_))), "{status}");
    }
    for status in [400, 403, 404, 429, 500, 503] {
        assert!(matches!(asked(answer(status, "11.0.0.1")).await, Err(VoteError::Refused(_))), "{status}");
    }
    for status in [201, 204, 206] {
        assert!(matches!(asked(answer(status, "11.0.0.1")).await, Err(VoteError::Garbage(_))), "{status}");
    }
    assert!(matches!(asked(answer(200, "<html>")).await, Err(VoteError::Page(_))));
    assert!(matches!(asked(answer(200, "{}")).await, Err(VoteError::Garbage(_))));
}

#[tokio::test]
async fn every_failure_of_the_transport_has_its_class() {
    let origin = || "https://echo.test".to_owned();
    let tls = HttpError::Tls { origin: origin(), remedy: "none", cause: "foreign".into() };
    assert!(matches!(asked(Err(tls)).await, Err(VoteError::Intercepted(_))));
    let late = HttpError::Timeout { origin: origin(), phase: Phase::Handshake };
    assert!(matches!(asked(Err(late)).await, Err(VoteError::TimedOut)));
    let large = HttpError::TooLarge { origin: origin(), limit: 1000 };
    assert!(matches!(asked(Err(large)).await, Err(VoteError::Garbage(_))));
    let unconnected = HttpError::Connect { origin: origin(), cause: "no route".into() };
    assert!(matches!(asked(Err(unconnected)).await, Err(VoteError::Unreachable(_))));
    let broken = HttpError::Broken { origin: origin(), cause: "reset".into() };
    assert!(matches!(asked(Err(broken)).await, Err(VoteError::Unreachable(_))));
}
