//! Configuration from `DDNS_*` variables: typed, with every problem at once.

mod endpoint;
mod group;
mod on_change;
mod records;
mod recovery;
mod secret;
mod settings;
mod telemetry;
mod variable;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

pub use endpoint::{Endpoint, HostPort};
pub use group::Group;
pub use on_change::{ON_CHANGE, ON_CHANGE_URL, OnChange};
pub use records::{PluginChoice, ProviderId, RecordSpec, SourceId};
pub use recovery::{ALLOW, RecoveryConfig};
pub use settings::{Problem, SecretFile, SecretFiles, Settings};
pub use telemetry::{OtlpConfig, TelemetryConfig};
pub use variable::{Kind, Variable};

use crate::publish::Pace;
use records::{RECORDS, Records};

/// What every deployment configures, apart from its plug-ins.
#[derive(Clone, Debug)]
pub struct Config {
    /// Decide and say, but write nothing.
    pub dry_run: bool,
    /// The records, in the order in which they are updated.
    pub records: Vec<RecordSpec>,
    /// The sources that the records use.
    pub sources: Vec<PluginChoice>,
    /// The providers that the records use.
    pub providers: Vec<PluginChoice>,
    /// The pace of updates.
    pub pace: Pace,
    /// The rest that ends a phase of changes.
    pub settle: Duration,
    /// The wait before the first look at the addresses.
    pub startup_delay: Duration,
    /// The most news of the source taken before anything else gets its turn.
    pub event_capacity: usize,
    /// Between two looks at the addresses that nothing announced; `None` for none.
    pub audit_interval: Option<Duration>,
    /// What is done about a record that somebody else has changed.
    pub drift: DriftPolicy,
    /// Between two probe rounds while ready; `None` for none.
    pub probe_interval: Option<Duration>,
    /// What is probed.
    pub probe_targets: Vec<HostPort>,
    /// The router that is asked whether it is there, in place of the gateways of the default routes.
    pub router: Option<IpAddr>,
    /// When the router is power-cycled.
    pub recovery: RecoveryConfig,
    /// The resolvers that prove.
    pub doh: Vec<Endpoint>,
    /// The name servers of every zone, in place of looking them up; empty to do that.
    pub dns_servers: Vec<HostPort>,
    /// The VPN that the records lead to.
    pub wireguard: Option<WireGuard>,
    /// Who is told of a verified change.
    pub on_change: OnChange,
    /// Where the admin socket listens.
    pub admin_socket: PathBuf,
    /// What is measured.
    pub telemetry: TelemetryConfig,
}

/// What is done about a record that somebody else has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DriftPolicy {
    /// It is written again.
    #[default]
    Repair,
    /// It is told and left, until the address changes or somebody puts it right.
    Report,
    /// It is left for an hour: whoever changes it does so again and again (FAULTS 44).
    Contested,
}

/// A WireGuard interface of this host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WireGuard {
    /// Its name.
    pub interface: String,
    /// The UDP port that it listens on, which the router is to map.
    pub port: Option<u16>,
}

