//! DNS over TCP against a real BIND, and against servers that misbehave, on loopback.

use std::time::Duration;

use anyhow::Result;
use ddns_core::config::HostPort;
use ddns_core::ports::{DnsError, DnsTransport, Phase};
use ddns_http::{HttpStack, Limits, TcpDns};
use ddns_testbed::{Authority, Named};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    handshake: Duration::from_secs(10),
    answer: Duration::from_secs(20),
    body: 65_535,
};

/// A query for the SOA record of ddns.test, with the id 7.
const QUERY: &[u8] = b"\0\x07\0\0\0\x01\0\0\0\0\0\0\x04ddns\x04test\0\0\x06\0\x01";

fn transport(server: &str, limits: Limits) -> Result<TcpDns> {
    let server = HostPort::parse(server).map_err(anyhow::Error::msg)?;
    Ok(HttpStack::new(None)?.dns(server, limits))
}

/// A server that does this with the one connection it gets.
async fn server<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        if let Ok((stream, _)) = listener.accept().await {
            serve(stream).await;
        }
    });
    Ok(address)
}

#[tokio::test]
async fn a_real_name_server_answers_what_it_was_asked() -> Result<()> {
    let named = Named::start_on_loopback(&["ddns.test"], &Authority::new()?.issue(&["127.0.0.1"])?)?;
    let answer = transport(&named.dns().to_string(), LIMITS)?.exchange(QUERY).await?;
    assert_eq!(answer[..2], QUERY[..2], "the id");
    assert_eq!((answer[3] & 0xf, answer[7]), (0, 1), "NOERROR and one answer");
    Ok(())
}

#[tokio::test]
async fn length_and_message_leave_together_and_the_answer_may_come_in_pieces() -> Result<()> {
    let address = server(async |mut stream: TcpStream| {
        let mut request = vec![0; QUERY.len() + 2];
        let first = stream.read(&mut request).await.unwrap();
        assert_eq!((first, &request[..2], &request[2..]), (QUERY.len() + 2, &[0, 27][..], QUERY));
        for piece in [&b"\0"[..], b"\x03a", b"bc"] {
            stream.write_all(piece).await.unwrap();
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
    })
    .await?;
    assert_eq!(transport(&address, LIMITS)?.exchange(QUERY).await?, b"abc");
    Ok(())
}

#[tokio::test]
async fn what_became_of_the_message_is_told() -> Result<()> {
    let nobody = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.to_string();
    let error = transport(&nobody, LIMITS)?.exchange(QUERY).await.unwrap_err();
    assert!(matches!(error, DnsError::Connect { .. }) && !error.sent(), "{error}");

    let error = transport(&nobody, LIMITS)?.exchange(&[0; 65_536]).await.unwrap_err();
    assert!(matches!(error, DnsError::TooLong { octets: 65_536, .. }) && !error.sent(), "{error}");

    let cut = server(async |mut stream: TcpStream| {
        stream.read_u16().await.unwrap();
        stream.write_all(b"\0\x09half").await.unwrap();
    })
    .await?;
    let error = transport(&cut, LIMITS)?.exchange(QUERY).await.unwrap_err();
    assert!(matches!(error, DnsError::Broken { .. }) && error.sent(), "{error}");

    let silent = server(async |stream: TcpStream| {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await?;
    let hasty = Limits { answer: Duration::from_millis(50), ..LIMITS };
    let error = transport(&silent, hasty)?.exchange(QUERY).await.unwrap_err();
    assert!(matches!(error, DnsError::Timeout { phase: Phase::Answer, .. }) && error.sent(), "{error}");
    Ok(())
}
