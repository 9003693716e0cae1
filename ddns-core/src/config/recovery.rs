use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use super::{HostPort, Kind, PROBE_TARGETS, Settings, Variable};
use crate::ports::PlugChoice;

/// When the router is power-cycled, and when not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveryConfig {
    /// The operator allows it.
    pub allowed: bool,
    /// The plug that feeds the router. It comes from a plug-in, not from [`Config::read`](super::Config::read).
    pub plug: Option<PlugChoice>,
    /// How long the line has to have been dead.
    pub after: Duration,
    /// How long the power is off.
    pub off: Duration,
    /// How long the router has to come back.
    pub settle: Duration,
    /// From one attempt to the next.
    pub cooldown: Duration,
    /// Attempts within 24 hours.
    pub max_per_day: u32,
}

/// Whether anything is power-cycled.
pub const ALLOW: Variable = Variable {
    name: "DDNS_ALLOW_PHYSICAL_RECOVERY",
    kind: Kind::Choice { values: &["false", "true"], default: "false" },
    help: "`true`: a router behind which the line is dead is power-cycled by the smart plug `DDNS_PLUG_…`. See \
           [Recovery](recovery.md).",
};
const AFTER_SECS: Variable = Variable {
    name: "DDNS_RECOVERY_AFTER_SECS",
    kind: Kind::Number { min: 1, max: 86_400, default: 240 },
    help: "How long no probe target has to have answered before the router is power-cycled.",
};
const OFF_SECS: Variable = Variable {
    name: "DDNS_RECOVERY_OFF_SECS",
    kind: Kind::Number { min: 1, max: 300, default: 30 },
    help: "How long the router is without power.",
};
const SETTLE_SECS: Variable = Variable {
    name: "DDNS_RECOVERY_SETTLE_SECS",
    kind: Kind::Number { min: 1, max: 3600, default: 180 },
    help: "How long the router has to come back before the attempt counts as failed.",
};
const COOLDOWN_SECS: Variable = Variable {
    name: "DDNS_RECOVERY_COOLDOWN_SECS",
    kind: Kind::Number { min: 1, max: 21_600, default: 1800 },
    help: "From one attempt to the next. It doubles with each failed one, up to 6 hours.",
};
const MAX_PER_DAY: Variable = Variable {
    name: "DDNS_RECOVERY_MAX_PER_DAY",
    kind: Kind::Number { min: 1, max: 48, default: 4 },
    help: "The most attempts within 24 hours, over restarts too.",
};

/// All of them.
pub(super) const VARIABLES: [Variable; 6] = [ALLOW, AFTER_SECS, OFF_SECS, SETTLE_SECS, COOLDOWN_SECS, MAX_PER_DAY];

/// Fewer servers than these prove no dead line.
const INDEPENDENT: usize = 2;

impl RecoveryConfig {
    /// Reads all but the plug.
    pub(super) fn read(settings: &mut Settings<'_>, targets: &[HostPort]) -> Self {
        let mut secs = |variable: &Variable| Duration::from_secs(settings.number(variable));
        let (after, off) = (secs(&AFTER_SECS), secs(&OFF_SECS));
        let (settle, cooldown) = (secs(&SETTLE_SECS), secs(&COOLDOWN_SECS));
        let max_per_day = u32::try_from(settings.number(&MAX_PER_DAY)).unwrap_or(u32::MAX);
        let allowed = settings.choice(&ALLOW) == "true";
        let hosts: BTreeSet<IpAddr> = targets.iter().filter_map(|target| target.host.parse().ok()).collect();
        if allowed && hosts.len() < INDEPENDENT {
            settings.problem(
                &PROBE_TARGETS,
                "too few to prove that a line is dead: a name may fail for DNS, and one server by itself",
                "name two addresses of different operators at least, or unset DDNS_ALLOW_PHYSICAL_RECOVERY",
            );
        }
        Self { allowed, plug: None, after, off, settle, cooldown, max_per_day }
    }
}
