//! DNS over UDP against a real BIND, and against servers that misbehave, on loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use ddns_core::config::HostPort;
use ddns_core::ports::{DnsError, DnsTransport};
use ddns_http::{HttpStack, Limits, UdpDns};
use ddns_testbed::{Authority, DnsRelay, Named};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(10),
    handshake: Duration::from_secs(10),
    answer: Duration::from_secs(20),
    body: 65_535,
};

/// A query for the SOA record of ddns.test, with the id 7.
const QUERY: &[u8] = b"\0\x07\0\0\0\x01\0\0\0\0\0\0\x04ddns\x04test\0\0\x06\0\x01";

fn transport(server: &str) -> Result<UdpDns> {
    let server = HostPort::parse(server).map_err(anyhow::Error::msg)?;
    Ok(HttpStack::new(None)?.dns_udp(server, LIMITS))
}

/// An answer to what was asked, with the rest as its contents.
fn answer(asked: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut answer = asked.to_vec();
    answer[2] |= 0x80;
    answer.extend(rest);
    answer
}

/// Datagrams, and whether the server itself sends them.
type Datagrams = Vec<(Vec<u8>, bool)>;

/// A server on both transports.
struct Server {
    address: String,
    datagrams: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Over UDP it sends what `udp` makes of a message, one datagram after another; each is sent by the server itself, or,
    /// with `false`, by somebody else. Over TCP it answers "tcp" to everything, if at all.
    async fn start(udp: fn(&[u8]) -> Datagrams, tcp: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (socket, other) = (UdpSocket::bind(address).await?, UdpSocket::bind("127.0.0.1:0").await?);
        let (datagrams, connections) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&datagrams);
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                counted.fetch_add(1, Ordering::Relaxed);
                for (datagram, own) in udp(&buffer[..length]) {
                    let socket = if own { &socket } else { &other };
                    let _ = socket.send_to(&datagram, client).await;
                }
            }
        });
        let counted = Arc::clone(&connections);
        if tcp {
            tokio::spawn(async move {
                while let Ok((mut stream, _)) = listener.accept().await {
                    counted.fetch_add(1, Ordering::Relaxed);
                    let length = stream.read_u16().await.unwrap();
                    stream.read_exact(&mut vec![0; usize::from(length)]).await.unwrap();
                    stream.write_all(b"\0\x03tcp").await.unwrap();
                }
            });
        }
        Ok(Self { address: address.to_string(), datagrams, connections })
    }

    /// Datagrams and connections that have come in.
    fn came(&self) -> (usize, usize) {
        (self.datagrams.load(Ordering::Relaxed), self.connections.load(Ordering::Relaxed))
    }
}

#[tokio::test]
async fn a_real_name_server_answers_in_one_datagram() -> Result<()> {
    let named = Named::start_on_loopback(&["ddns.test"], &Authority::new()?.issue(&["127.0.0.1"])?)?;
    let relay = DnsRelay::start(None, ([127, 0, 0, 1], 0).into(), named.dns())?;
    let answer = transport(&relay.address().to_string())?.exchange(QUERY).await?;
    assert_eq!((&answer[..2], answer[3] & 0xf, answer[7]), (&QUERY[..2], 0, 1), "the id, NOERROR and one answer");
    assert_eq!((relay.queries(), relay.datagrams()), (1, 1));
    Ok(())
}

#[tokio::test]
async fn what_is_no_answer_to_the_question_is_passed_over() -> Result<()> {
    let server = Server::start(
        |asked| {
            let with = |at: usize, bits: u8| {
                let mut forged = answer(asked, b"forged");
                forged[at] ^= bits;
                (forged, true)
            };
            let others = (answer(asked, b"forged"), false);
            vec![others, with(1, 1), with(2, 0x80), with(2, 0x28), with(14, 1), (answer(asked, b"good"), true)]
        },
        false,
    )
    .await?;
    assert_eq!(transport(&server.address)?.exchange(QUERY).await?, answer(QUERY, b"good"));
    assert_eq!(server.came(), (1, 0));
    Ok(())
}

#[tokio::test]
async fn what_is_cut_short_and_what_is_too_long_goes_over_tcp() -> Result<()> {
    let cut = |asked: &[u8]| {
        let mut cut = answer(asked, b"");
        cut[2] |= 0x02;
        vec![(cut, true)]
    };
    let server = Server::start(cut, true).await?;
    let transport = transport(&server.address)?;
    for times in 1..=2 {
        assert_eq!(transport.exchange(QUERY).await?, b"tcp");
        assert_eq!(server.came(), (times, times), "UDP stays the first choice");
    }
    let long = [QUERY, &vec![0; 513 - QUERY.len()]].concat();
    assert_eq!(transport.exchange(&long).await?, b"tcp");
    assert_eq!(server.came(), (2, 3));
    Ok(())
}

/// A server behind a filter, or none for UDP; the time that this takes is spent once.
#[tokio::test]
async fn what_is_not_answered_goes_over_tcp_and_the_next_message_at_once() -> Result<()> {
    let server = Server::start(|_| Vec::new(), true).await?;
    let transport = transport(&server.address)?;
    assert_eq!(transport.exchange(QUERY).await?, b"tcp");
    assert_eq!(server.came(), (2, 1));
    assert_eq!(transport.exchange(QUERY).await?, b"tcp");
    assert_eq!(server.came(), (2, 2));
    Ok(())
}

#[tokio::test]
async fn a_repetition_is_answered_if_the_first_was_lost() -> Result<()> {
    static CAME: AtomicUsize = AtomicUsize::new(0);
    let second = |asked: &[u8]| match CAME.fetch_add(1, Ordering::Relaxed) {
        0 => Vec::new(),
        _ => vec![(answer(asked, b"late"), true)],
    };
    let server = Server::start(second, true).await?;
    assert_eq!(transport(&server.address)?.exchange(QUERY).await?, answer(QUERY, b"late"));
    assert_eq!(server.came(), (2, 0));
    Ok(())
}

#[tokio::test]
async fn without_a_service_on_udp_tcp_is_used_at_once_and_without_any_nothing_was_sent() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let transport = transport(&address)?;
    let serve = async {
        let (mut stream, _) = listener.accept().await?;
        let length = stream.read_u16().await?;
        stream.read_exact(&mut vec![0; usize::from(length)]).await?;
        stream.write_all(b"\0\x03tcp").await
    };
    let (answered, served) = tokio::join!(transport.exchange(QUERY), serve);
    served?;
    assert_eq!(answered?, b"tcp");
    drop(listener);
    let error = transport.exchange(QUERY).await.unwrap_err();
    assert!(matches!(error, DnsError::Connect { .. }) && !error.sent(), "{error}");
    Ok(())
}
