use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use ddns_core::config::{Config, SecretFile, SecretFiles, Settings};
use ddns_core::memory_store::MemoryStoreFactory;
use ddns_core::ports::{
    Clock, DnsError, DnsTransport, Gateway, Gateways, HttpError, HttpRequest, HttpResponse, HttpTransport, SourceError,
};
use ddns_core::registry::{Parts, ProviderRegistry};
use ddns_core::time::{Instant, Wall};
use ddns_discover::{DiscoverFactory, HttpPollFactory};
use ddns_linux::KernelSourceFactory;
use ddns_plug::PlugFactory;
use ddns_provider_cloudflare::{API_TOKEN, CloudflareFactory};
use ddns_provider_dyndns2::{Dyndns2Factory, PASSWORD};
use ddns_provider_rfc2136::{Rfc2136Factory, TSIG_KEY};
use ddns_store_file::FileStoreFactory;
use ddns_store_sled::SledStoreFactory;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};

const SECRETS: [&str; 4] = [API_TOKEN.name, TSIG_KEY.name, PASSWORD.name, ddns_plug::PASSWORD.name];

/// A world that nobody should ask: configuration is read before anything is opened.
struct Closed;

impl Clock for Closed {
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

impl Gateways for Closed {
    fn watch(&self) -> BoxStream<'static, Result<Vec<Gateway>, SourceError>> {
        futures_util::stream::pending().boxed()
    }
}

#[async_trait]
impl HttpTransport for Closed {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        unreachable!("reading the configuration asked for {}", request.path)
    }
}

#[async_trait]
impl DnsTransport for Closed {
    async fn exchange(&self, _message: &[u8]) -> Result<Vec<u8>, DnsError> {
        unreachable!("reading the configuration asked a name server")
    }
}

/// The same content under every path, which is the path itself.
struct Echo;

impl SecretFiles for Echo {
    fn read(&self, path: &Path) -> std::io::Result<SecretFile> {
        Ok(SecretFile { content: path.as_os_str().as_encoded_bytes().to_vec(), world_readable: true })
    }
}

/// An environment, one `NAME=value` a line.
pub fn environment(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let environment: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();

    let registry = ProviderRegistry::default()
        .source(Box::new(KernelSourceFactory))
        .source(Box::new(DiscoverFactory::always()))
        .source(Box::new(DiscoverFactory::auto()))
        .source(Box::new(HttpPollFactory))
        .provider(Box::new(CloudflareFactory))
        .provider(Box::new(Rfc2136Factory))
        .provider(Box::new(Dyndns2Factory))
        .plugs(Box::new(PlugFactory))
        .store(Box::new(SledStoreFactory::new(Arc::new(|| Command::new("/nonexistent")))))
        .store(Box::new(FileStoreFactory))
        .store(Box::new(MemoryStoreFactory));
    let known = registry.variables();
    let mut settings = Settings::new(environment.clone(), &known, &Echo);
    let config = Config::read(&mut settings);
    let clock: Arc<dyn Clock> = Arc::new(Closed);
    let parts = Parts {
        transports: &|_| Arc::new(Closed),
        plug_transports: Arc::new(|_| Arc::new(Closed)),
        dns: &|_| Arc::new(Closed),
        dns_udp: &|_| Arc::new(Closed),
        transports_over: &|_, _| Arc::new(Closed),
        dns_over: &|_, _| Arc::new(Closed),
        host: &|settings| Some(KernelSourceFactory::host(settings, &config, &clock)),
        gateways: Arc::new(Closed),
        clock: Arc::clone(&clock),
        config: &config,
    };
    let plugins = registry.build(&mut settings, &parts);
    let (warnings, problems) = settings.finish();

    let is_known = |name: &str| {
        let is = |name: &str| known.iter().any(|variable| variable.name == name);
        let alone = ungrouped(name, &environment);
        let secret = alone.strip_suffix("_FILE").is_some_and(|name| SECRETS.contains(&name));
        is(&alone) || secret
    };
    let unknown = environment.keys().filter(|name| name.starts_with("DDNS_") && !is_known(name));
    for name in unknown {
        assert!(problems.iter().any(|problem| problem.variable == *name), "{name} is passed over");
    }
    assert!(plugins.is_some() || !problems.is_empty(), "no plug-ins, and nobody is told why");
    assert!(!problems.is_empty() || !config.records.is_empty(), "nothing to do, and nobody is told why");
    let is_secret = |name: &str| SECRETS.contains(&ungrouped(name, &environment).as_str());
    for problem in warnings.iter().chain(&problems).filter(|problem| is_secret(&problem.variable)) {
        let secret = environment.get(&problem.variable).filter(|secret| !secret.is_empty());
        assert!(secret.is_none() || problem.value.as_ref() != secret, "a secret is told");
    }
}

/// The documented name of a variable, which may stand in a group of this environment.
fn ungrouped(name: &str, environment: &BTreeMap<String, String>) -> String {
    let after = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.split_once('_'));
    let is_number = |text: &str| text.parse::<u32>().is_ok_and(|number| number.to_string() == text);
    match (after("DDNS_RECORD_"), after("DDNS_PROVIDER_")) {
        (Some((number, rest)), _) if is_number(number) => format!("DDNS_RECORD_<N>_{rest}"),
        (_, Some((provider, rest))) => match environment.get(&format!("DDNS_PROVIDER_{provider}_TYPE")) {
            Some(kind) if kind.eq_ignore_ascii_case("rfc2136") && matches!(rest, "SERVER" | "ZONE") => {
                format!("DDNS_RFC2136_{rest}")
            }
            Some(kind) if kind.eq_ignore_ascii_case("rfc2136") && rest.starts_with("TSIG_KEY") => {
                format!("DDNS_RFC2136_{rest}")
            }
            Some(_) => format!("DDNS_PROVIDER_{rest}"),
            None => name.to_owned(),
        },
        _ => name.to_owned(),
    }
}
