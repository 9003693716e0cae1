//! The transport against the double of Cloudflare's API, over real TLS on loopback.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use ddns_core::config::{Endpoint, HostPort};
use ddns_core::driver::Connections;
use ddns_core::ports::{
    Credentials, HttpError, HttpRequest, HttpResponse, HttpTransport, Method, PathProbe, Phase, Unreached,
};
use ddns_http::{HttpStack, HyperTransport, Limits};
use ddns_testbed::certificates::Validity;
use ddns_testbed::{Authority, CloudflareDouble, Fault, Identity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TOKEN: &str = "q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps_Ru-AeIoB";

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    handshake: Duration::from_secs(10),
    answer: Duration::from_secs(20),
    body: 100_000,
};

fn double(identity: &Identity) -> Result<CloudflareDouble> {
    CloudflareDouble::builder(identity.server_config()?, TOKEN).zone("ddns.test").start()
}

fn bench() -> Result<(CloudflareDouble, HttpStack, Arc<HyperTransport>)> {
    bench_with(LIMITS)
}

fn bench_with(limits: Limits) -> Result<(CloudflareDouble, HttpStack, Arc<HyperTransport>)> {
    let authority = Authority::new()?;
    let double = double(&authority.issue(&["127.0.0.1"])?)?;
    let stack = HttpStack::new(Some(authority.pem().as_bytes()))?;
    let transport = stack.http1(endpoint(&double), limits);
    Ok((double, stack, transport))
}

fn endpoint(double: &CloudflareDouble) -> Endpoint {
    Endpoint::parse(&double.url()).expect("the double's URL")
}

async fn get(transport: &HyperTransport, path: &str) -> Result<HttpResponse, HttpError> {
    let credentials = Some(Credentials::Bearer(TOKEN.into()));
    let request =
        HttpRequest { method: Method::Get, path: path.to_owned(), credentials, accept: "application/json", body: None };
    transport.exchange(request).await
}

/// A run of exchanges shares one connection; when it is over, the connection is closed.
#[tokio::test]
async fn a_run_shares_a_connection_until_it_is_over() -> Result<()> {
    let (double, stack, transport) = bench()?;
    for _ in 0..3 {
        assert_eq!(get(&transport, "/user/tokens/verify").await?.status, 200);
    }
    assert_eq!(double.connections(), 1);
    stack.close_idle();
    assert_eq!(get(&transport, "/user/tokens/verify").await?.status, 200);
    assert_eq!(double.connections(), 2);
    Ok(())
}

#[tokio::test]
async fn http2_is_spoken_where_the_server_offers_it() -> Result<()> {
    let (double, stack, _) = bench()?;
    let transport = stack.http2(endpoint(&double), LIMITS);
    for _ in 0..3 {
        assert_eq!(get(&transport, "/user/tokens/verify").await?.status, 200);
    }
    let transcript = double.transcript();
    assert_eq!((transcript.len(), double.connections()), (3, 1));
    assert!(transcript.iter().all(|exchange| exchange.version.contains('2')), "{transcript:?}");
    Ok(())
}

/// Trap 31: a kept connection from an address that has gone is not used again.
#[tokio::test]
async fn a_kept_connection_ends_with_its_address() -> Result<()> {
    let (double, stack, transport) = bench()?;
    get(&transport, "/user/tokens/verify").await?;
    let elsewhere: IpAddr = "11.0.0.1".parse()?;
    stack.addresses_held(&[elsewhere]);
    get(&transport, "/user/tokens/verify").await?;
    assert_eq!(double.connections(), 1, "loopback does not go away");
    Ok(())
}

