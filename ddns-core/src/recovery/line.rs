use std::collections::BTreeSet;
use std::fmt;

use crate::ports::{LanReport, PathReport, Unreached};

/// Addresses of fewer servers than these prove no dead line.
const INDEPENDENT: usize = 2;

/// What a round of probes says of the line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// A target was reached.
    Open,
    /// Somebody answers who is not trusted: a captive portal, an interception, or this host's clock is wrong.
    Untrusted(String),
    /// Too few of the targets are addresses; a name may fail for DNS.
    Unproven,
    /// The host's own cable is out.
    NoCarrier,
    /// Whether the host's own cable is in is not known.
    CarrierUnknown,
    /// Nobody answers although the cable is in.
    Dead {
        /// Whether the router answers; `None` if it was not asked.
        router: Option<bool>,
    },
}

impl Line {
    /// What this round says.
    pub(crate) fn of(report: &PathReport) -> Self {
        if report.targets.iter().any(|target| target.reached()) {
            return Self::Open;
        }
        let untrusted = report.targets.iter().find_map(|target| match &target.outcome {
            Err(Unreached::Untrusted(what)) => Some(format!("{}: {what}", target.target)),
            Err(Unreached::Silent(_)) | Ok(()) => None,
        });
        if let Some(what) = untrusted {
            return Self::Untrusted(what);
        }
        let addresses = report.targets.iter().filter(|target| target.family.is_some());
        if addresses.map(|target| &target.target).collect::<BTreeSet<_>>().len() < INDEPENDENT {
            return Self::Unproven;
        }
        match report.lan.as_ref().and_then(|lan| lan.carrier) {
            Some(true) => Self::Dead { router: report.lan.as_ref().and_then(LanReport::router_answers) },
            Some(false) => Self::NoCarrier,
            None => Self::CarrierUnknown,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("the line is open"),
            Self::Untrusted(what) => write!(f, "somebody answers who is not trusted ({what})"),
            Self::Unproven => {
                f.write_str("no target is reached, and too few of them are addresses to prove a dead line")
            }
            Self::NoCarrier => f.write_str("the cable of this host is out"),
            Self::CarrierUnknown => {
                f.write_str("no target is reached, and whether the cable of this host is in is not known")
            }
            Self::Dead { router: Some(true) } => f.write_str("the line is dead behind a router that answers"),
            Self::Dead { router: Some(false) } => f.write_str("the line is dead, and the router does not answer"),
            Self::Dead { router: None } => f.write_str("the line is dead"),
        }
    }
}
