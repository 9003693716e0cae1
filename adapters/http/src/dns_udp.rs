use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::config::HostPort;
use ddns_core::ports::{DnsError, DnsTransport};
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use crate::dns::TcpDns;
use crate::transport::lost;

/// What may go in one datagram, and what an answer without EDNS has at most (RFC 1035 §4.2.1, RFC 2136 §2).
const LONGEST: usize = 512;
/// How often a message is sent over UDP, and how long an answer is waited for each time.
const ATTEMPTS: u32 = 2;
const WAIT: Duration = Duration::from_secs(2);
/// Where UDP was silent and TCP was not, UDP is left alone for this long.
const REST: Duration = Duration::from_secs(300);

/// The header of a message; the question follows it (RFC 1035 §4.1.1).
const HEADER: usize = 12;
/// The bits of the third octet: an answer, the code of operation, cut short.
const QR: u8 = 0x80;
const OPCODE: u8 = 0x78;
const TC: u8 = 0x02;

/// A [`DnsTransport`] over UDP, bound to one server. What is too long for a datagram goes over TCP, and what was answered
/// with the beginning of an answer or not at all goes there once more.
///
/// **A message may arrive more than once**: its sender has to see to it that a repetition does no harm, as the prerequisites
/// of a dynamic update do.
pub struct UdpDns {
    tcp: TcpDns,
    rests_until: Mutex<Option<Instant>>,
}

impl UdpDns {
    pub(crate) const fn new(tcp: TcpDns) -> Self {
        Self { tcp, rests_until: Mutex::new(None) }
    }

    fn rests(&self) -> bool {
        let until = self.rests_until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn rest(&self) {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + REST);
    }

    /// The answer, whole or not. `TimedOut` says that there was none.
    async fn by_udp(&self, message: &[u8]) -> io::Result<Vec<u8>> {
        let HostPort { host, port } = &self.tcp.server;
        let address = match host.parse() {
            Ok(address) => SocketAddr::new(address, *port),
            Err(_) => {
                let mut found = timeout(WAIT, lookup_host((host.as_str(), *port))).await??;
                found.next().ok_or(io::ErrorKind::NotFound)?
            }
        };
        // The kernel chooses a random port, and lets nobody else's datagrams through.
        let socket = match address {
            SocketAddr::V4(_) => UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?,
            SocketAddr::V6(_) => UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).await?,
        };
        socket.connect(address).await?;
        let local = socket.local_addr()?.ip();
        tokio::select! {
            biased;
            answer = ask(&socket, message) => answer,
            () = lost(self.tcp.held.clone(), local) => Err(io::ErrorKind::AddrNotAvailable.into()),
        }
    }
}

#[async_trait]
impl DnsTransport for UdpDns {
    async fn exchange(&self, message: &[u8]) -> Result<Vec<u8>, DnsError> {
        if message.len() > LONGEST || message.len() < HEADER || self.rests() {
            return self.tcp.exchange(message).await;
        }
        let silent = match self.by_udp(message).await {
            Ok(answer) if answer.get(2).is_some_and(|flags| flags & TC == 0) => return Ok(answer),
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::TimedOut,
        };
        let answer = self.tcp.exchange(message).await?;
        if silent {
            self.rest();
        }
        Ok(answer)
    }
}

async fn ask(socket: &UdpSocket, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    for _ in 0..ATTEMPTS {
        socket.send(message).await?;
        let until = Instant::now() + WAIT;
        while let Ok(received) = timeout_at(until, socket.recv(&mut buffer)).await {
            let answer = buffer.get(..received?).unwrap_or_default();
            if answers(answer, message) {
                return Ok(answer.to_vec());
            }
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Whether this can be the answer; any other datagram with the server's address is passed over. A failure, and the answer
/// to an update (RFC 2136 §3.8), may leave the question out.
fn answers(answer: &[u8], message: &[u8]) -> bool {
    let (Some((told, rest)), Some((asked, question))) =
        (answer.split_at_checked(HEADER), message.split_at_checked(HEADER))
    else {
        return false;
    };
    let count = |header: &[u8]| header.get(4..6).map(<[u8]>::to_vec);
    let same_question = || {
        let question = question.get(..question_length(question)).unwrap_or_default();
        let head = rest.get(..question.len());
        count(told) == count(asked) && head.is_some_and(|head| head.eq_ignore_ascii_case(question))
    };
    told[..2] == asked[..2]
        && told[2] & QR != 0
        && told[2] & OPCODE == asked[2] & OPCODE
        && (count(told) == Some(vec![0, 0]) || same_question())
}

/// The length of one question: the labels of its name up to the root, type and class.
fn question_length(octets: &[u8]) -> usize {
    let mut at = 0;
    while let Some(label) = octets.get(at).filter(|label| **label != 0) {
        at += 1 + usize::from(*label);
    }
    at + 5
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A query for the SOA record of ddns.test, with the id 7.
    const QUERY: &[u8] = b"\0\x07\0\0\0\x01\0\0\0\0\0\0\x04ddns\x04test\0\0\x06\0\x01";

    fn changed(at: usize, to: u8) -> Vec<u8> {
        let mut answer = QUERY.to_vec();
        answer[2] |= QR;
        answer[at] = to;
        answer.extend(b"whatever follows");
        answer
    }

    #[test]
    fn an_answer_has_id_operation_and_question_of_what_was_asked() {
        assert!(answers(&changed(1, 7), QUERY));
        assert!(answers(&changed(13, b'D'), QUERY), "names are the same in capitals");
        assert!(answers(&changed(2, QR | TC), QUERY), "also if it is cut short");
        assert!(answers(&changed(5, 0)[..HEADER], QUERY), "without a question");
        let wrong = [(1, 8), (2, 0), (2, QR | 0x28), (13, b'x'), (QUERY.len() - 3, 5), (5, 2)];
        for (at, to) in wrong {
            assert!(!answers(&changed(at, to), QUERY), "octet {at} as {to}");
        }
        for length in 0..QUERY.len() {
            assert!(!answers(&changed(1, 7)[..length], QUERY), "{length} octets");
        }
    }
}
