//! Plug-ins by name.

use std::sync::Arc;

use ddns_core::config::{Config, Endpoint, HostPort, Kind, SecretFile, SecretFiles, Settings, Variable};
use ddns_core::memory_store::MemoryStoreFactory;
use ddns_core::ports::{Clock, DnsProvider, DnsTransport, Gateway, Gateways, HttpTransport, IpSource, SourceError};
use ddns_core::registry::{Factory, Parts, ProviderRegistry};
use ddns_core::time::{Instant, Wall};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};

struct NoFiles;

impl SecretFiles for NoFiles {
    fn read(&self, _path: &std::path::Path) -> std::io::Result<SecretFile> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Instant {
        Instant::default()
    }

    fn wall(&self) -> Wall {
        Wall::default()
    }

    fn sleep_until(&self, _deadline: Instant) -> BoxFuture<'static, ()> {
        std::future::pending().boxed()
    }
}

struct NoGateways;

impl Gateways for NoGateways {
    fn watch(&self) -> BoxStream<'static, Result<Vec<Gateway>, SourceError>> {
        futures_util::stream::pending().boxed()
    }
}

/// Needs a variable of its own and builds nothing.
struct Needs(&'static str, &'static [&'static str], &'static [Variable]);

const NEEDED: [Variable; 1] =
    [Variable { name: "DDNS_MINE", kind: Kind::Required { format: "anything" }, help: "What the model needs." }];

impl<Port: ?Sized> Factory<Port> for Needs {
    fn name(&self) -> &'static str {
        self.0
    }

    fn aliases(&self) -> &'static [&'static str] {
        self.1
    }

    fn variables(&self) -> &'static [Variable] {
        self.2
    }

    fn build(&self, settings: &mut Settings<'_>, _parts: &Parts<'_>) -> Option<Arc<Port>> {
        settings.text(&self.2[0])?;
        None
    }
}

fn registry() -> ProviderRegistry {
    let source: Box<dyn Factory<dyn IpSource>> = Box::new(Needs("kernel", &["netlink"], &NEEDED));
    let provider: Box<dyn Factory<dyn DnsProvider>> = Box::new(Needs("cloudflare", &[], &NEEDED));
    ProviderRegistry::default().source(source).provider(provider).store(Box::new(MemoryStoreFactory))
}

/// The variables that problems are about, for an environment.
fn problems(environment: &[(&str, &str)]) -> Vec<String> {
    let registry = registry();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let variables = registry.variables();
    let mut settings = Settings::new(environment, &variables, &NoFiles);
    let config = Config::read(&mut settings);
    let transports = |_: &Endpoint| -> Arc<dyn HttpTransport> { panic!("nobody asked for one") };
    let dns = |_: &HostPort| -> Arc<dyn DnsTransport> { panic!("nobody asked for one") };
    let parts = Parts {
        transports: &transports,
        plug_transports: Arc::new(transports),
        dns: &dns,
        dns_udp: &dns,
        transports_over: &|_, endpoint| transports(endpoint),
        dns_over: &|_, server| dns(server),
        host: &|_| panic!("nobody asked for it"),
        gateways: Arc::new(NoGateways),
        clock: Arc::new(NoClock),
        config: &config,
    };
    let plugins = registry.build(&mut settings, &parts);
    assert!(plugins.is_none(), "the models build nothing");
    settings.finish().1.into_iter().map(|problem| format!("{} {}", problem.variable, problem.remedy)).collect()
}

/// Seed 000 §6.5: plug-ins are found by name; a former name will do.
#[test]
fn a_plug_in_is_found_by_its_name_or_a_former_one_and_all_are_tried() {
    let mine = "DDNS_MINE set it to anything".to_owned();
    let records = ("DDNS_RECORDS", "a.example.com");
    for source in ["kernel", "netlink"] {
        let chosen = [records, ("DDNS_IP_SOURCE_TYPE", source), ("DDNS_STATE_STORE_TYPE", "memory")];
        assert_eq!(problems(&chosen), [mine.clone(), mine.clone()], "source and provider both say so");
    }
    let unknown = problems(&[
        records,
        ("DDNS_IP_SOURCE_TYPE", "tarot"),
        ("DDNS_PROVIDER_TYPE", "abacus"),
        ("DDNS_STATE_STORE_TYPE", "slate"),
    ]);
    let wanted = [
        "DDNS_IP_SOURCE_TYPE use one of: kernel",
        "DDNS_PROVIDER_TYPE use one of: cloudflare",
        "DDNS_STATE_STORE_TYPE use one of: memory",
    ];
    assert_eq!(unknown, wanted);
}

#[test]
fn a_variable_that_two_plug_ins_share_is_listed_once() {
    let variables = registry().variables();
    assert_eq!(variables.iter().filter(|variable| variable.name == "DDNS_MINE").count(), 1);
    assert!(variables.len() > 10 && variables.last().unwrap().name == "DDNS_MINE", "after the common ones");
}