/// Further trust anchors.
pub const CA_FILE: Variable = Variable {
    name: "DDNS_CA_FILE",
    kind: Kind::Optional { format: "path of a PEM file" },
    help: "Certificates of further authorities to trust, for all TLS connections, beside the built-in ones.",
};
/// The level of the log.
pub const LOG_LEVEL: Variable = Variable {
    name: "DDNS_LOG_LEVEL",
    kind: Kind::Choice { values: &["error", "warn", "info", "debug", "trace"], default: "info" },
    help: "The least level that is logged.",
};
/// The form of the log.
pub const LOG_FORMAT: Variable = Variable {
    name: "DDNS_LOG_FORMAT",
    kind: Kind::Choice { values: &["text", "json", "journald"], default: "text" },
    help: "The form of the log: `text` or `json` lines on standard error, or entries with fields in systemd's journal.",
};
/// The kind of source.
pub const IP_SOURCE_TYPE: Variable = Variable {
    name: "DDNS_IP_SOURCE_TYPE",
    kind: Kind::Plugin { default: "kernel" },
    help: "Where addresses come from. `kernel`: this host's interfaces, by kernel events (`netlink` is its old name). \
           `discover`: several independent services and the router are asked whenever something hints at a change, for \
           hosts behind NAT. `auto`: the former while the host has a public address of its own, else the latter, for \
           each family. `http`: one service, asked at an interval.",
};
/// The kind of provider.
pub const PROVIDER_TYPE: Variable = Variable {
    name: "DDNS_PROVIDER_TYPE",
    kind: Kind::Plugin { default: "cloudflare" },
    help: "Where the records are kept. A further provider is a group with a name of letters and digits, such as BIND: \
           `DDNS_PROVIDER_<NAME>_TYPE` and, in the same way, all that its kind knows below as `DDNS_PROVIDER_…`.",
};
/// The kind of store.
pub const STATE_STORE_TYPE: Variable = Variable {
    name: "DDNS_STATE_STORE_TYPE",
    kind: Kind::Plugin { default: "sled" },
    help: "Where state is kept over restarts. `sled`: in two checksummed slots, with a further copy in a sled database; \
           `file`: in the slots alone; `memory`: not at all.",
};
/// What the process gives up.
pub const SANDBOX: Variable = Variable {
    name: "DDNS_SANDBOX",
    kind: Kind::Text { format: "a comma list of layers, or none", default: "dumpable,landlock,seccomp" },
    help: "What the process gives up at its start, beside every capability once the eBPF programs are in place: `dumpable` (cores, \
           and looks into it), `landlock` (all files but its own), `seccomp` (system calls that it never makes; `seccomp-log` \
           lets them through and has the kernel tell). See [Security](security.md).",
};
const MODE: Variable = Variable {
    name: "DDNS_MODE",
    kind: Kind::Choice { values: &["run", "dry-run"], default: "run" },
    help: "`dry-run` decides and says what it would do, but writes no record and no state.",
};
/// The interface whose addresses are published.
pub const IP_SOURCE_INTERFACE: Variable = Variable {
    name: "DDNS_IP_SOURCE_INTERFACE",
    kind: Kind::Optional { format: "an interface's name" },
    help: "Publish addresses of this interface only. Without it, of any.",
};
const MAX_RETRIES: Variable = Variable {
    name: "DDNS_MAX_RETRIES",
    kind: Kind::Number { min: 0, max: 100, default: 3 },
    help: "Failures in a row after which a record is reported as failing (ERROR) and tried every 5 minutes. A change is \
           never given up.",
};
const RETRY_DELAY_SECS: Variable = Variable {
    name: "DDNS_RETRY_DELAY_SECS",
    kind: Kind::Number { min: 1, max: 300, default: 5 },
    help: "The wait after a first failed update; it doubles with each further one, up to 5 minutes.",
};
const MIN_UPDATE_INTERVAL_SECS: Variable = Variable {
    name: "DDNS_MIN_UPDATE_INTERVAL_SECS",
    kind: Kind::Number { min: 0, max: 86_400, default: 60 },
    help: "The least time between two writes of one record. A change within it is written at its end.",
};
const STARTUP_DELAY_SECS: Variable = Variable {
    name: "DDNS_STARTUP_DELAY_SECS",
    kind: Kind::Number { min: 0, max: 600, default: 0 },
    help: "The wait before the first look at the addresses.",
};
const EVENT_CHANNEL_CAPACITY: Variable = Variable {
    name: "DDNS_EVENT_CHANNEL_CAPACITY",
    kind: Kind::Number { min: 1, max: 100_000, default: 1000 },
    help: "The most kernel announcements folded into one look at the addresses, so that a storm can't keep the rest \
           from its turn. Nothing is dropped: each look sees the whole truth.",
};
const SETTLE_MS: Variable = Variable {
    name: "DDNS_SETTLE_MS",
    kind: Kind::Number { min: 0, max: 500, default: 50 },
    help: "The rest that ends a phase of changes that leave doubt about the new address. A plain swap doesn't wait.",
};
const AUDIT_INTERVAL_SECS: Variable = Variable {
    name: "DDNS_AUDIT_INTERVAL_SECS",
    kind: Kind::Number { min: 0, max: 86_400, default: 600 },
    help: "Between two looks at the addresses, and at what the zone's name servers hold, that nothing has announced; 0 \
           for none.",
};
const DRIFT_POLICY: Variable = Variable {
    name: "DDNS_DRIFT_POLICY",
    kind: Kind::Choice { values: &["repair", "report"], default: "repair" },
    help: "What is done about a record that somebody else has changed: `repair` writes it again, `report` says so and leaves \
           it until the address changes or somebody puts it right. It is noticed by the audit, after an outage and at a \
           start. A record that is changed against us three times in an hour is left for an hour.",
};
const PROBE_INTERVAL_SECS: Variable = Variable {
    name: "DDNS_PROBE_INTERVAL_SECS",
    kind: Kind::Number { min: 0, max: 86_400, default: 120 },
    help: "Between two looks at the way to the Internet while all is well; 0 for none. While not ready it is looked at \
           every 30 seconds.",
};
const PROBE_TARGETS: Variable = Variable {
    name: "DDNS_PROBE_TARGETS",
    kind: Kind::Text {
        format: "a comma list of host:port",
        default: "1.1.1.1:443,8.8.8.8:443,9.9.9.9:443,[2606:4700:4700::1111]:443,[2620:fe::fe]:443",
    },
    help: "Independent servers with TLS. The Internet counts as reachable while at least half of those of one address \
           family complete a handshake.",
};
const ROUTER_IP: Variable = Variable {
    name: "DDNS_ROUTER_IP",
    kind: Kind::Optional { format: "an IP address" },
    help: "The router on the local network, which is asked whether it is there when a probe target isn't reached. Without it \
           the gateways of the default routes are, or the last ones known.",
};
const DOH_URLS: Variable = Variable {
    name: "DDNS_DOH_URLS",
    kind: Kind::Text {
        format: "a comma list of https:// URLs",
        default: "https://cloudflare-dns.com/dns-query,https://dns.google/dns-query,https://dns.quad9.net/dns-query",
    },
    help: "The resolvers that prove a record (RFC 8484). More than half of them have to agree.",
};
const DNS_SERVERS: Variable = Variable {
    name: "DDNS_DNS_SERVERS",
    kind: Kind::Optional { format: "a comma list of address:port" },
    help: "The name servers that hold the records, asked before the resolvers are. Without it the resolvers are asked who \
           they are.",
};
/// Where a running daemon is asked.
pub const ADMIN_SOCKET: Variable = Variable {
    name: "DDNS_ADMIN_SOCKET",
    kind: Kind::Text { format: "path", default: "/run/ddnsd/ddnsd.sock" },
    help: "The Unix socket that `ddnsd status` and `ddnsd history` ask, for the owner and the group. It answers `/healthz`, \
           `/readyz`, `/metrics`, `/v1/status`, `/v1/history` and `/v1/recovery`, and `/wireguard` with \
           `DDNS_WIREGUARD_INTERFACE`. See [the admin socket](admin-api.md).",
};

