//! The engine's ports, with a stopwatch: each does what the one beneath it does, and counts.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ddns_core::address::{IpChangeEvent, Snapshot};
use ddns_core::driver::Ports;
use ddns_core::ports::{
    AddressList, Clock, DnsProvider, Finding, IpSource, LoadError, Observed, PathProbe, PathReport, PlugAddress,
    PlugChoice, PlugError, PlugOrder, PlugReport, PowerSwitch, PowerSwitches, ProviderError, SaveError, SourceError,
    StateStore, UpdateRequest, UpdateResult, Verifier, Vote,
};
use ddns_core::record::RecordKey;
use ddns_core::state::SavedState;
use ddns_core::time::Instant;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::instruments::Instruments;
use crate::labels;

/// What the last round of probes has found.
pub(crate) type LastProbe = Arc<Mutex<Option<PathReport>>>;

struct Metered<P: ?Sized> {
    port: Arc<P>,
    /// The name under which it is counted.
    name: String,
    clock: Arc<dyn Clock>,
    instruments: Arc<Instruments>,
}

impl<P: ?Sized> Metered<P> {
    fn since(&self, begin: Instant) -> std::time::Duration {
        self.clock.now().saturating_since(begin)
    }
}

/// All ports, counted; `sources` and `providers` are the names of those, in their order.
pub(crate) fn metered(
    ports: Ports,
    instruments: &Arc<Instruments>,
    sources: &[String],
    last_probe: &LastProbe,
) -> Ports {
    let clock = Arc::clone(&ports.clock);
    fn wrap<P: ?Sized>(port: Arc<P>, name: String, clock: &Arc<dyn Clock>, to: &Arc<Instruments>) -> Metered<P> {
        Metered { port, name, clock: Arc::clone(clock), instruments: Arc::clone(to) }
    }
    let named = ports.sources.into_iter().zip(sources.iter().cloned());
    let provider = |port: Arc<dyn DnsProvider>| -> Arc<dyn DnsProvider> {
        let name = port.name().to_owned();
        Arc::new(wrap(port, name, &clock, instruments))
    };
    let nameless = String::new;
    Ports {
        sources: named
            .map(|(port, name)| -> Arc<dyn IpSource> { Arc::new(wrap(port, name, &clock, instruments)) })
            .collect(),
        providers: ports.providers.into_iter().map(provider).collect(),
        verifier: Arc::new(wrap(ports.verifier, nameless(), &clock, instruments)),
        store: Arc::new(wrap(ports.store, nameless(), &clock, instruments)),
        probe: Arc::new(MeteredProbe {
            probe: wrap(ports.probe, nameless(), &clock, instruments),
            last: Arc::clone(last_probe),
        }),
        plugs: ports
            .plugs
            .map(|plugs| -> Arc<dyn PowerSwitches> { Arc::new(wrap(plugs, nameless(), &clock, instruments)) }),
        clock: ports.clock,
        connections: ports.connections,
    }
}

#[async_trait]
impl IpSource for Metered<dyn IpSource> {
    async fn current(&self) -> Result<Snapshot, SourceError> {
        self.port.current().await
    }

    fn watch(&self) -> BoxStream<'static, Result<IpChangeEvent, SourceError>> {
        let (name, clock, to) = (self.name.clone(), Arc::clone(&self.clock), Arc::clone(&self.instruments));
        let mut last = None;
        let counted = move |news: &Result<IpChangeEvent, SourceError>| {
            let Ok(event) = news else { return };
            let hint = &event.hint;
            let changed = last.as_ref() != Some(&event.snapshot);
            last = Some(event.snapshot.clone());
            to.events.add(u64::from(hint.announcements), &[&name, hint.rung]);
            to.looks.one(&[&name, hint.rung, if changed { "changed" } else { "unchanged" }]);
            if hint.after_loss {
                to.losses.one(&[&name, hint.rung]);
            }
            to.address_answer.took(clock.now().saturating_since(hint.received_at), &[&name]);
        };
        self.port.watch().inspect(counted).boxed()
    }

    fn look_again(&self) {
        self.port.look_again();
    }
}

