use std::fmt;
use std::mem::discriminant;

use super::Line;
use crate::time::Instant;

/// Why the router is not power-cycled although the way to the Internet is closed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WhyNot {
    /// The line is not known to be dead.
    NotDead(Line),
    /// The operator does not allow it.
    NotAllowed,
    /// No plug is configured.
    NoPlug,
    /// A dry run switches nothing.
    DryRun,
    /// The line has not been dead for long enough.
    TooEarly {
        /// When it will have been.
        until: Instant,
    },
    /// This host has just booted, and the router perhaps too.
    JustBooted {
        /// When it no longer has.
        until: Instant,
    },
    /// The last attempt was not long ago.
    CoolingDown {
        /// When it will be.
        until: Instant,
    },
    /// There were as many attempts within 24 hours as there may be.
    BudgetSpent {
        /// When the first of them is 24 hours old.
        until: Instant,
    },
    /// The intent can't be kept on disk, and a crash would leave the router off.
    NotDurable(String),
    /// The plug can't be looked at.
    PlugFails(String),
    /// The plug is off already, and not by us.
    PlugOff,
    /// Another device answers in the plug's place.
    OtherDevice {
        /// What tells our device.
        known: String,
        /// What answers.
        found: String,
    },
    /// The daemon ends.
    Ending,
}

impl WhyNot {
    /// Whether this is the same reason, whatever its times.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::NotDead(line), Self::NotDead(other)) => discriminant(line) == discriminant(other),
            _ => discriminant(self) == discriminant(other),
        }
    }

    /// When it holds no longer by itself.
    pub const fn until(&self) -> Option<Instant> {
        match self {
            Self::TooEarly { until }
            | Self::JustBooted { until }
            | Self::CoolingDown { until }
            | Self::BudgetSpent { until } => Some(*until),
            _ => None,
        }
    }

    /// Whether a person has to do something before a dead line can be helped.
    pub const fn needs_a_person(&self) -> bool {
        matches!(self, Self::NotDurable(_) | Self::PlugFails(_) | Self::PlugOff | Self::OtherDevice { .. })
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDead(line) => line.fmt(f),
            Self::NotAllowed => f.write_str("it is not allowed: set DDNS_ALLOW_PHYSICAL_RECOVERY=true"),
            Self::NoPlug => f.write_str("no plug is configured: set DDNS_PLUG_KIND and DDNS_PLUG_HOST"),
            Self::DryRun => f.write_str("a dry run switches nothing"),
            Self::TooEarly { .. } => f.write_str("the line has not been dead for long enough"),
            Self::JustBooted { .. } => f.write_str("this host has just booted, and the router perhaps too"),
            Self::CoolingDown { .. } => f.write_str("the last attempt was not long ago"),
            Self::BudgetSpent { .. } => f.write_str("there were as many attempts within 24 hours as there may be"),
            Self::NotDurable(what) => {
                write!(f, "the intent can't be kept, so that a crash would leave the router off ({what})")
            }
            Self::PlugFails(what) => write!(f, "the plug can't be looked at ({what})"),
            Self::PlugOff => f.write_str("the plug is off, and not by ddnsd: switch it on"),
            Self::OtherDevice { known, found } => {
                write!(f, "{found} answers in the place of the plug {known}: set DDNS_PLUG_ID if it was replaced")
            }
            Self::Ending => f.write_str("ddnsd ends"),
        }
    }
}
