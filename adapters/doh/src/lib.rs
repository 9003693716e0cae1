//! Verifier: DNS over HTTPS (RFC 8484), wire format, by POST so that no HTTP cache gives an old answer.
//!
//! The resolvers are recursive: their answer may be as old as its TTL, and none of it counts as the zone's own word.

mod message;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use ddns_core::ports::{Answer, HttpRequest, HttpTransport, LookupError, Method, Verifier, Vote};
use ddns_core::record::RecordKey;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

/// The media type of RFC 8484 §6.
const DNS_MESSAGE: &str = "application/dns-message";

/// One resolver: what it is called in logs, and the transport that is bound to its URL.
pub struct Resolver {
    /// Its URL.
    pub name: String,
    /// The way to it.
    pub transport: Arc<dyn HttpTransport>,
}

/// Asks several resolvers.
pub struct DohVerifier {
    resolvers: Vec<Resolver>,
}

impl DohVerifier {
    /// A verifier over these.
    pub const fn new(resolvers: Vec<Resolver>) -> Self {
        Self { resolvers }
    }
}

async fn ask(resolver: &Resolver, key: &RecordKey) -> Vote {
    let answer = exchange(resolver, key).await;
    Vote { resolver: resolver.name.clone(), answer }
}

async fn exchange(resolver: &Resolver, key: &RecordKey) -> Result<Answer, LookupError> {
    let query = message::query(key)?;
    let request = HttpRequest {
        method: Method::Post,
        path: String::new(),
        credentials: None,
        accept: DNS_MESSAGE,
        body: Some((DNS_MESSAGE, query)),
    };
    let response =
        resolver.transport.exchange(request).await.map_err(|error| LookupError::NoAnswer { cause: error.into() })?;
    if response.status != 200 {
        return Err(LookupError::Status(response.status));
    }
    if !response.content_type.eq_ignore_ascii_case(DNS_MESSAGE) {
        return Err(LookupError::Garbage("the content type is not application/dns-message"));
    }
    message::answer(&response.body, key)
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
}

fn agreeing(votes: &[Vote], set: &BTreeSet<IpAddr>) -> usize {
    votes.iter().filter(|vote| vote.answer.as_ref().is_ok_and(|answer| answer.addresses == *set)).count()
}
