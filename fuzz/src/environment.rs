use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use ddns_core::config::{Config, SecretFile, SecretFiles, Settings};
use ddns_core::memory_store::MemoryStoreFactory;
use ddns_core::ports::{Clock, HttpError, HttpRequest, HttpResponse, HttpTransport};
use ddns_core::registry::{Parts, ProviderRegistry};
use ddns_core::time::{Instant, Wall};
use ddns_linux::KernelSourceFactory;
use ddns_provider_cloudflare::{API_TOKEN, CloudflareFactory};
use ddns_store_file::FileStoreFactory;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

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

#[async_trait]
impl HttpTransport for Closed {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        unreachable!("reading the configuration asked for {}", request.path)
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
        .provider(Box::new(CloudflareFactory))
        .store(Box::new(FileStoreFactory))
        .store(Box::new(MemoryStoreFactory));
    let known = registry.variables();
    let mut settings = Settings::new(environment.clone(), &known, &Echo);
    let config = Config::read(&mut settings);
    let parts = Parts { transports: &|_| Arc::new(Closed), clock: Arc::new(Closed), config: &config };
    let plugins = registry.build(&mut settings, &parts);
    let (warnings, problems) = settings.finish();

    let is_known = |name: &str| {
        let is = |name: &str| known.iter().any(|variable| variable.name == name);
        is(name) || name == "DDNS_PROVIDER_API_TOKEN_FILE"
    };
    let unknown = environment.keys().filter(|name| name.starts_with("DDNS_") && !is_known(name));
    for name in unknown {
        assert!(problems.iter().any(|problem| problem.variable == *name), "{name} is passed over");
    }
    assert!(plugins.is_some() || !problems.is_empty(), "no plug-ins, and nobody is told why");
    assert!(!problems.is_empty() || !config.records.is_empty(), "nothing to do, and nobody is told why");
    let secret = environment.get(API_TOKEN.name).filter(|secret| !secret.is_empty());
    for problem in warnings.iter().chain(&problems).filter(|problem| problem.variable == API_TOKEN.name) {
        assert!(secret.is_none() || problem.value.as_ref() != secret, "a secret is told");
    }
}
