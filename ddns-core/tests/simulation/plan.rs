use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use ddns_core::address::{Family, Snapshot};
use ddns_core::config::{Config, SecretFile, SecretFiles, Settings, VARIABLES};
use ddns_core::ports::{PlugAddress, PlugChoice};

use super::dice::Dice;
use super::fault::Faults;
use super::host::publishable;

pub const DAY: Duration = Duration::from_secs(86_400);
pub const YEAR: Duration = Duration::from_secs(86_400 * 365);

const V4: &[Family] = &[Family::V4];
const V6: &[Family] = &[Family::V6];
const BOTH: &[Family] = &Family::ALL;

type Groups = &'static [(&'static str, &'static str)];

const TWO_PROVIDERS: Groups = &[
    ("DDNS_PROVIDER_BIND_TYPE", "model"),
    ("DDNS_RECORD_1_NAME", "bind.example.com"),
    ("DDNS_RECORD_1_TYPE", "A"),
    ("DDNS_RECORD_1_PROVIDER", "bind"),
];
const TWO_SOURCES: Groups =
    &[("DDNS_RECORD_1_NAME", "far.example.com"), ("DDNS_RECORD_1_TYPE", "A"), ("DDNS_RECORD_1_SOURCE", "model")];
const TWO_INTERFACES: Groups = &[
    ("DDNS_RECORD_1_NAME", "second.example.com"),
    ("DDNS_RECORD_1_TYPE", "A"),
    ("DDNS_RECORD_1_INTERFACE", "wan1"),
    ("DDNS_RECORD_2_NAME", "beside.example.com"),
    ("DDNS_RECORD_2_TYPE", "A"),
    ("DDNS_RECORD_2_INTERFACE", "wan1"),
];
const SUFFIXES: Groups = &[
    ("DDNS_RECORD_1_NAME", "nas.example.com"),
    ("DDNS_RECORD_1_TYPE", "AAAA"),
    ("DDNS_RECORD_1_SUFFIX", "34:56:78:9a:bc:de"),
    ("DDNS_RECORD_2_NAME", "net.example.com"),
    ("DDNS_RECORD_2_TYPE", "AAAA"),
    ("DDNS_RECORD_2_SUFFIX", "::2:0:0:0:5/56"),
];
const ALL_AT_ONCE: Groups = &[
    ("DDNS_PROVIDER_BIND_TYPE", "model"),
    ("DDNS_RECORD_1_NAME", "nas.example.com"),
    ("DDNS_RECORD_1_TYPE", "AAAA"),
    ("DDNS_RECORD_1_SUFFIX", "34:56:78:9a:bc:de"),
    ("DDNS_RECORD_1_PROVIDER", "bind"),
    ("DDNS_RECORD_2_NAME", "far.example.com"),
    ("DDNS_RECORD_2_SOURCE", "model"),
    ("DDNS_RECORD_3_NAME", "second.example.com"),
    ("DDNS_RECORD_3_TYPE", "A"),
    ("DDNS_RECORD_3_INTERFACE", "wan1"),
    ("DDNS_RECORD_3_PROVIDER", "bind"),
];
/// What the suffixes above are: the length of the prefix, and the rest.
const HOSTS_BY_SUFFIX: [(&str, u32, u128); 2] =
    [("nas.example.com", 64, 0x3656_78ff_fe9a_bcde), ("net.example.com", 56, (2 << 64) | 5)];

/// Record lists with the families that the host has, and groups.
const HOSTS: &[(&str, &[Family], Groups)] = &[
    ("home.example.com:A", V4, &[]),
    ("home.example.com", V4, &[]),
    ("home.example.com:AAAA", V6, &[]),
    ("home.example.com", BOTH, &[]),
    ("home.example.com:A,home.example.com:AAAA,vpn.example.com:A", BOTH, &[]),
    ("home.example.com,vpn.example.com,*.lab.example.com:A", BOTH, &[]),
    ("home.example.com:A,vpn.example.com:A", V4, TWO_PROVIDERS),
    ("home.example.com", BOTH, TWO_PROVIDERS),
    ("home.example.com:A", V4, TWO_SOURCES),
    ("home.example.com:A", V4, TWO_INTERFACES),
    ("home.example.com:AAAA", V6, SUFFIXES),
    ("home.example.com,vpn.example.com:A", BOTH, ALL_AT_ONCE),
];

/// All that a seed stands for.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub config: Config,
    pub families: &'static [Family],
    /// Records whose answers the service puts its own addresses in place of.
    pub proxied: bool,
    pub ttl: Duration,
    /// The zone's own name servers can be asked.
    pub authorities: bool,
    /// The clock on the wall begins in 1970 with every boot.
    pub without_clock: bool,
    /// How long the router needs to boot.
    pub boots_for: Duration,
    /// The length of the run.
    pub lasts: Duration,
    /// The longest phase of faults, and the mean pause between two such phases.
    pub trouble: Duration,
    pub pause: Duration,
    /// How many faults such a phase has at most.
    pub most_faults: usize,
    pub faults: Faults,
    /// Phases before the first and after the last are left out.
    pub first_episode: u64,
    pub last_episode: u64,
    /// Faults that are left out: of which phase, the how many-th.
    pub without: BTreeSet<(u64, usize)>,
}

