use std::net::IpAddr;
use std::time::Duration;

use super::Engine;
use super::effects::{Action, Effects, Transition};
use crate::address::{Discovered, Family, Hint, IpChangeEvent, Snapshot};
use crate::config::SourceId;
use crate::time::Instant;

/// At most one warning about folded announcements in this time.
const FOLDED_WARNING: Duration = Duration::from_secs(60);
/// Folded announcements worth a warning.
const FOLDED_MANY: u64 = 100;

/// What the sources tell.
impl Engine {
    pub(super) fn source_failed(&mut self, id: SourceId, what: String, effects: &mut Effects) {
        let Some(source) = self.sources.get_mut(id.0) else { return };
        if source.watching.failed(self.now, what.clone(), &mut self.jitter) {
            effects.transitions.push(Transition::SourceFailed { source: source.name.clone(), what });
        }
    }

    pub(super) fn addresses(&mut self, id: SourceId, mut event: IpChangeEvent, effects: &mut Effects) {
        let Some(source) = self.sources.get_mut(id.0) else { return };
        if source.watching.worked() {
            effects.transitions.push(Transition::SourceRestored { source: source.name.clone() });
        }
        source.hint = Some(event.hint);
        source.discovered(&mut event, &mut effects.transitions);
        let unchanged = source.snapshot.as_ref() == Some(&event.snapshot);
        let before = if unchanged { None } else { source.snapshot.replace(event.snapshot) };
        self.count_folded(&event.hint, effects);
        if let Some(distress) = event.hint.distress
            && self.readiness.distress(self.now)
        {
            effects.transitions.push(Transition::Distress(distress));
        }
        if unchanged {
            return;
        }
        if let Some(before) = &before
            && self.connections_kept
        {
            self.connections_lost(id, before, effects);
        }
        if self.observe(id, effects) || before.is_none() {
            self.readiness.addresses_changed(self.now);
            for record in &mut self.records {
                record.publish.nudge(self.now);
            }
        }
    }

    /// Connections from an address that has gone are dead, and so are all of them once the NAT has another address.
    fn connections_lost(&self, id: SourceId, before: &Snapshot, effects: &mut Effects) {
        let told = || self.sources.iter().filter_map(|source| source.snapshot.as_ref());
        let moved = |family| match (before.discovered(family), self.sources[id.0].snapshot.as_ref()?.discovered(family))
        {
            (Some(Discovered::Address(before)), Some(Discovered::Address(now))) => (before != now).then_some(()),
            _ => None,
        };
        let held: Vec<IpAddr> = told().flat_map(Snapshot::addresses).map(|held| held.address).collect();
        if Family::ALL.into_iter().any(|family| moved(family).is_some()) {
            effects.actions.push(Action::AddressesHeld(Vec::new()));
        } else if before.addresses().iter().any(|before| !held.contains(&before.address)) {
            effects.actions.push(Action::AddressesHeld(held));
        }
    }

    /// Every lane of a source looks at its snapshot; true if one sees other candidates than before.
    fn observe(&mut self, id: SourceId, effects: &mut Effects) -> bool {
        let mut changed = false;
        for index in 0..self.lanes.len() {
            let (lane, source) = (&mut self.lanes[index], &self.sources[id.0]);
            let Some(snapshot) = source.snapshot.as_ref().filter(|_| lane.source == id) else { continue };
            let wanted = self.records.iter().any(|record| record.spec.required && record.lane == index);
            let seen = lane.observe(self.now, snapshot, wanted);
            changed |= seen.changed;
            if seen.adopt {
                self.adopt(index, effects);
            }
        }
        changed
    }

    fn count_folded(&mut self, hint: &Hint, effects: &mut Effects) {
        self.folded += u64::from(hint.announcements.saturating_sub(1));
        let (last, told) = self.folded_warned.unwrap_or((Instant::default(), 0));
        let calm = self.folded_warned.is_none() || self.now.saturating_since(last) >= FOLDED_WARNING;
        if calm && self.folded - told >= FOLDED_MANY {
            effects.transitions.push(Transition::Folded { announcements: self.folded - told });
            self.folded_warned = Some((self.now, self.folded));
        }
    }

    pub(super) fn adopt(&mut self, index: usize, effects: &mut Effects) {
        let lane = &mut self.lanes[index];
        let Some((address, news)) = lane.adopt(&self.sources[lane.source.0]) else { return };
        effects.transitions.push(news);
        for record in self.records.iter_mut().filter(|record| record.lane == index && record.supported) {
            record.desire(self.now, address);
        }
    }
}
