//! What the engine makes of the addresses that the sources tell of.

use std::net::IpAddr;
use std::time::Duration;

use ddns_core::address::{Family, Snapshot};

use super::{Judged, ROUNDING, Violation, hold};
use crate::simulation::host::publishable;
use crate::simulation::plan::Plan;

const LONGEST: Duration = Duration::from_millis(500);

/// What the engine was told, and since when.
pub struct Addresses {
    /// By each source.
    pub told: Vec<Option<Snapshot>>,
    lanes: Vec<Lane>,
}

/// Records with a source, a family and an interface in common have an address in common.
struct Lane {
    source: usize,
    family: Family,
    interface: Option<String>,
    records: Vec<usize>,
    /// The last change of the publishable addresses, and the first of a row of them.
    changed: (Duration, Duration),
    chosen: Option<IpAddr>,
    chosen_at: Option<Duration>,
    /// Since when others than the chosen one are there.
    overdue: Option<Duration>,
}

impl Addresses {
    pub fn new(plan: &Plan) -> Self {
        let mut lanes: Vec<Lane> = Vec::new();
        for (index, spec) in plan.config.records.iter().enumerate() {
            for family in Family::ALL {
                let fits = |lane: &&mut Lane| {
                    lane.source == spec.source.0 && lane.family == family && lane.interface == spec.interface
                };
                let records = if spec.key.rtype.family() == family { vec![index] } else { vec![] };
                match lanes.iter_mut().find(fits) {
                    Some(lane) => lane.records.extend(records),
                    None => lanes.push(Lane {
                        source: spec.source.0,
                        family,
                        interface: spec.interface.clone(),
                        records,
                        changed: Default::default(),
                        chosen: None,
                        chosen_at: None,
                        overdue: None,
                    }),
                }
            }
        }
        Self { told: vec![None; plan.config.sources.len()], lanes }
    }

    /// True if that is news.
    pub fn told(&mut self, now: Duration, source: usize, snapshot: &Snapshot) -> bool {
        let before = self.told[source].replace(snapshot.clone());
        if before.as_ref() == Some(snapshot) {
            return false;
        }
        for lane in self.lanes.iter_mut().filter(|lane| lane.source == source) {
            let there = lane.there(Some(snapshot));
            if there != lane.there(before.as_ref()) {
                let restless = now < lane.changed.0 + LONGEST;
                lane.changed = (now, if restless { lane.changed.1 } else { now });
            }
            let right = there.is_empty() || lane.chosen.is_some_and(|chosen| there.contains(&chosen));
            lane.overdue = if right { None } else { lane.overdue.or(Some(now)) };
        }
        // Every host has addresses of its links, which nobody counts.
        let counts = |snapshot: &Snapshot| {
            let counts = |address: &IpAddr| match address {
                IpAddr::V4(v4) => !v4.is_link_local(),
                IpAddr::V6(v6) => v6.segments()[0] != 0xfe80,
            };
            snapshot.addresses().iter().filter(|held| counts(&held.address)).cloned().collect::<Vec<_>>()
        };
        before.is_none_or(|before| counts(&before) != counts(snapshot))
    }

    /// The records that follow this choice. `late`: nobody looked for a while. News tell no lane: it is one of those
    /// whose records, by `follows`, have that address.
    pub fn chooses(
        &mut self,
        now: Duration,
        (family, from, to): (Family, Option<IpAddr>, IpAddr),
        (settle, late): (Duration, bool),
        follows: impl Fn(usize) -> bool,
    ) -> Result<&[usize], Violation> {
        let what = format!("{to} after {from:?} is publishable for no record");
        let mut judged = Err(Violation { invariant: "a: only what the host holds", what, about: None });
        for index in 0..self.lanes.len() {
            let lane = &self.lanes[index];
            let there = lane.there(self.told[lane.source].as_ref());
            let fits = lane.family == family && lane.chosen == from && there.contains(&to);
            if fits && lane.records.iter().all(|record| follows(*record)) {
                judged = self.lanes[index].chooses(now, &there, to, settle, late).map(|()| index);
                if judged.is_ok() {
                    break;
                }
            }
        }
        judged.map(|index| self.lanes[index].records.as_slice())
    }

    /// The address that a record follows, and whether it is there.
    pub fn of(&self, record: usize) -> Option<(IpAddr, bool)> {
        let lane = self.lanes.iter().find(|lane| lane.records.contains(&record))?;
        let there = lane.there(self.told[lane.source].as_ref());
        lane.chosen.map(|chosen| (chosen, there.contains(&chosen)))
    }

    /// Whether a change is taken up in time.
    pub fn in_time(&self, now: Duration) -> Judged {
        let overdue = self.lanes.iter().filter_map(|lane| lane.overdue).min();
        let fine = overdue.is_none_or(|since| now <= since + LONGEST + ROUNDING);
        hold(fine, "a change is taken up within half a second", || format!("there since {overdue:?}"))
    }
}

impl Lane {
    fn chooses(&mut self, now: Duration, there: &[IpAddr], to: IpAddr, settle: Duration, late: bool) -> Judged {
        let (last, first) = self.changed;
        let rest = (last + settle).min(first + LONGEST);
        let fine = there.len() == 1 || now >= rest || late;
        hold(fine, "doubt settles first", || format!("{to} out of {there:?} after {:?}", now - last))?;
        let pause = self.chosen_at.map(|before| now - before);
        let fine = late || pause.is_none_or(|pause| pause + ROUNDING >= settle.min(LONGEST));
        hold(fine, "flaps are folded", || format!("{pause:?} apart"))?;
        // The first address of all is no change.
        self.chosen_at = self.chosen.map(|_| now);
        (self.chosen, self.overdue) = (Some(to), None);
        Ok(())
    }

    fn there(&self, told: Option<&Snapshot>) -> Vec<IpAddr> {
        told.map(|told| publishable(told, self.family, self.interface.as_deref())).unwrap_or_default()
    }
}
