//! Name servers that answer a question with the address it came from.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use ddns_core::address::Family;
use ddns_core::ports::{DnsError, DnsTransport, VoteError, Voter};
use ddns_core::record::RecordName;

use crate::random;

pub mod message;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhoamiType {
    /// An address record: A over IPv4, AAAA over IPv6 (OpenDNS, Akamai).
    Address,
    /// A text (Google).
    Txt,
    /// A text of class CHAOS (Cloudflare).
    ChaosTxt,
}

/// The word names no such type.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not A, AAAA, TXT or CHTXT")]
pub struct UnknownType;

impl FromStr for WhoamiType {
    type Err = UnknownType;

    /// `A` or `AAAA` (both mean: by family), `TXT`, `CHTXT`; case doesn't matter.
    fn from_str(word: &str) -> Result<Self, UnknownType> {
        match word.to_ascii_uppercase().as_str() {
            "A" | "AAAA" => Ok(Self::Address),
            "TXT" => Ok(Self::Txt),
            "CHTXT" => Ok(Self::ChaosTxt),
            _ => Err(UnknownType),
        }
    }
}

/// Asks one name server, itself and not through a resolver: the resolver's address is not ours.
pub struct WhoamiVoter {
    v4: Arc<dyn DnsTransport>,
    v6: Arc<dyn DnsTransport>,
    name: RecordName,
    rtype: WhoamiType,
}

impl WhoamiVoter {
    /// A voter over two transports to the server, of which each must connect over its family only.
    pub fn new(v4: Arc<dyn DnsTransport>, v6: Arc<dyn DnsTransport>, name: RecordName, rtype: WhoamiType) -> Self {
        Self { v4, v6, name, rtype }
    }
}

#[async_trait]
impl Voter for WhoamiVoter {
    async fn ask(&self, family: Family) -> Result<IpAddr, VoteError> {
        let transport = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let id = u16::from_be_bytes(random::octets().map_err(|error| VoteError::Unreachable(error.into()))?);
        let question = message::question(&self.name, self.rtype, family)?;
        let answer = transport.exchange(&message::query(id, &question)?).await.map_err(unanswered)?;
        message::answer(&answer, id, &question)
    }
}

fn unanswered(error: DnsError) -> VoteError {
    match error {
        DnsError::Timeout { .. } => VoteError::TimedOut,
        DnsError::Connect { .. } | DnsError::TooLong { .. } | DnsError::Broken { .. } => {
            VoteError::Unreachable(error.into())
        }
    }
}

#[cfg(test)]
mod tests;