/// Captive portals, expired and wrong certificates: the reason is named, and not one request is sent.
#[tokio::test]
async fn a_certificate_that_is_not_right_is_refused_with_its_reason() -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let stack = HttpStack::new(Some(authority.pem().as_bytes()))?;
    let cases = [
        (stranger.issue(&["127.0.0.1"])?, "signed by nobody we trust"),
        (authority.issue_with(&["127.0.0.1"], Validity::Expired)?, "has expired"),
        (authority.issue_with(&["127.0.0.1"], Validity::NotYet)?, "not valid yet"),
        (authority.issue_for_wrong_name()?, "for another name"),
    ];
    for (identity, expected) in cases {
        let double = double(&identity)?;
        let error = get(&stack.http1(endpoint(&double), LIMITS), "/zones").await.expect_err(expected);
        assert!(matches!(error, HttpError::Tls { .. }) && !error.sent(), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(double.transcript().is_empty());
    }
    Ok(())
}

/// FAULTS 20 and 40: what is cut off, reset or too large is an error after the request was sent.
#[tokio::test]
async fn an_answer_that_is_not_whole_or_too_large_is_an_error() -> Result<()> {
    let (double, _stack, transport) = bench()?;
    for fault in [Fault::Truncated, Fault::ResetMidBody, Fault::Drop] {
        double.faults().push(fault.clone());
        let error = get(&transport, "/zones").await.expect_err("not whole");
        assert!(matches!(error, HttpError::Broken { .. }) && error.sent(), "{fault:?}: {error}");
    }
    double.faults().push(Fault::Huge(1_000_000));
    let error = get(&transport, "/zones").await.expect_err("too large");
    assert!(matches!(error, HttpError::TooLarge { limit: 100_000, .. }), "{error}");
    assert_eq!(get(&transport, "/zones").await?.status, 200, "and the next one is well");
    Ok(())
}

