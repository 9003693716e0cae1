use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use ddns_core::address::Family;
use ddns_core::config::{Endpoint, IP_SOURCE_INTERFACE, Kind, RecordSpec, Settings, Variable};
use ddns_core::discovery::{Options, VoterSpec};
use ddns_core::ports::{IpSource, Voter};
use ddns_core::registry::{Factory, Parts};

use crate::voter_spec::{self, Configured};
use crate::{DiscoverSource, EchoVoter, Sight, StunVoter, WhoamiVoter};

/// Who is asked.
pub const DISCOVER_SOURCES: Variable = Variable {
    name: "DDNS_DISCOVER_SOURCES",
    kind: Kind::Text {
        format: "a comma list of [OPERATOR=]http:URL, [OPERATOR=]dns:SERVER/NAME/TYPE, [OPERATOR=]stun:HOST:PORT, router",
        default: "http:https://api64.ipify.org,http:https://ifconfig.me/ip,cloudflare=http:https://icanhazip.com,\
                  http:https://ipecho.net/plain,cloudflare=http:https://www.cloudflare.com/cdn-cgi/trace,\
                  google=dns:ns1.google.com/o-o.myaddr.l.google.com/TXT,google=stun:stun.l.google.com:19302,router",
    },
    help: "Who is asked for this host's address outside: HTTPS echo services, name servers that answer with the asker's \
           address (A, AAAA, TXT, CHTXT), STUN servers (RFC 8489), and the router itself (PCP, NAT-PMP, UPnP). IPv4 is \
           asked over IPv4, IPv6 over IPv6. Without a name the operator is the registrable domain or the address; equal \
           votes of one operator count once.",
};
/// How many have to agree.
pub const DISCOVER_QUORUM: Variable = Variable {
    name: "DDNS_DISCOVER_QUORUM",
    kind: Kind::Number { min: 1, max: 16, default: 2 },
    help: "Equal votes of different operators that an address needs. If one dissents, it also needs more than half of \
           all operators. Otherwise the last good address is held.",
};
const URL: Variable = Variable {
    name: "DDNS_IP_SOURCE_URL",
    kind: Kind::Text { format: "an https:// URL", default: "https://api64.ipify.org" },
    help: "With the source `http`: the one service that is asked, and believed.",
};
const INTERVAL: Variable = Variable {
    name: "DDNS_IP_SOURCE_INTERVAL",
    kind: Kind::Number { min: 1, max: 86_400, default: 300 },
    help: "With the source `http`: seconds between two questions that nothing else asked for.",
};
const VERSION: Variable = Variable {
    name: "DDNS_IP_SOURCE_VERSION",
    kind: Kind::Choice { values: &["both", "4", "6", "ipv4", "ipv6", "v4", "v6"], default: "both" },
    help: "With the source `http`: the families that are asked about, if a record wants them.",
};

/// Makes [`DiscoverSource`]: `discover` asks always, `auto` while the host has no public address of its own.
pub struct DiscoverFactory {
    only_without_own: bool,
}

impl DiscoverFactory {
    /// The source `discover`.
    pub const fn always() -> Self {
        Self { only_without_own: false }
    }

    /// The source `auto`.
    pub const fn auto() -> Self {
        Self { only_without_own: true }
    }
}

impl Factory<dyn IpSource> for DiscoverFactory {
    fn name(&self) -> &'static str {
        if self.only_without_own { "auto" } else { "discover" }
    }

    fn variables(&self) -> &'static [Variable] {
        &[DISCOVER_SOURCES, DISCOVER_QUORUM]
    }

    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn IpSource>> {
        let voters = voters(settings)?;
        let quorum = usize::try_from(settings.number(&DISCOVER_QUORUM)).unwrap_or(usize::MAX);
        let records: Vec<_> = parts.config.records_of(self.name()).collect();
        let families = families(&records);
        if !quorum_can_be_reached(&voters, quorum, &families, settings) {
            return None;
        }
        if !self.only_without_own {
            refuse_interface(&records, self.name(), settings)?;
        }
        let interface = records.first().and_then(|record| record.interface.clone());
        let options = Options {
            voters: voters.iter().map(|voter| voter.spec.clone()).collect(),
            quorum,
            families,
            audit: parts.config.audit_interval,
            only_without_own: self.only_without_own,
            interface: interface.filter(|name| records.iter().all(|record| record.interface.as_ref() == Some(name))),
            seed: seed(parts),
        };
        let voters = voters.iter().map(|voter| make(voter, parts)).collect();
        let mapped_port =
            parts.config.wireguard.as_ref().and_then(|wireguard| wireguard.port).and_then(NonZeroU16::new);
        let host = (parts.host)(settings)?;
        source(
            options,
            Sight {
                host,
                gateways: Arc::clone(&parts.gateways),
                voters,
                clock: Arc::clone(&parts.clock),
                announcements: true,
                mapped_port,
            },
            settings,
        )
    }
}

/// Makes the source `http`: one service, asked at an interval, for hosts where nothing else is to be had.
pub struct HttpPollFactory;