#[async_trait]
impl DnsProvider for Metered<dyn DnsProvider> {
    fn name(&self) -> &'static str {
        self.port.name()
    }

    fn supports(&self, key: &RecordKey) -> bool {
        self.port.supports(key)
    }

    async fn read(&self, key: &RecordKey) -> Result<Observed, ProviderError> {
        let begin = self.clock.now();
        let result = self.port.read(key).await;
        self.instruments.provider_calls.took(self.since(begin), &[&self.name, "read", labels::read(&result)]);
        result
    }

    async fn update(&self, request: &UpdateRequest) -> Result<UpdateResult, ProviderError> {
        let begin = self.clock.now();
        let result = self.port.update(request).await;
        let outcome = result.as_ref().map_or_else(labels::failed_call, |done| labels::update(done.kind));
        self.instruments.provider_calls.took(self.since(begin), &[&self.name, "update", outcome]);
        result
    }

    async fn check(&self, keys: &[RecordKey]) -> Vec<Finding> {
        self.port.check(keys).await
    }

    fn address_list(&self) -> Option<&dyn AddressList> {
        self.port.address_list()
    }
}

impl Metered<dyn Verifier> {
    fn counted(&self, whom: &str, begin: Instant, votes: Vec<Vote>) -> Vec<Vote> {
        self.instruments.lookups.took(self.since(begin), &[whom]);
        for vote in &votes {
            self.instruments.votes.one(&[whom, labels::lookup(&vote.answer)]);
        }
        votes
    }
}

#[async_trait]
impl Verifier for Metered<dyn Verifier> {
    fn resolvers(&self) -> usize {
        self.port.resolvers()
    }

    async fn resolve(&self, key: &RecordKey, quorum: usize) -> Vec<Vote> {
        let begin = self.clock.now();
        self.counted("resolvers", begin, self.port.resolve(key, quorum).await)
    }

    async fn authorities(&self, key: &RecordKey) -> Vec<Vote> {
        let begin = self.clock.now();
        self.counted("authorities", begin, self.port.authorities(key).await)
    }
}

#[async_trait]
impl StateStore for Metered<dyn StateStore> {
    async fn load(&self) -> Result<Option<SavedState>, LoadError> {
        let begin = self.clock.now();
        let result = self.port.load().await;
        self.instruments.store_operations.took(self.since(begin), &["load", labels::ok(&result)]);
        result
    }

    async fn save(&self, state: &SavedState) -> Result<(), SaveError> {
        let begin = self.clock.now();
        let result = self.port.save(state).await;
        self.instruments.store_operations.took(self.since(begin), &["save", labels::ok(&result)]);
        result
    }
}

struct MeteredProbe {
    probe: Metered<dyn PathProbe>,
    last: LastProbe,
}

#[async_trait]
impl PathProbe for MeteredProbe {
    async fn probe(&self) -> PathReport {
        let Metered { port, clock, instruments, .. } = &self.probe;
        let begin = clock.now();
        let report = port.probe().await;
        instruments.probe_duration.took(self.probe.since(begin), &[]);
        for target in &report.targets {
            instruments.probes.one(&[&target.target, labels::probe(&target.outcome)]);
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
        report
    }
}

impl PowerSwitches for Metered<dyn PowerSwitches> {
    fn configured(&self) -> Option<&PlugChoice> {
        self.port.configured()
    }

    fn open(&self, plug: &PlugAddress) -> Arc<dyn PowerSwitch> {
        Arc::new(Metered {
            port: self.port.open(plug),
            name: String::new(),
            clock: Arc::clone(&self.clock),
            instruments: Arc::clone(&self.instruments),
        })
    }
}

#[async_trait]
impl PowerSwitch for Metered<dyn PowerSwitch> {
    async fn carry_out(&self, order: PlugOrder) -> Result<PlugReport, PlugError> {
        let begin = self.clock.now();
        let result = self.port.carry_out(order).await;
        let values = [labels::order(order), labels::plug(&result)];
        self.instruments.plug_orders.took(self.since(begin), &values);
        result
    }
}