/// FAULTS 36: the answer that says that it was the last is whole, and the next request waits for the window's end.
#[tokio::test]
async fn a_request_too_many_is_not_sent() -> Result<()> {
    let (double, _stack, transport) = bench()?;
    double.faults().push(Fault::QuotaUsedUp(2));
    assert_eq!(get(&transport, "/zones").await?.status, 200);
    let Err(HttpError::UsedUp { wait, .. }) = get(&transport, "/zones").await else { panic!("it was sent") };
    assert!(!wait.is_zero() && wait <= Duration::from_secs(2), "{wait:?}");
    assert_eq!(double.transcript().len(), 1);
    tokio::time::sleep(wait).await;
    let answer = get(&transport, "/zones").await?;
    assert!(answer.rate_limit.as_deref().is_some_and(|field| field.starts_with("\"default\";r=")), "{answer:?}");
    assert_eq!((answer.status, answer.used_up()), (200, None));
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() -> Result<()> {
    let (double, _stack, transport) = bench()?;
    double.faults().push(Fault::Redirect("https://elsewhere.test/".to_owned()));
    assert_eq!(get(&transport, "/zones").await?.status, 302);
    assert_eq!(double.transcript().len(), 1);
    Ok(())
}

#[tokio::test]
async fn every_phase_has_its_time_limit() -> Result<()> {
    let short = Limits { handshake: Duration::from_millis(200), answer: Duration::from_millis(200), ..LIMITS };
    let (double, stack, transport) = bench_with(Limits { answer: short.answer, ..LIMITS })?;
    double.faults().push(Fault::HangBeforeAnswer);
    let error = get(&transport, "/zones").await.expect_err("no answer");
    assert!(matches!(error, HttpError::Timeout { phase: Phase::Answer, .. }) && error.sent(), "{error}");

    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("https://{}", silent.local_addr()?);
    let transport = stack.http1(Endpoint::parse(&url).expect("a URL"), short);
    let error = get(&transport, "/").await.expect_err("no handshake");
    assert!(matches!(error, HttpError::Timeout { phase: Phase::Handshake, .. }) && !error.sent(), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_closed_port_is_told_at_once_and_nothing_was_sent() -> Result<()> {
    let (double, stack, _) = bench()?;
    let mut endpoint = endpoint(&double);
    endpoint.port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    let error = get(&stack.http1(endpoint, LIMITS), "/").await.expect_err("nobody listens");
    assert!(matches!(error, HttpError::Connect { .. }) && !error.sent(), "{error}");
    assert!(ddns_core::error_chain(&error).contains("refused"), "{}", ddns_core::error_chain(&error));
    Ok(())
}

#[tokio::test]
async fn the_token_is_in_no_error_and_no_debug_text() -> Result<()> {
    let credentials = Some(Credentials::Bearer(TOKEN.into()));
    let request = HttpRequest { method: Method::Get, path: "/".into(), credentials, accept: "*/*", body: None };
    assert!(!format!("{request:?}").contains(TOKEN));
    Ok(())
}

/// What completes no handshake with the right certificate is not the Internet.
#[tokio::test]
async fn a_probe_tells_target_by_target() -> Result<()> {
    let (authority, stranger) = (Authority::new()?, Authority::new()?);
    let (right, portal) = (double(&authority.issue(&["127.0.0.1"])?)?, double(&stranger.issue(&["127.0.0.1"])?)?);
    let stack = HttpStack::new(Some(authority.pem().as_bytes()))?;
    let target = |double: &CloudflareDouble| HostPort::parse(&double.address().to_string()).expect("host:port");
    let report = stack.probe(vec![target(&right), target(&portal)]).probe().await;
    assert_eq!(report.targets[0].outcome, Ok(()));
    assert!(
        matches!(&report.targets[1].outcome, Err(Unreached::Untrusted(what)) if what.contains("signed by nobody")),
        "{report:?}"
    );
    Ok(())
}

/// The request as it goes over the wire in the clear.
#[tokio::test]
async fn a_request_names_its_host_and_nothing_it_should_not() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stack = HttpStack::new(None)?;
    let transport = stack.http1(Endpoint::parse(&format!("http://{address}/base/")).expect("a URL"), LIMITS);
    let server = async {
        let (mut stream, _) = listener.accept().await?;
        let mut octets = vec![0; 4096];
        let length = stream.read(&mut octets).await?;
        anyhow::Ok(String::from_utf8_lossy(&octets[..length]).into_owned())
    };
    let (_, head) = tokio::join!(get(&transport, "/zones?name=a"), server);
    let head = head?.to_ascii_lowercase();
    assert!(head.starts_with("get /base/zones?name=a http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {address}\r\n")) && head.contains("user-agent: ddnsd/"), "{head}");
    Ok(())
}

/// What a small device asks for, and what it is told.
#[tokio::test]
async fn credentials_go_where_a_device_looks_for_them_and_its_challenges_come_back() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let stack = HttpStack::new(None)?;
    let transport = stack.http1(Endpoint::parse(&url).expect("a URL"), LIMITS);
    let cases = [
        (Credentials::Digest("username=\"admin\", nc=00000001".into()), "/rpc", "GET /rpc HTTP/1.1", true),
        (
            Credentials::Query("user=admin&password=a%26b".into()),
            "/cm?cmnd=Power",
            "/cm?cmnd=Power&user=admin&password=a%26b ",
            false,
        ),
        (Credentials::Query("user=admin&password=a%26b".into()), "/cm", "GET /cm?user=admin&password=a%26b ", false),
    ];
    for (credentials, path, wanted, field) in cases {
        let credentials = Some(credentials);
        let request = HttpRequest { method: Method::Get, path: path.into(), credentials, accept: "*/*", body: None };
        assert!(!format!("{request:?}").contains("admin"), "{request:?}");
        let server = async {
            let (mut stream, _) = listener.accept().await?;
            let mut head = vec![];
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await?);
            }
            let answer =
                b"HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Digest nonce=\"1\"\r\n\
                           Connection: close\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await?;
            anyhow::Ok(String::from_utf8(head)?)
        };
        let (response, head) = tokio::join!(transport.exchange(request), server);
        let (response, head) = (response?, head?);
        assert!(head.contains(wanted), "{head}");
        assert_eq!(head.contains("authorization: Digest username=\"admin\", nc=00000001\r\n"), field, "{head}");
        assert_eq!(response.authenticate.as_deref(), Some("Basic realm=\"x\", Digest nonce=\"1\""));
    }
    Ok(())
}
