use super::{Phase, Recovery, WhyNot};
use crate::time::Instant;

/// Where recovery stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecoveryPhase {
    /// Nothing is under way.
    Watching,
    /// The plug is looked at, or the intent is on its way to the disk; power is on.
    Preparing,
    /// Power is off, or may be.
    Off,
    /// It is switched on again.
    Restoring,
    /// It is on; the router has its time to come back.
    Settling,
}

impl RecoveryPhase {
    /// As shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Watching => "watching",
            Self::Preparing => "preparing",
            Self::Off => "off",
            Self::Restoring => "restoring",
            Self::Settling => "settling",
        }
    }
}

/// The state of recovery at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveryStatus {
    /// The operator allows it.
    pub allowed: bool,
    /// Where it stands.
    pub phase: RecoveryPhase,
    /// Why nothing is done about a closed way; `None` while it is open or something is done.
    pub why_not: Option<WhyNot>,
    /// What is wrong with the plug, as far as is known.
    pub plug_fails: Option<WhyNot>,
    /// Attempts within the last 24 hours.
    pub attempts: usize,
    /// Attempts in a row that did not help.
    pub failures: u32,
    /// When limits allow a further attempt, if they don't now.
    pub limited_until: Option<Instant>,
    /// An intent is kept until power is certainly back.
    pub intent: bool,
}

/// What has happened to recovery.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecoveryNews {
    /// The way to the Internet is closed, and this is why nothing is done about it.
    Held(WhyNot),
    /// The plug is not as it has to be.
    PlugFails(WhyNot),
    /// The router's power is cycled.
    Cycles {
        /// Which attempt it is within 24 hours, from 1.
        attempt: usize,
    },
    /// Power is off.
    PowerOff,
    /// Power could not be switched off, as far as is known; it is switched on to be sure.
    OffFailed(String),
    /// Power is on: the plug says so.
    PowerOn {
        /// How often that had failed.
        failures: u32,
    },
    /// Power could not be switched on. It is tried again, for ever.
    OnFailed {
        /// What the plug said.
        what: String,
        /// How often.
        failures: u32,
    },
    /// The way to the Internet is open again.
    Helped,
    /// It is not.
    DidNotHelp {
        /// How many attempts in a row did not help.
        failures: u32,
    },
}

impl Recovery {
    /// The state, for views.
    pub(crate) fn status(&self, now: Instant) -> RecoveryStatus {
        RecoveryStatus {
            allowed: self.config.allowed,
            phase: match &self.phase {
                Phase::New | Phase::Watching | Phase::Checking { then: false } => RecoveryPhase::Watching,
                Phase::Checking { then: true } | Phase::Intending | Phase::Armed => RecoveryPhase::Preparing,
                Phase::Cutting | Phase::Dark { .. } => RecoveryPhase::Off,
                Phase::Restoring(_) => RecoveryPhase::Restoring,
                Phase::Settling { .. } => RecoveryPhase::Settling,
            },
            why_not: self.why_not.clone(),
            plug_fails: self.plug_fails.clone(),
            attempts: self.attempts.count(),
            failures: self.attempts.failures,
            limited_until: self.limits(now).and_then(|why| why.until()),
            intent: self.intent.is_some(),
        }
    }
}
