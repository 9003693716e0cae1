use std::collections::BTreeSet;
use std::time::Duration;

use ddns_core::address::Family;
use ddns_core::config::{Config, SecretFile, SecretFiles, Settings, VARIABLES};

use super::dice::Dice;
use super::fault::Faults;

pub const DAY: Duration = Duration::from_secs(86_400);
pub const YEAR: Duration = Duration::from_secs(86_400 * 365);

const V4: &[Family] = &[Family::V4];
const V6: &[Family] = &[Family::V6];
const BOTH: &[Family] = &Family::ALL;

/// Record lists with the families that the host has.
const HOSTS: &[(&str, &[Family])] = &[
    ("home.example.com:A", V4),
    ("home.example.com", V4),
    ("home.example.com:AAAA", V6),
    ("home.example.com", BOTH),
    ("home.example.com:A,home.example.com:AAAA,vpn.example.com:A", BOTH),
    ("home.example.com,vpn.example.com,*.lab.example.com:A", BOTH),
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
    /// The clock on the wall begins in 1970 with every boot.
    pub without_clock: bool,
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

impl Plan {
    /// Busy days, eventful years or quiet decades, as the seed will have it.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let (lasts, trouble, pause, most_faults, beats) = match seed % 3 {
            0 => (DAY * 60, DAY / 2, DAY / 24, 60, ["120", "600"]),
            1 => (YEAR * 5, DAY / 8, DAY * 5, 20, ["0", "43200"]),
            _ => (YEAR * 25, DAY / 24, DAY * 40, 12, ["0", "86400"]),
        };
        let (records, families) = dice.pick(HOSTS);
        let environment = [
            ("DDNS_RECORDS", records),
            ("DDNS_PROBE_INTERVAL_SECS", dice.pick(&beats)),
            ("DDNS_MIN_UPDATE_INTERVAL_SECS", dice.pick(&["60", "60", "300", "5"])),
            ("DDNS_SETTLE_MS", dice.pick(&["50", "50", "500", "10"])),
            ("DDNS_STARTUP_DELAY_SECS", dice.pick(&["0", "0", "10"])),
            ("DDNS_MODE", if dice.percent(4) { "dry-run" } else { "run" }),
            ("DDNS_IP_SOURCE_INTERFACE", dice.pick(&["wan0", ""])),
            ("DDNS_MAX_RETRIES", dice.pick(&["3", "0", "10"])),
        ];
        let set = environment.into_iter().filter(|(_, value)| !value.is_empty());
        let environment = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut settings = Settings::new(environment, VARIABLES, &NoFiles);
        let config = Config::read(&mut settings);
        let (_, problems) = settings.finish();
        assert!(problems.is_empty(), "{problems:?}");
        Self {
            seed,
            config,
            families,
            proxied: dice.percent(15),
            ttl: Duration::from_secs(dice.pick(&[1, 60, 300, 3600])),
            without_clock: dice.percent(20),
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

    /// A few hours without trouble.
    pub fn quiet(seed: u64) -> Self {
        let mut plan = Self::of(seed);
        plan.config.dry_run = false;
        Self { lasts: DAY, last_episode: 0, first_episode: 1, ..plan }
    }
}
