use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use ddns_core::config::{self, Config, Endpoint, Problem, SecretFile, SecretFiles, Settings};
use ddns_core::error_chain;
use ddns_core::ports::{
    Clock, Gateway, Gateways, HttpTransport, PlugError, PlugOrder, PlugReport, PowerSwitch, PowerSwitches, SourceError,
};
use ddns_core::registry::{Factory, Parts};
use ddns_core::time::{Instant, Wall};
use ddns_http::{HttpStack, Limits};
use ddns_plug::PlugFactory;
use ddns_testbed::{PlainPlug, Plug, PlugSetup, ShellyGen1, ShellyGen2, Tasmota};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

pub const KINDS: [&str; 4] = ["shelly1", "shelly2", "tasmota", "http"];
pub const MAC: &str = "a8032ab12345";
pub const PASSWORD: &str = "correct horse & battery/staple";
/// For events: a test that waits for so long has failed.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Long enough to be told from a timer that has run out, short enough to be waited for.
pub const SHORT: PlugOrder = PlugOrder::Off { back_on: Duration::from_secs(3) };
pub const LONG: PlugOrder = PlugOrder::Off { back_on: Duration::from_secs(600) };

pub type Double = Box<dyn Deref<Target = Plug>>;

pub fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub fn start_as(kind: &str, setup: PlugSetup) -> Result<Double> {
    let place = (None, loopback());
    Ok(match kind {
        "shelly1" => Box::new(ShellyGen1::start(place, setup)?),
        "shelly2" => Box::new(ShellyGen2::start(place, setup)?),
        "tasmota" => Box::new(Tasmota::start(place, setup)?),
        _ => Box::new(PlainPlug::start(place, setup)?),
    })
}

pub fn start(kind: &str) -> Result<Double> {
    start_as(kind, PlugSetup::default())
}

/// Where each kind is asked who it is, told to switch, and asked for its state.
pub fn parts(kind: &str) -> [&'static str; 4] {
    match kind {
        "shelly1" => ["/shelly", "turn=off", "turn=on", "/relay/0"],
        "shelly2" => ["/shelly", "on=false", "on=true", "GetStatus"],
        "tasmota" => ["Status", "Power1%200", "Power1%201", "Power1"],
        _ => ["/state", "/off", "/on", "/state"],
    }
}

pub type Environment = BTreeMap<&'static str, String>;

pub fn environment(kind: &str, address: SocketAddr) -> Environment {
    let mut environment = BTreeMap::from([
        ("DDNS_PLUG_KIND", kind.to_owned()),
        ("DDNS_PLUG_HOST", address.to_string()),
        ("DDNS_PLUG_FEEDS", "router".to_owned()),
    ]);
    if kind == "http" {
        environment.extend([
            ("DDNS_PLUG_ON_PATH", "/on".to_owned()),
            ("DDNS_PLUG_OFF_PATH", "/off?after={seconds}".to_owned()),
            ("DDNS_PLUG_STATE_PATH", "/state".to_owned()),
            ("DDNS_PLUG_STATE_ON", "/relay/on=true".to_owned()),
            ("DDNS_PLUG_STATE_OFF", "\"on\":false".to_owned()),
        ]);
    }
    environment
}

pub fn with_password(mut environment: Environment, password: &str) -> Environment {
    if environment["DDNS_PLUG_KIND"] == "http" {
        environment.insert("DDNS_PLUG_USER", "admin".to_owned());
    }
    environment.insert("DDNS_PLUG_PASSWORD", password.to_owned());
    environment
}

pub struct Built {
    pub plugs: Option<Arc<dyn PowerSwitches>>,
    pub warnings: Vec<Problem>,
    pub problems: Vec<Problem>,
}

impl Built {
    /// What the configuration chose, if it is in order.
    pub fn switch(&self) -> Arc<dyn PowerSwitch> {
        assert_eq!(self.problems, [], "the configuration is in order");
        let plugs = self.plugs.as_ref().expect("a plug was built");
        plugs.open(&plugs.configured().expect("a plug is configured").plug)
    }
}

pub fn build(environment: &Environment) -> Built {
    build_within(environment, Duration::from_secs(30))
}

pub fn build_within(environment: &Environment, answer: Duration) -> Built {
    let known = [config::VARIABLES, PlugFactory.variables()].concat();
    let common = [("DDNS_RECORDS", "a.example.com"), ("DDNS_PROBE_TARGETS", "192.0.2.1:443,198.51.100.1:443")];
    let common = common.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let own = environment.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let mut settings = Settings::new(own.chain(common), &known, &NoFiles);
    let config = Config::read(&mut settings);
    let stack = HttpStack::new(None).expect("a stack without further trust");
    let limits = Limits { connect: Duration::from_secs(5), handshake: Duration::ZERO, answer, body: 65_536 };
    let transports = move |endpoint: &Endpoint| -> Arc<dyn HttpTransport> { stack.http1(endpoint.clone(), limits) };
    let parts = Parts {
        transports: &|_| panic!("nobody asked for one"),
        plug_transports: Arc::new(transports),
        dns: &|_| panic!("nobody asked for one"),
        dns_udp: &|_| panic!("nobody asked for one"),
        transports_over: &|_, _| panic!("nobody asked for one"),
        dns_over: &|_, _| panic!("nobody asked for one"),
        host: &|_| panic!("nobody asked for it"),
        gateways: Arc::new(Nothing),
        clock: Arc::new(Nothing),
        config: &config,
    };
    let plugs = PlugFactory.build(&mut settings, &parts);
    let (warnings, problems) = settings.finish();
    Built { plugs, warnings, problems }
}

/// The class of an error, and all that it says.
pub fn told(outcome: &Result<PlugReport, PlugError>) -> (&'static str, String) {
    match outcome {
        Ok(report) => (if report.on { "on" } else { "off" }, String::new()),
        Err(error) => {
            let class = match error {
                PlugError::Unreachable { .. } => "unreachable",
                PlugError::Unconfirmed { .. } => "unconfirmed",
                PlugError::Refused { .. } => "refused",
            };
            let text = format!("{} {error:?}", error_chain(error));
            assert!(!text.contains("correct") || !text.contains("horse"), "the password is told: {text}");
            (class, text)
        }
    }
}

struct NoFiles;

impl SecretFiles for NoFiles {
    fn read(&self, _path: &Path) -> std::io::Result<SecretFile> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

struct Nothing;

impl Clock for Nothing {
    fn now(&self) -> Instant {
        Instant::default()
    }

    fn wall(&self) -> Wall {
        Wall::default()
    }

    fn sleep_until(&self, _deadline: Instant) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

impl Gateways for Nothing {
    fn watch(&self) -> BoxStream<'static, Result<Vec<Gateway>, SourceError>> {
        futures_util::stream::pending().boxed()
    }
}
