//! Which transitions are changes that the outside is told of, and in what order.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::engine::Transition;
use crate::record::RecordKey;

/// A record holds another address than before, and that is proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedChange {
    /// The record.
    pub key: RecordKey,
    /// The address verified before, or the one that the provider had acknowledged before; `None` if none is known.
    pub before: Option<IpAddr>,
    /// The address.
    pub address: IpAddr,
}

/// Finds the changes among the transitions.
#[derive(Debug, Default)]
pub struct VerifiedChanges {
    records: BTreeMap<RecordKey, Known>,
}

/// What is known of one record.
///
/// ```text
/// Unknown ──a write begins──▶ Writing ──verified: a change──▶ Verified ⟲ verified, another address: a change
///  ▲   │                        │
///  │   └──verified: no change───│───────────────────────────▶ Verified
///  └──the record was right──────┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    /// Nothing was verified yet, and a write has begun over what was acknowledged before.
    Writing { before: Option<IpAddr> },
    /// This address was verified last.
    Verified(IpAddr),
}

impl VerifiedChanges {
    /// The change that this transition is, if it is one. A start that finds DNS right is none.
    pub fn of(&mut self, transition: &Transition) -> Option<VerifiedChange> {
        match transition {
            Transition::UpdateStarted { key, from, .. } => {
                self.records.entry(key.clone()).or_insert(Known::Writing { before: *from });
                None
            }
            Transition::Updated { key, kind: crate::ports::UpdateKind::Unchanged, .. } => {
                if let Some(Known::Writing { .. }) = self.records.get(key) {
                    self.records.remove(key);
                }
                None
            }
            Transition::Verified { key, address, .. } => {
                let known = self.records.insert(key.clone(), Known::Verified(*address));
                let before = match known {
                    None => return None,
                    Some(Known::Verified(before)) => Some(before),
                    Some(Known::Writing { before }) => before,
                };
                let change = VerifiedChange { key: key.clone(), before, address: *address };
                (before != Some(*address)).then_some(change)
            }
            _ => None,
        }
    }
}

/// The changes that wait to be told, one for each record: a later one is merged into the one that waits.
#[derive(Debug, Default)]
pub struct WaitingChanges {
    waiting: Vec<VerifiedChange>,
}

impl WaitingChanges {
    /// This is to be told too. What leads back to where the waiting one began is nothing to tell.
    pub fn add(&mut self, change: VerifiedChange) {
        let Some(place) = self.waiting.iter().position(|waiting| waiting.key == change.key) else {
            return self.waiting.push(change);
        };
        let waiting = &mut self.waiting[place];
        waiting.address = change.address;
        if waiting.before == Some(change.address) {
            self.waiting.remove(place);
        }
    }

    /// The one that has waited longest.
    pub fn take(&mut self) -> Option<VerifiedChange> {
        (!self.waiting.is_empty()).then(|| self.waiting.remove(0))
    }
}

#[cfg(test)]
mod tests;