impl Factory<dyn IpSource> for HttpPollFactory {
    fn name(&self) -> &'static str {
        "http"
    }

    fn variables(&self) -> &'static [Variable] {
        &[URL, INTERVAL, VERSION]
    }

    fn build(&self, settings: &mut Settings<'_>, parts: &Parts<'_>) -> Option<Arc<dyn IpSource>> {
        let endpoint = settings.parsed(&URL, Endpoint::parse)?;
        let interval = Duration::from_secs(settings.number(&INTERVAL));
        let records: Vec<_> = parts.config.records_of(self.name()).collect();
        refuse_interface(&records, self.name(), settings)?;
        let mut families = families(&records);
        match settings.choice(&VERSION) {
            "4" | "ipv4" | "v4" => families.retain(|family| *family == Family::V4),
            "6" | "ipv6" | "v6" => families.retain(|family| *family == Family::V6),
            _ => {}
        }
        if families.is_empty() {
            settings.problem(&VERSION, "no record has an address of this family", "use both, or add such a record");
            return None;
        }
        if !endpoint.secure {
            settings.warn(
                &URL,
                "plain http:// can be changed on its way, and what it says is published",
                "use https://",
            );
        }
        let spec = VoterSpec { name: endpoint.to_string(), operator: endpoint.host.clone(), router: false };
        let options = Options {
            voters: vec![spec],
            quorum: 1,
            families,
            audit: Some(interval),
            only_without_own: false,
            interface: None,
            seed: seed(parts),
        };
        let host = (parts.host)(settings)?;
        source(
            options,
            Sight {
                host,
                gateways: Arc::clone(&parts.gateways),
                voters: vec![Some(echo(&endpoint, parts))],
                clock: Arc::clone(&parts.clock),
                announcements: false,
                mapped_port: None,
            },
            settings,
        )
    }
}

fn source(options: Options, sight: Sight, settings: &mut Settings<'_>) -> Option<Arc<dyn IpSource>> {
    match DiscoverSource::new(options, sight) {
        Ok(source) => Some(Arc::new(source)),
        Err(error) => {
            settings.problem(&DISCOVER_SOURCES, &format!("no random numbers: {error}"), "allow getrandom(2)");
            None
        }
    }
}

fn seed(parts: &Parts<'_>) -> u64 {
    parts.clock.wall().as_millis() ^ parts.clock.now().as_nanos()
}

fn families(records: &[&RecordSpec]) -> BTreeSet<Family> {
    records.iter().map(|record| record.key.rtype.family()).collect()
}

/// What the world sees is on none of this host's interfaces.
fn refuse_interface(records: &[&RecordSpec], source: &str, settings: &mut Settings<'_>) -> Option<()> {
    let Some(name) = records.iter().find_map(|record| record.interface.as_ref()) else { return Some(()) };
    let reason = format!("{name:?}: the source {source} publishes what the world sees, which is on no interface");
    settings.problem(&IP_SOURCE_INTERFACE, &reason, "remove the interface, or use the source auto or kernel");
    None
}

fn voters(settings: &mut Settings<'_>) -> Option<Vec<Configured>> {
    let mut voters: Vec<Configured> = Vec::new();
    let mut good = true;
    for part in settings.list(&DISCOVER_SOURCES) {
        let problem = match Configured::parse(&part) {
            Ok(voter) if voters.iter().any(|other| other.kind == voter.kind) => "named twice".to_owned(),
            Ok(voter) => {
                voters.push(voter);
                continue;
            }
            Err(reason) => reason,
        };
        settings.problem(
            &DISCOVER_SOURCES,
            &format!("{part:?}: {problem}"),
            &format!("use {}", DISCOVER_SOURCES.kind.format()),
        );
        good = false;
    }
    good.then_some(voters)
}

fn quorum_can_be_reached(
    voters: &[Configured],
    quorum: usize,
    families: &BTreeSet<Family>,
    settings: &mut Settings<'_>,
) -> bool {
    let operators = |router: bool| {
        let counted = voters.iter().filter(|voter| router || !voter.spec.router);
        counted.map(|voter| &voter.spec.operator).collect::<BTreeSet<_>>().len()
    };
    let (all, outside) = (operators(true), operators(false));
    let remedy = "name sources of further operators in DDNS_DISCOVER_SOURCES, or lower the quorum";
    if all < quorum {
        settings.problem(&DISCOVER_QUORUM, &format!("{quorum}, but there are {all} operators"), remedy);
        return false;
    }
    if quorum == 1 {
        let reason = "1 lets any single source say what is published";
        settings.warn(&DISCOVER_QUORUM, reason, "use 2 or more");
    }
    if outside < quorum && families.contains(&Family::V6) {
        let reason = format!("{quorum}, but only {outside} operators know IPv6 addresses: none will ever be elected");
        settings.warn(&DISCOVER_QUORUM, &reason, remedy);
    }
    true
}

fn echo(endpoint: &Endpoint, parts: &Parts<'_>) -> Arc<dyn Voter> {
    let over = |family| (parts.transports_over)(family, endpoint);
    Arc::new(EchoVoter::new(over(Family::V4), over(Family::V6)))
}

fn make(voter: &Configured, parts: &Parts<'_>) -> Option<Arc<dyn Voter>> {
    match &voter.kind {
        voter_spec::Kind::Http(endpoint) => Some(echo(endpoint, parts)),
        voter_spec::Kind::Dns(server, name, rtype) => {
            let over = |family| (parts.dns_over)(family, server);
            Some(Arc::new(WhoamiVoter::new(over(Family::V4), over(Family::V6), name.clone(), *rtype)))
        }
        voter_spec::Kind::Stun(server) => Some(Arc::new(StunVoter::new(server.clone()))),
        voter_spec::Kind::Router => None,
    }
}
