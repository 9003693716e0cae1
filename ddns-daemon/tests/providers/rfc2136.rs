//! Dynamic updates against two real name servers.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use ddns_core::config::HostPort;
use ddns_core::ports::{DnsProvider, ProviderError, UpdateRequest};
use ddns_core::record::{RecordKey, RecordType};
use ddns_http::HttpStack;
use ddns_linux::BootClock;
use ddns_provider_rfc2136::Rfc2136;
use ddns_testbed::dynamic_update::{exchange, query};
use ddns_testbed::named::{KEYS, key_file};
use ddns_testbed::{Authority, DnsRelay, Knot, Named, RelayFault};

use crate::contract::{LIMITS, NAME, NEW, Service, ZONE, provider_contract};

/// A name server behind a relay that can lose answers. `S` is the server.
pub struct Primary<S> {
    relay: DnsRelay,
    dns: SocketAddr,
    server: S,
}

impl Primary<Named<'static>> {
    pub fn bind() -> Result<Self> {
        let named = Named::start_on_loopback(&[ZONE], &Authority::new()?.issue(&["127.0.0.1"])?)?;
        Self::before(named.dns(), named)
    }
}

impl Primary<Knot> {
    pub fn knot() -> Result<Self> {
        let knot = Knot::start_on_loopback(&[ZONE])?;
        Self::before(knot.dns(), knot)
    }
}

impl<S> Primary<S> {
    fn before(dns: SocketAddr, server: S) -> Result<Self> {
        let relay = DnsRelay::start(None, ([127, 0, 0, 1], 0).into(), dns)?;
        Ok(Self { relay, dns, server })
    }

    fn with_key(&self, key: &str, server: SocketAddr) -> Result<Arc<dyn DnsProvider>> {
        let server = HostPort::parse(&server.to_string()).map_err(|reason| anyhow!(reason))?;
        let transport = Arc::new(HttpStack::new(None)?.dns(server, LIMITS));
        let provider = Rfc2136::with_key(transport, Arc::new(BootClock), key, None);
        Ok(Arc::new(provider.map_err(|reason| anyhow!(reason))?))
    }

    fn over_udp(&self) -> Result<Arc<dyn DnsProvider>> {
        let server = HostPort::parse(&self.relay.address().to_string()).map_err(|reason| anyhow!(reason))?;
        let transport = Arc::new(HttpStack::new(None)?.dns_udp(server, LIMITS));
        let provider = Rfc2136::with_key(transport, Arc::new(BootClock), &key_file(KEYS[0].0, KEYS[0].1), None);
        Ok(Arc::new(provider.map_err(|reason| anyhow!(reason))?))
    }

    /// The data and the TTL of what is held.
    fn records(&self) -> Result<Vec<(String, u32)>> {
        let (server, question) = (self.dns, query(NAME, "A")?);
        let answer = apart(async move { exchange(server, &question).await })?;
        Ok(answer.answers.iter().map(|record| (record.data.to_string(), record.ttl)).collect())
    }
}

/// Waits for something on a thread and a runtime of its own: that of the contract must not be blocked from within.
fn apart<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let waiting = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work)
    });
    waiting.join().map_err(|_| anyhow!("it panicked"))?
}

impl<S> Service for Primary<S> {
    fn provider(&self) -> Result<Arc<dyn DnsProvider>> {
        self.with_key(&key_file(KEYS[0].0, KEYS[0].1), self.relay.address())
    }

    fn stranger(&self) -> Result<Arc<dyn DnsProvider>> {
        self.with_key(&key_file("stranger", KEYS[0].1), self.relay.address())
    }

    fn held(&self) -> Result<Vec<String>> {
        Ok(self.records()?.into_iter().map(|(data, _)| data).collect())
    }

    fn put(&self, address: &str) -> Result<()> {
        let provider = self.with_key(&key_file(KEYS[1].0, KEYS[1].1), self.dns)?;
        let key = RecordKey { name: NAME.parse()?, rtype: RecordType::A };
        let address = address.parse()?;
        let request = UpdateRequest { key, address, previous: None, handle: None, ttl: Some(1234) };
        apart(async move { provider.update(&request).await.map(drop).context("putting a record") })
    }

    fn attributes(&self) -> Option<Result<bool>> {
        Some(self.records().map(|records| records.iter().all(|(_, ttl)| *ttl == 1234)))
    }

    fn lose_answer(&self) {
        self.relay.push(RelayFault::LoseAnswer);
    }

    fn garble_answer(&self) {
        self.relay.push(RelayFault::Garbage);
    }
}