const WIREGUARD_INTERFACE: Variable = Variable {
    name: "DDNS_WIREGUARD_INTERFACE",
    kind: Kind::Optional { format: "an interface's name" },
    help: "The WireGuard interface that the records lead to: the time to the next handshake after a change is measured, \
           and records that Cloudflare proxies are warned of, since WireGuard doesn't pass through the proxy. See \
           [WireGuard and hooks](wireguard.md).",
};
const WIREGUARD_PORT: Variable = Variable {
    name: "DDNS_WIREGUARD_PORT",
    kind: Kind::Optional { format: "a port from 1 to 65535" },
    help: "The UDP port of `DDNS_WIREGUARD_INTERFACE`. With the source `discover` or `auto` it is kept mapped at the \
           router (PCP, NAT-PMP), and mapped anew when the router has started again.",
};

/// The variables that are the same for all plug-ins, in the order of the documentation.
pub const VARIABLES: &[Variable] = &[
    RECORDS,
    records::NAME,
    records::TYPE,
    records::ENABLED,
    records::PROVIDER,
    records::SOURCE,
    records::INTERFACE,
    records::SUFFIX,
    records::TTL,
    MODE,
    IP_SOURCE_TYPE,
    IP_SOURCE_INTERFACE,
    PROVIDER_TYPE,
    STATE_STORE_TYPE,
    MIN_UPDATE_INTERVAL_SECS,
    RETRY_DELAY_SECS,
    MAX_RETRIES,
    STARTUP_DELAY_SECS,
    SETTLE_MS,
    EVENT_CHANNEL_CAPACITY,
    AUDIT_INTERVAL_SECS,
    DRIFT_POLICY,
    recovery::VARIABLES[0],
    recovery::VARIABLES[1],
    recovery::VARIABLES[2],
    recovery::VARIABLES[3],
    recovery::VARIABLES[4],
    recovery::VARIABLES[5],
    DOH_URLS,
    DNS_SERVERS,
    PROBE_TARGETS,
    PROBE_INTERVAL_SECS,
    ROUTER_IP,
    WIREGUARD_INTERFACE,
    WIREGUARD_PORT,
    on_change::VARIABLES[0],
    on_change::VARIABLES[1],
    on_change::VARIABLES[2],
    CA_FILE,
    ADMIN_SOCKET,
    telemetry::VARIABLES[0],
    telemetry::VARIABLES[1],
    telemetry::VARIABLES[2],
    telemetry::VARIABLES[3],
    telemetry::VARIABLES[4],
    telemetry::VARIABLES[5],
    LOG_LEVEL,
    LOG_FORMAT,
    SANDBOX,
];

