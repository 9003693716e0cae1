use std::net::IpAddr;

use async_trait::async_trait;

use crate::address::Family;

/// Looks whether the Internet can be reached, and what is in the way.
#[async_trait]
pub trait PathProbe: Send + Sync {
    /// One round over all targets, bounded in time.
    async fn probe(&self) -> PathReport;
}

/// What a round of probes found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PathReport {
    /// Target by target, in the Internet.
    pub targets: Vec<TargetReport>,
    /// What was seen nearer, if anybody looked.
    pub lan: Option<LanReport>,
}

/// What one target said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetReport {
    /// The target as configured.
    pub target: String,
    /// Its family, if it is an address and no name.
    pub family: Option<Family>,
    /// Why it was not reached.
    pub outcome: Result<(), Unreached>,
}

impl TargetReport {
    /// It was reached, or nothing came back: `silent` says how that showed.
    pub fn new(target: impl Into<String>, family: Option<Family>, silent: Option<String>) -> Self {
        Self { target: target.into(), family, outcome: silent.map_or(Ok(()), |what| Err(Unreached::Silent(what))) }
    }

    /// Whether it was reached.
    pub const fn reached(&self) -> bool {
        self.outcome.is_ok()
    }
}

/// Why a target was not reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unreached {
    /// Nothing came back, or a refusal that may come from a router.
    Silent(String),
    /// Somebody answered, whose certificate is not to be trusted: a captive portal, an interception, or this host's
    /// clock is wrong. The line is not dead.
    Untrusted(String),
}

impl Unreached {
    /// Why, in words.
    pub fn what(&self) -> &str {
        let (Self::Silent(what) | Self::Untrusted(what)) = self;
        what
    }
}

/// What was seen of the local network.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LanReport {
    /// Whether an interface that a default route leads through, or led through last, has its carrier; `None` if that is
    /// not known. Without one the cable is out, and no router is to blame.
    pub carrier: Option<bool>,
    /// The routers that were asked, and why one did not answer.
    pub routers: Vec<(IpAddr, Option<String>)>,
}

impl LanReport {
    /// Whether a router answers; `None` if none was asked.
    pub fn router_answers(&self) -> Option<bool> {
        (!self.routers.is_empty()).then(|| self.routers.iter().any(|(_, error)| error.is_none()))
    }
}
