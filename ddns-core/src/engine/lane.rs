use std::net::IpAddr;
use std::time::Duration;

use super::effects::Transition;
use super::source::Source;
use crate::address::{Discovered, Family, Snapshot};
use crate::config::SourceId;
use crate::selection::Candidates;
use crate::settle::Settle;
use crate::time::Instant;

/// How long an address may be gone before that is told.
const GAP: Duration = Duration::from_secs(1);

/// The address of one family that one source has to publish, of any interface or of one.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) source: SourceId,
    pub(super) family: Family,
    pub(super) interface: Option<String>,
    settle: Settle,
    candidates: Candidates,
    published: Option<IpAddr>,
    unavailable: Unavailable,
}

/// Whether a lane is without a publishable address. A moment of that belongs to every swap and is not told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Unavailable {
    No,
    TellAt(Instant),
    Told,
}

/// What a snapshot means for a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// Its candidates are not those of before.
    pub(super) changed: bool,
    /// They leave no doubt: [`Lane::adopt`] at once.
    pub(super) adopt: bool,
}

impl Lane {
    pub(super) fn new(source: SourceId, family: Family, interface: Option<String>, pause: Duration) -> Self {
        Self {
            source,
            family,
            interface,
            settle: Settle::new(pause),
            candidates: Candidates::default(),
            published: None,
            unavailable: Unavailable::No,
        }
    }

    /// Takes note of a snapshot. `wanted`: some record needs an address of this lane.
    pub(super) fn observe(&mut self, now: Instant, snapshot: &Snapshot, wanted: bool) -> Seen {
        let candidates = Candidates::of(snapshot, self.family, self.interface.as_deref());
        let changed = candidates != self.candidates;
        let adopt = self.settle.observe(now, &candidates, self.published);
        let missed = wanted || self.published.is_some() || !candidates.rejected.is_empty();
        let asking = snapshot.discovered(self.family) == Some(Discovered::Asking);
        self.unavailable = match self.unavailable {
            _ if asking => Unavailable::No,
            _ if !(missed && candidates.publishable.is_empty()) => Unavailable::No,
            Unavailable::No => Unavailable::TellAt(now + GAP),
            noted @ (Unavailable::TellAt(_) | Unavailable::Told) => noted,
        };
        self.candidates = candidates;
        Seen { changed, adopt }
    }

    /// Whether a restless phase has ended: [`Self::adopt`].
    pub(super) fn settled(&mut self, now: Instant) -> bool {
        self.settle.due(now)
    }

    /// Chooses among the candidates; the news and the address if that is another one.
    pub(super) fn adopt(&mut self, source: &Source) -> Option<(IpAddr, Transition)> {
        let chosen = self.candidates.choose(self.published)?;
        if self.published == Some(chosen.address) {
            return None;
        }
        let (to, interface) = (chosen.address, chosen.interface.clone());
        let from = self.published.replace(to);
        let (family, source, hint) = (self.family, source.name.clone(), source.hint);
        Some((to, Transition::AddressChanged { family, source, from, to, interface, hint }))
    }

    /// The address to be published is not there (any more).
    pub(super) fn lost(&self) -> bool {
        self.published.is_some_and(|published| !self.candidates.holds(published))
    }

    /// The news that no address is publishable, once.
    pub(super) fn tell_unavailable(&mut self, now: Instant) -> Option<Transition> {
        if !matches!(self.unavailable, Unavailable::TellAt(at) if at <= now) {
            return None;
        }
        self.unavailable = Unavailable::Told;
        let rejected = self.candidates.rejected.clone();
        Some(Transition::AddressUnavailable { family: self.family, held: self.published, rejected })
    }

    /// When [`Self::settled`] or [`Self::tell_unavailable`] has to be asked.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let tell = match self.unavailable {
            Unavailable::TellAt(at) => Some(at),
            Unavailable::No | Unavailable::Told => None,
        };
        [tell, self.settle.deadline()].into_iter().flatten().min()
    }
}