impl Config {
    /// Reads [`VARIABLES`]; problems are left in `settings`, whose `finish` tells whether the result is good.
    pub fn read(settings: &mut Settings<'_>) -> Self {
        let Records { specs, sources, providers } = Records::read(settings);
        let min_interval = Duration::from_secs(settings.number(&MIN_UPDATE_INTERVAL_SECS));
        if min_interval.is_zero() {
            settings.warn(
                &MIN_UPDATE_INTERVAL_SECS,
                "a flapping address may use up the provider's rate limit",
                "use 60, unless this is a test",
            );
        }
        let probe_targets = read_each(settings, &PROBE_TARGETS, HostPort::parse);
        Self {
            recovery: RecoveryConfig::read(settings, &probe_targets),
            dry_run: settings.choice(&MODE) == "dry-run",
            records: specs,
            sources,
            providers,
            pace: Pace {
                min_interval,
                retry_delay: Duration::from_secs(settings.number(&RETRY_DELAY_SECS)),
                max_retries: u32::try_from(settings.number(&MAX_RETRIES)).unwrap_or(u32::MAX),
            },
            settle: Duration::from_millis(settings.number(&SETTLE_MS)),
            startup_delay: Duration::from_secs(settings.number(&STARTUP_DELAY_SECS)),
            event_capacity: usize::try_from(settings.number(&EVENT_CHANNEL_CAPACITY)).unwrap_or(usize::MAX),
            audit_interval: interval(settings, &AUDIT_INTERVAL_SECS),
            drift: match settings.choice(&DRIFT_POLICY) {
                "report" => DriftPolicy::Report,
                _ => DriftPolicy::Repair,
            },
            probe_interval: interval(settings, &PROBE_INTERVAL_SECS),
            probe_targets,
            router: router(settings),
            doh: endpoints(settings, &DOH_URLS),
            dns_servers: read_each(settings, &DNS_SERVERS, HostPort::parse),
            wireguard: WireGuard::read(settings),
            on_change: OnChange::read(settings),
            admin_socket: PathBuf::from(settings.text(&ADMIN_SOCKET).unwrap_or_default()),
            telemetry: TelemetryConfig::read(settings),
        }
    }
}

impl Config {
    /// The records whose addresses come from this kind of source.
    pub fn records_of<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a RecordSpec> {
        let from =
            move |record: &&RecordSpec| self.sources.get(record.source.0).is_some_and(|choice| choice.name == source);
        self.records.iter().filter(from)
    }
}

impl WireGuard {
    fn read(settings: &mut Settings<'_>) -> Option<Self> {
        let interface = settings.parsed(&WIREGUARD_INTERFACE, |text| match interface_name(text) {
            true => Ok(text.to_owned()),
            false => Err("not a name that an interface can have".to_owned()),
        });
        let read = |text: &str| {
            let port = text.parse().ok().filter(|port| *port != 0);
            port.ok_or_else(|| "not a port from 1 to 65535".to_owned())
        };
        let port = settings.parsed(&WIREGUARD_PORT, read);
        if port.is_some() && settings.text(&WIREGUARD_INTERFACE).is_none() {
            settings.problem(&WIREGUARD_PORT, "set without an interface", "set DDNS_WIREGUARD_INTERFACE too");
        }
        Some(Self { interface: interface?, port })
    }
}

/// What the kernel accepts (dev_valid_name): such a name can be part of a path, and never leads elsewhere.
fn interface_name(text: &str) -> bool {
    let good = |c: char| c != '/' && c != ':' && !c.is_whitespace() && !c.is_control();
    (1..16).contains(&text.len()) && text != "." && text != ".." && text.chars().all(good)
}

fn router(settings: &mut Settings<'_>) -> Option<IpAddr> {
    settings.parsed(&ROUTER_IP, |text| {
        let address: IpAddr = text.parse().map_err(|_| "not an IP address".to_owned())?;
        if address.is_unspecified() || address.is_multicast() || address == Ipv4Addr::BROADCAST {
            return Err("not the address of one router".to_owned());
        }
        Ok(address)
    })
}

/// A number of seconds; 0 is none.
fn interval(settings: &mut Settings<'_>, variable: &Variable) -> Option<Duration> {
    Some(settings.number(variable)).filter(|secs| *secs > 0).map(Duration::from_secs)
}

/// The endpoints of a comma list; plain `http://` is warned of.
pub fn endpoints(settings: &mut Settings<'_>, variable: &Variable) -> Vec<Endpoint> {
    let endpoints = read_each(settings, variable, Endpoint::parse);
    if endpoints.iter().any(|endpoint| !endpoint.secure) {
        settings.warn(variable, "plain http:// can be read and changed on its way", "use https://");
    }
    endpoints
}

fn read_each<T>(settings: &mut Settings<'_>, variable: &Variable, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
    let mut read = Vec::new();
    for part in settings.list(variable) {
        match parse(&part) {
            Ok(value) => read.push(value),
            Err(reason) => {
                settings.problem(variable, &format!("{part:?}: {reason}"), &format!("use {}", variable.kind.format()))
            }
        }
    }
    read
}
