//! How each change of a record went, stage by stage: for history, metrics and traces alike.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::address::{Family, Hint};
use crate::engine::Transition;
use crate::record::RecordKey;
use crate::time::Instant;
use crate::verified_change::{VerifiedChange, VerifiedChanges};

/// A record was brought to another address, and this is how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Convergence {
    /// What has changed.
    pub change: VerifiedChange,
    /// When the host's address changed: the kernel's own stamp, else as early as it was heard of; for a change that no
    /// address of the host explains, when its write began.
    pub began: Instant,
    /// The kind of source that told of it, and how that learned of it.
    pub told: Option<(String, Option<Hint>)>,
    /// The way from there to the proof.
    pub stages: Stages,
}

/// Microseconds from the begin of a change until each stage was reached; `None` for one that was left out, such as the
/// zone's name servers where they can't be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stages {
    /// The source was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<u64>,
    /// The engine had chosen the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<u64>,
    /// The first request that writes had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<u64>,
    /// The provider had acknowledged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<u64>,
    /// The zone's name servers served it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<u64>,
    /// It was proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<u64>,
}

impl Stages {
    /// The stages that were reached, by name, in their order.
    pub fn reached(&self) -> impl Iterator<Item = (&'static str, Duration)> + use<> {
        let Self { heard, decided, written, acknowledged, served, verified } = *self;
        let all = [
            ("heard", heard),
            ("decided", decided),
            ("written", written),
            ("acknowledged", acknowledged),
            ("served", served),
            ("verified", verified),
        ];
        all.into_iter().filter_map(|(name, at)| Some((name, Duration::from_micros(at?))))
    }
}

/// Follows every change from its begin to its proof.
#[derive(Debug, Default)]
pub struct Convergences {
    changes: VerifiedChanges,
    told: BTreeMap<Family, Told>,
    under_way: BTreeMap<RecordKey, UnderWay>,
}

#[derive(Debug)]
struct Told {
    at: Instant,
    decided: Instant,
    source: String,
    hint: Option<Hint>,
}

#[derive(Debug)]
struct UnderWay {
    written: Instant,
    acknowledged: Option<Instant>,
    served: Option<Instant>,
}

impl Convergences {
    /// The change that `transition` completes, if it does.
    pub fn observe(&mut self, now: Instant, transition: &Transition) -> Option<Convergence> {
        match transition {
            Transition::AddressChanged { family, source, hint, .. } => {
                let heard = hint.map(|hint| hint.kernel_at.unwrap_or(hint.received_at)).filter(|at| *at <= now);
                let told = Told { at: heard.unwrap_or(now), decided: now, source: source.clone(), hint: *hint };
                self.told.insert(*family, told);
            }
            Transition::UpdateStarted { key, .. } => {
                let begun = UnderWay { written: now, acknowledged: None, served: None };
                self.under_way.entry(key.clone()).or_insert(begun);
            }
            Transition::Updated { key, .. } => self.reached(key, |under_way| under_way.acknowledged = Some(now)),
            Transition::Served { key, .. } => self.reached(key, |under_way| under_way.served = Some(now)),
            _ => {}
        }
        let under_way = match transition {
            Transition::Verified { key, .. } => self.under_way.remove(key),
            _ => None,
        };
        let change = self.changes.of(transition)?;
        Some(self.completed(now, change, under_way))
    }

    fn reached(&mut self, key: &RecordKey, note: impl FnOnce(&mut UnderWay)) {
        if let Some(under_way) = self.under_way.get_mut(key) {
            note(under_way);
        }
    }

    fn completed(&self, now: Instant, change: VerifiedChange, under_way: Option<UnderWay>) -> Convergence {
        let written = under_way.as_ref().map_or(now, |under_way| under_way.written);
        // An address that changed after the write began is another change.
        let told = self.told.get(&change.key.rtype.family()).filter(|told| told.at <= written);
        let began = told.map_or(written, |told| told.at);
        let since = |at: Instant| u64::try_from(at.saturating_since(began).as_micros()).unwrap_or(u64::MAX);
        let stages = Stages {
            heard: told.and_then(|told| told.hint).map(|hint| since(hint.received_at)),
            decided: told.map(|told| since(told.decided)),
            written: under_way.as_ref().map(|under_way| since(under_way.written)),
            acknowledged: under_way.as_ref().and_then(|under_way| under_way.acknowledged).map(since),
            served: under_way.as_ref().and_then(|under_way| under_way.served).map(since),
            verified: Some(since(now)),
        };
        Convergence { change, began, told: told.map(|told| (told.source.clone(), told.hint)), stages }
    }
}

#[cfg(test)]
mod tests;
