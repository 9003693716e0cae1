//! Verifier: DNS over HTTPS (RFC 8484), wire format, by POST so that no HTTP cache gives an old answer; and the zone's own
//! name servers, each asked itself.
//!
//! The resolvers are recursive: their answer may be as old as its TTL, and none of it counts as the zone's own word.

mod authorities;
mod message;
mod resolver;

use std::collections::BTreeSet;
use std::net::IpAddr;

use async_trait::async_trait;
use ddns_core::ports::{Verifier, Vote};
use ddns_core::record::RecordKey;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

pub use authorities::{Authorities, Transports};
pub use resolver::Resolver;

/// Asks several resolvers, and a zone's own name servers.
pub struct DohVerifier {
    resolvers: Vec<Resolver>,
    authorities: Option<Authorities>,
}

impl DohVerifier {
    /// A verifier over these resolvers.
    pub const fn new(resolvers: Vec<Resolver>) -> Self {
        Self { resolvers, authorities: None }
    }

    /// The same, which can ask the zone's own name servers too.
    #[must_use]
    pub fn with_authorities(self, authorities: Authorities) -> Self {
        Self { authorities: Some(authorities), ..self }
    }
}

async fn ask(resolver: &Resolver, key: &RecordKey) -> Vote {
    let answer = async { message::answer(&resolver.exchange(message::query(key)?).await?, key) };
    Vote { resolver: resolver.name.clone(), answer: answer.await }
}

#[async_trait]
impl Verifier for DohVerifier {
    fn resolvers(&self) -> usize {
        self.resolvers.len()
    }

    async fn resolve(&self, key: &RecordKey, quorum: usize) -> Vec<Vote> {
        let mut pending: FuturesUnordered<_> = self.resolvers.iter().map(|resolver| ask(resolver, key)).collect();
        let mut votes: Vec<Vote> = Vec::with_capacity(self.resolvers.len());
        while let Some(vote) = pending.next().await {
            votes.push(vote);
            let Some(Ok(last)) = votes.last().map(|vote| &vote.answer) else { continue };
            if agreeing(&votes, &last.addresses) >= quorum {
                break;
            }
        }
        votes
    }

    async fn authorities(&self, key: &RecordKey) -> Vec<Vote> {
        match &self.authorities {
            Some(authorities) => authorities.ask(key, &self.resolvers).await,
            None => Vec::new(),
        }
    }
}

fn agreeing(votes: &[Vote], set: &BTreeSet<IpAddr>) -> usize {
    votes.iter().filter(|vote| vote.answer.as_ref().is_ok_and(|answer| answer.addresses == *set)).count()
}
