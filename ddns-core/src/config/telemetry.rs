use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;

use super::{Endpoint, Kind, Settings, Variable};
use crate::ports::Credentials;

/// What is measured, and who gets it.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// Metrics are counted, and `/metrics` of the admin socket tells them.
    pub metrics: bool,
    /// Where they can be read over TCP, without a right to anything else.
    pub listen: Option<SocketAddr>,
    /// The collector that they and traces are sent to.
    pub otlp: Option<OtlpConfig>,
}

/// A collector that takes OTLP over HTTP.
#[derive(Clone, Debug)]
pub struct OtlpConfig {
    /// Where it is; `/v1/metrics` and `/v1/traces` lie beneath.
    pub endpoint: Endpoint,
    /// Who we are, if it asks.
    pub credentials: Option<Credentials>,
    /// Between two exports of metrics.
    pub interval: Duration,
}

impl TelemetryConfig {
    /// Whether anything is measured at all.
    pub const fn on(&self) -> bool {
        self.metrics || self.otlp.is_some()
    }
}

const METRICS: Variable = Variable {
    name: "DDNS_METRICS",
    kind: Kind::Choice { values: &["false", "true"], default: "false" },
    help: "`true`: metrics are counted, and `/metrics` of the admin socket tells them in Prometheus's text format. See \
           [Metrics](metrics.md).",
};
const METRICS_LISTEN: Variable = Variable {
    name: "DDNS_METRICS_LISTEN",
    kind: Kind::Optional { format: "an address:port, such as 127.0.0.1:9853" },
    help: "The same over TCP, with `/healthz` and `/readyz` and nothing else. Whoever reaches the port can read it: there is \
           no password and no TLS.",
};
const OTLP_ENDPOINT: Variable = Variable {
    name: "DDNS_OTLP_ENDPOINT",
    kind: Kind::Optional { format: "an https:// or http:// URL, such as http://127.0.0.1:4318" },
    help: "An OpenTelemetry collector, to which metrics and a trace of each change are sent by OTLP over HTTP (protobuf).",
};
const OTLP_USER: Variable = Variable {
    name: "DDNS_OTLP_USER",
    kind: Kind::Optional { format: "a name without a colon" },
    help: "The user at the collector, whose password is `DDNS_OTLP_TOKEN`.",
};
const OTLP_TOKEN: Variable = Variable {
    name: "DDNS_OTLP_TOKEN",
    kind: Kind::OptionalSecret,
    help: "What the collector is to know us by: a bearer token, or the password of `DDNS_OTLP_USER`.",
};
const OTLP_INTERVAL_SECS: Variable = Variable {
    name: "DDNS_OTLP_INTERVAL_SECS",
    kind: Kind::Number { min: 1, max: 86_400, default: 60 },
    help: "Between two exports of the metrics. A trace is sent as soon as its change is proven.",
};

pub(super) const VARIABLES: [Variable; 6] =
    [METRICS, METRICS_LISTEN, OTLP_ENDPOINT, OTLP_USER, OTLP_TOKEN, OTLP_INTERVAL_SECS];

impl TelemetryConfig {
    pub(super) fn read(settings: &mut Settings<'_>) -> Self {
        let listen = settings.parsed(&METRICS_LISTEN, |text| {
            let address: SocketAddr = text.parse().map_err(|_| "not an IP address with a port".to_owned())?;
            if address.port() == 0 {
                return Err("no port".to_owned());
            }
            Ok(address)
        });
        if listen.is_some_and(|address| !address.ip().is_loopback()) {
            settings.warn(
                &METRICS_LISTEN,
                "everybody who reaches this address can read the metrics",
                "listen on 127.0.0.1 or on an address of the VPN, or have a firewall",
            );
        }
        Self { metrics: listen.is_some() || settings.choice(&METRICS) == "true", listen, otlp: otlp(settings) }
    }
}

fn otlp(settings: &mut Settings<'_>) -> Option<OtlpConfig> {
    let endpoint = settings.parsed(&OTLP_ENDPOINT, Endpoint::parse);
    let interval = Duration::from_secs(settings.number(&OTLP_INTERVAL_SECS));
    let token = settings
        .optional_secret_as(&OTLP_TOKEN, "put in what the collector issued", |text| Ok(SecretString::from(text)));
    let user = settings.parsed(&OTLP_USER, |text| match text.contains(':') {
        true => Err("a colon ends a name (RFC 7617)".to_owned()),
        false => Ok(text.to_owned()),
    });
    if settings.text(&OTLP_ENDPOINT).is_none() {
        for (variable, set) in [(&OTLP_USER, user.is_some()), (&OTLP_TOKEN, token.is_some())] {
            if set {
                settings.problem(variable, "set without a collector", "set DDNS_OTLP_ENDPOINT too");
            }
        }
    } else if user.is_some() && token.is_none() {
        settings.problem(&OTLP_USER, "set without a password", "set DDNS_OTLP_TOKEN_FILE too");
    }
    let endpoint = endpoint?;
    if !endpoint.secure && token.is_some() {
        settings.warn(&OTLP_ENDPOINT, "plain http:// tells the token to everybody on the way", "use https://");
    }
    let credentials = token.map(|token| match user {
        Some(user) => Credentials::Basic { user, password: token },
        None => Credentials::Bearer(token),
    });
    Some(OtlpConfig { endpoint, credentials, interval })
}