fn update(address: &str) -> Result<UpdateRequest> {
    let key = RecordKey { name: NAME.parse()?, rtype: RecordType::A };
    Ok(UpdateRequest { key, address: address.parse()?, previous: None, handle: None, ttl: None })
}

/// FAULTS 34: it is held until somebody thaws it, and then works.
#[tokio::test(flavor = "current_thread")]
async fn a_frozen_zone_is_refused_with_its_remedy_until_it_is_thawed() -> Result<()> {
    let primary = Primary::bind()?;
    let provider = primary.provider()?;
    primary.server.freeze(ZONE)?;
    let error = provider.update(&update(NEW)?).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unauthorized { .. }), "{error:?}");
    assert!(error.to_string().contains("thaw the zone if it is frozen"), "{error}");
    assert_eq!(primary.held()?, Vec::<String>::new());
    primary.server.thaw(ZONE)?;
    provider.update(&update(NEW)?).await?;
    assert_eq!(primary.held()?, [NEW]);
    Ok(())
}

/// FAULTS 34: a secondary answers with authority for the zone, and takes no updates.
#[tokio::test(flavor = "current_thread")]
async fn a_secondary_is_refused_and_the_primary_asked_for() -> Result<()> {
    let primary = Primary::bind()?;
    let secondary = primary.server.secondary(&Authority::new()?.issue(&["127.0.0.1"])?)?;
    let provider = primary.with_key(&key_file(KEYS[0].0, KEYS[0].1), secondary.dns())?;
    let error = provider.update(&update(NEW)?).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unauthorized { .. }), "{error:?}");
    assert!(error.to_string().contains("name the zone's primary in DDNS_RFC2136_SERVER"), "{error}");
    assert_eq!(primary.held()?, Vec::<String>::new());
    Ok(())
}

/// FAULTS 33. Whatever is lost on the way, and however often the update arrives, the record is right and the answer true.
#[tokio::test(flavor = "current_thread")]
async fn over_udp_a_lost_update_or_answer_is_made_good_by_a_repetition() -> Result<()> {
    let (bind, knot) = (Primary::bind()?, Primary::knot()?);
    made_good(&bind).await?;
    made_good(&knot).await
}

async fn made_good<S>(primary: &Primary<S>) -> Result<()> {
    use RelayFault::{LoseAnswer, LoseUpdate};
    // What is lost, and the messages that it takes: updates, all in all, and those of them in datagrams.
    let cases: [(&[RelayFault], [usize; 3]); 4] = [
        // The zone, what is there, the update, and what is there then.
        (&[], [1, 4, 4]),
        (&[LoseUpdate], [2, 5, 5]),
        // The repetition's prerequisites fail; a further read shows why.
        (&[LoseAnswer], [2, 6, 6]),
        // The third goes over TCP, and so do both reads after it.
        (&[LoseAnswer, LoseAnswer], [3, 7, 4]),
    ];
    for (number, (faults, expected)) in (2..).zip(cases) {
        let address = format!("11.0.0.{number}");
        let before = (primary.relay.updates(), primary.relay.queries(), primary.relay.datagrams());
        faults.iter().for_each(|fault| primary.relay.push(*fault));
        let provider = primary.over_udp()?;
        provider.update(&update(&address)?).await.with_context(|| format!("{faults:?}"))?;
        assert_eq!(Service::held(primary)?, [address], "{faults:?}");
        let updates = primary.relay.updates() - before.0;
        let all = updates + primary.relay.queries() - before.1;
        assert_eq!([updates, all, primary.relay.datagrams() - before.2], expected, "{faults:?}");
    }
    Ok(())
}

/// What a server says counts as much in a datagram, and what is not signed as little.
#[tokio::test(flavor = "current_thread")]
async fn over_udp_the_failures_are_those_of_tcp() -> Result<()> {
    let primary = Primary::bind()?;
    primary.server.freeze(ZONE)?;
    let error = primary.over_udp()?.update(&update(NEW)?).await.unwrap_err();
    assert!(matches!(error, ProviderError::Unauthorized { .. }), "{error:?}");
    primary.server.thaw(ZONE)?;
    primary.relay.push(RelayFault::Tamper);
    let error = primary.over_udp()?.update(&update(NEW)?).await.unwrap_err();
    assert!(error.to_string().contains("signature is wrong"), "{error}");
    assert_eq!(primary.held()?, [NEW], "an answer that was changed on its way says nothing of the update");
    Ok(())
}

provider_contract!(
    against_bind: crate::rfc2136::Primary::bind(),
    against_knot: crate::rfc2136::Primary::knot(),
);
