//! The configuration protocol of userspace implementations (<https://www.wireguard.com/xplatform/>), as far as handshakes
//! need it, from any octets.
//!
//! The answer to `get=1` holds the interface's private key and the peers' preshared keys. A line is looked at where it lies
//! in one buffer, which is overwritten line by line; no error quotes one.

use std::io;
use std::path::Path;
use std::time::Duration;

use ddns_core::time::Wall;
use ddns_core::wireguard::{Peer, PeerKey};
use secrecy::zeroize::{Zeroize, Zeroizing};
use tokio::net::UnixStream;
use tokio::time::timeout;

const REQUEST: &[u8] = b"get=1\n\n";
/// For the whole exchange.
const LIMIT: Duration = Duration::from_secs(2);
/// The longest answer, in octets: some ten thousand peers.
const LONGEST: usize = 8 << 20;
/// The longest line, in octets; an endpoint with a zone has less than half of that.
const LINE: usize = 256;
const NANOS: u64 = 1_000_000_000;

/// Why no peers came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("no connection to the socket")]
    Connect(#[source] io::Error),
    #[error("the connection broke")]
    Broken(#[source] io::Error),
    #[error("no whole answer within {} seconds", LIMIT.as_secs())]
    Late,
    #[error("the answer is longer than {LONGEST} octets")]
    TooLong,
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// What is wrong with an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AnswerError {
    /// It isn't of the protocol.
    #[error("line {line} of the answer is not of the protocol")]
    Malformed {
        /// The line, from 1 on.
        line: usize,
    },
    /// It ends before its end.
    #[error("the answer breaks off")]
    Incomplete,
    /// The implementation has failed.
    #[error("the implementation reports errno {0}")]
    Errno(i64),
}

/// Asks for everything, and keeps the peers.
pub(crate) async fn ask(path: &Path) -> Result<Vec<Peer>, AskError> {
    timeout(LIMIT, exchange(path)).await.unwrap_or(Err(AskError::Late))
}

async fn exchange(path: &Path) -> Result<Vec<Peer>, AskError> {
    let stream = UnixStream::connect(path).await.map_err(AskError::Connect)?;
    let mut unsent = REQUEST;
    while !unsent.is_empty() {
        stream.writable().await.map_err(AskError::Broken)?;
        match stream.try_write(unsent) {
            Ok(sent) => unsent = unsent.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(AskError::Broken(error)),
        }
    }
    let mut buffer = Zeroizing::new(vec![0; 4096]);
    let (mut answer, mut received) = (Answer::default(), 0);
    while !answer.complete() {
        stream.readable().await.map_err(AskError::Broken)?;
        match stream.try_read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                received += length;
                if received > LONGEST {
                    return Err(AskError::TooLong);
                }
                answer.take(buffer.get(..length).unwrap_or_default())?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(AskError::Broken(error)),
        }
    }
    Ok(answer.finish()?)
}

/// An answer while it comes in.
pub(crate) struct Answer {
    line: Zeroizing<[u8; LINE]>,
    length: usize,
    number: usize,
    peers: Vec<ReadPeer>,
    errno: Option<i64>,
    complete: bool,
}

#[derive(Default)]
struct ReadPeer {
    key: [u8; 32],
    seconds: Option<u64>,
    nanos: Option<u64>,
}

impl Default for Answer {
    fn default() -> Self {
        let line = Zeroizing::new([0; LINE]);
        Self { line, length: 0, number: 1, peers: Vec::new(), errno: None, complete: false }
    }
}

impl Answer {
    /// The empty line that ends it has come.
    pub(crate) const fn complete(&self) -> bool {
        self.complete
    }

    /// More of it, cut anywhere.
    pub(crate) fn take(&mut self, octets: &[u8]) -> Result<(), AnswerError> {
        for octet in octets {
            let malformed = AnswerError::Malformed { line: self.number };
            if self.complete {
                return Err(malformed);
            }
            if *octet != b'\n' {
                *self.line.get_mut(self.length).ok_or(malformed)? = *octet;
                self.length += 1;
                continue;
            }
            let line = self.line.get(..self.length).unwrap_or_default();
            if line.is_empty() {
                self.complete = true;
            } else {
                read_line(line, &mut self.peers, &mut self.errno).ok_or(malformed)?;
            }
            self.line.zeroize();
            self.length = 0;
            self.number += 1;
        }
        Ok(())
    }

    /// The peers of a whole answer.
    pub(crate) fn finish(self) -> Result<Vec<Peer>, AnswerError> {
        match (self.complete, self.errno) {
            (false, _) | (true, None) => Err(AnswerError::Incomplete),
            (true, Some(0)) => {
                let all = AnswerError::Malformed { line: self.number };
                self.peers.iter().map(|peer| peer.whole().ok_or(all)).collect()
            }
            (true, Some(errno)) => Err(AnswerError::Errno(errno)),
        }
    }
}

/// `None` for a line that can't stand where it stands. Keys of the protocol that are not needed are passed over.
fn read_line(line: &[u8], peers: &mut Vec<ReadPeer>, errno: &mut Option<i64>) -> Option<()> {
    let equals = line.iter().position(|octet| *octet == b'=')?;
    let (name, value) = (line.get(..equals)?, line.get(equals + 1..)?);
    let word = |octet: &u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || *octet == b'_';
    if name.is_empty() || !name.iter().all(word) || errno.is_some() {
        return None;
    }
    match name {
        b"errno" => *errno = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
        b"public_key" => peers.push(ReadPeer { key: hex(value)?, ..ReadPeer::default() }),
        b"last_handshake_time_sec" => set(&mut peers.last_mut()?.seconds, number(value)?)?,
        b"last_handshake_time_nsec" => {
            set(&mut peers.last_mut()?.nanos, number(value).filter(|nanos| *nanos < NANOS)?)?;
        }
        _ => {}
    }
    Some(())
}

/// Once only.
fn set(slot: &mut Option<u64>, value: u64) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

fn hex(value: &[u8]) -> Option<[u8; 32]> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let value: &[u8; 64] = value.try_into().ok()?;
    let mut key = [0; 32];
    for (octet, [high, low]) in key.iter_mut().zip(value.as_chunks().0) {
        *octet = digit(*high)? << 4 | digit(*low)?;
    }
    Some(key)
}

impl ReadPeer {
    fn whole(&self) -> Option<Peer> {
        let handshake = wall(self.seconds.unwrap_or(0), self.nanos.unwrap_or(0))?;
        Some(Peer { key: PeerKey(self.key), handshake })
    }
}

/// Zero is never; `None` for what is no time at all.
pub(super) fn wall(seconds: u64, nanos: u64) -> Option<Option<Wall>> {
    let millis = seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000)?;
    Some((seconds != 0 || nanos != 0).then_some(Wall::from_millis(millis)))
}

#[cfg(test)]
mod tests;