struct NoFiles;

impl SecretFiles for NoFiles {
    fn read(&self, _path: &std::path::Path) -> std::io::Result<SecretFile> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn plug() -> PlugChoice {
    let plug = PlugAddress { kind: "model".into(), endpoint: "http://192.0.2.9".into(), details: [].into() };
    PlugChoice { plug, has_timer: true, reachable_without_router: true }
}

impl Plan {
    /// Busy days, eventful years or quiet decades, as the seed will have it.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let (lasts, trouble, pause, most_faults, beats, audit) = match seed % 3 {
            0 => (DAY * 60, DAY / 2, DAY / 24, 60, ["120", "600"], "600"),
            1 => (YEAR * 5, DAY / 8, DAY * 5, 20, ["0", "43200"], "43200"),
            _ => (YEAR * 25, DAY / 24, DAY * 40, 12, ["0", "86400"], "0"),
        };
        let (records, families, groups) = dice.pick(HOSTS);
        let environment = [
            ("DDNS_RECORDS", records),
            ("DDNS_PROBE_INTERVAL_SECS", dice.pick(&beats)),
            ("DDNS_AUDIT_INTERVAL_SECS", audit),
            ("DDNS_MIN_UPDATE_INTERVAL_SECS", dice.pick(&["60", "60", "300", "5"])),
            ("DDNS_SETTLE_MS", dice.pick(&["50", "50", "500", "10"])),
            ("DDNS_STARTUP_DELAY_SECS", dice.pick(&["0", "0", "10"])),
            ("DDNS_MODE", if dice.percent(4) { "dry-run" } else { "run" }),
            ("DDNS_IP_SOURCE_INTERFACE", dice.pick(&["wan0", ""])),
            ("DDNS_MAX_RETRIES", dice.pick(&["3", "0", "10"])),
            ("DDNS_ALLOW_PHYSICAL_RECOVERY", dice.pick(&["true", "true", "false"])),
            ("DDNS_RECOVERY_AFTER_SECS", dice.pick(&["240", "60"])),
        ];
        let set = environment.into_iter().chain(groups.iter().copied()).filter(|(_, value)| !value.is_empty());
        let environment = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut settings = Settings::new(environment, VARIABLES, &NoFiles);
        let mut config = Config::read(&mut settings);
        let (_, problems) = settings.finish();
        assert!(problems.is_empty(), "{problems:?}");
        config.recovery.plug = dice.percent(90).then(|| PlugChoice { has_timer: dice.percent(50), ..plug() });
        Self {
            seed,
            config,
            families,
            proxied: dice.percent(15),
            ttl: Duration::from_secs(dice.pick(&[1, 60, 300, 3600])),
            authorities: dice.percent(60),
            without_clock: dice.percent(20),
            boots_for: Duration::from_secs(dice.pick(&[20, 60, 120, 300])),
            lasts,
            trouble,
            pause,
            most_faults,
            faults: Faults::ALL,
            first_episode: 0,
            last_episode: u64::MAX,
            without: BTreeSet::new(),
        }
    }

    /// The address of a record under the lane's `address`.
    pub fn of_record(&self, record: usize, address: IpAddr) -> IpAddr {
        let name = self.config.records[record].key.name.to_string();
        let suffix = HOSTS_BY_SUFFIX.iter().find(|(known, ..)| *known == name);
        match (address, suffix) {
            (IpAddr::V6(v6), Some((_, prefix, rest))) => {
                let shift = 128 - prefix;
                IpAddr::V6(((u128::from(v6) >> shift << shift) | rest).into())
            }
            _ => address,
        }
    }

    /// What may be published for a record, by what its source told.
    pub fn fit(&self, record: usize, told: &Snapshot) -> Vec<IpAddr> {
        let spec = &self.config.records[record];
        let there = publishable(told, spec.key.rtype.family(), spec.interface.as_deref());
        there.into_iter().map(|address| self.of_record(record, address)).collect()
    }

    /// The interfaces of the host.
    pub fn interfaces(&self) -> &'static [&'static str] {
        let second = self.config.records.iter().any(|record| record.interface.as_deref() == Some("wan1"));
        if second { &["wan0", "wan1"] } else { &["wan0"] }
    }

    /// The same, where the router may be power-cycled.
    pub fn with_plug(seed: u64, timer: bool) -> Self {
        let mut plan = Self::quiet(seed);
        let recovery = &mut plan.config.recovery;
        recovery.allowed = true;
        recovery.plug.get_or_insert_with(plug).has_timer = timer;
        plan.config.probe_interval = Some(Duration::from_secs(120));
        plan
    }

    /// A few hours without trouble.
    pub fn quiet(seed: u64) -> Self {
        let mut plan = Self::of(seed);
        plan.config.dry_run = false;
        Self { lasts: DAY, last_episode: 0, first_episode: 1, ..plan }
    }
}
