use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use super::Cause;
use crate::record::RecordKey;

/// Asks what a record holds, of the zone's own name servers and of the world's resolvers.
#[async_trait]
pub trait Verifier: Send + Sync {
    /// How many resolvers it asks.
    fn resolvers(&self) -> usize;

    /// Asks all resolvers at once and returns their votes as soon as `quorum` of them agree on a set of addresses, or
    /// when all have answered or timed out.
    async fn resolve(&self, key: &RecordKey, quorum: usize) -> Vec<Vote>;

    /// Asks every name server of the record's zone; empty if it can't tell who they are. Never by the host's own
    /// resolver, whose view of the zone may be another one (trap 14).
    async fn authorities(&self, _key: &RecordKey) -> Vec<Vote> {
        Vec::new()
    }
}

/// The word of one resolver or name server.
#[derive(Debug)]
pub struct Vote {
    /// Who.
    pub resolver: String,
    /// What.
    pub answer: Result<Answer, LookupError>,
}

/// An answer, after CNAMEs were followed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The RRset as a set; empty for NXDOMAIN and NODATA.
    pub addresses: BTreeSet<IpAddr>,
    /// How long a cache may go on giving this answer (RFC 2181 §5.2, RFC 2308 §5 for negative ones).
    pub ttl: Duration,
}

/// Why a resolver has no say.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// It could not be asked, or did not answer whole.
    #[error("no answer")]
    NoAnswer {
        /// Why.
        #[source]
        cause: Cause,
    },
    /// HTTP said no.
    #[error("HTTP status {0}")]
    Status(u16),
    /// The server answered with an error (SERVFAIL, REFUSED and others).
    #[error("response code {0}")]
    Rcode(String),
    /// What came is not the answer to the question.
    #[error("not an answer: {0}")]
    Garbage(&'static str),
}
