//! What the engine makes of the host's addresses.

use std::net::IpAddr;
use std::time::Duration;

use ddns_core::address::{Family, Snapshot};

use super::{Judged, ROUNDING, hold};
use crate::simulation::host::publishable;

const LONGEST: Duration = Duration::from_millis(500);

/// What the engine was told of the host, and since when.
#[derive(Default)]
pub struct Addresses {
    pub told: Snapshot,
    families: [Known; 2],
}

#[derive(Clone, Copy, Default)]
struct Known {
    /// The last change of the publishable addresses, and the first of a row of them.
    changed: (Duration, Duration),
    chosen: Option<IpAddr>,
    chosen_at: Option<Duration>,
    /// Since when others than the chosen one are there.
    overdue: Option<Duration>,
}

impl Addresses {
    /// True if that is news.
    pub fn told(&mut self, now: Duration, snapshot: &Snapshot) -> bool {
        if *snapshot == self.told {
            return false;
        }
        for (family, known) in Family::ALL.into_iter().zip(&mut self.families) {
            let there = publishable(snapshot, family);
            if there != publishable(&self.told, family) {
                let restless = now < known.changed.0 + LONGEST;
                known.changed = (now, if restless { known.changed.1 } else { now });
            }
            let right = there.is_empty() || known.chosen.is_some_and(|chosen| there.contains(&chosen));
            known.overdue = if right { None } else { known.overdue.or(Some(now)) };
        }
        self.told = snapshot.clone();
        true
    }

    /// `late`: nobody looked for a while.
    pub fn chooses(&mut self, now: Duration, family: Family, to: IpAddr, settle: Duration, late: bool) -> Judged {
        let there = publishable(&self.told, family);
        hold(there.contains(&to), "a: only what the host holds", || format!("{to} is not publishable"))?;
        let known = &mut self.families[family as usize];
        let (last, first) = known.changed;
        let rest = (last + settle).min(first + LONGEST);
        let fine = there.len() == 1 || now >= rest || late;
        hold(fine, "doubt settles first", || format!("{to} out of {there:?} after {:?}", now - last))?;
        let pause = known.chosen_at.map(|before| now - before);
        let fine = late || pause.is_none_or(|pause| pause + ROUNDING >= settle.min(LONGEST));
        hold(fine, "flaps are folded", || format!("{pause:?} apart"))?;
        // The first address of all is no change.
        known.chosen_at = known.chosen.map(|_| now);
        (known.chosen, known.overdue) = (Some(to), None);
        Ok(())
    }

    /// Whether a change is taken up in time.
    pub fn in_time(&self, now: Duration) -> Judged {
        let overdue = self.families.iter().filter_map(|known| known.overdue).min();
        let fine = overdue.is_none_or(|since| now <= since + LONGEST + ROUNDING);
        hold(fine, "a change is taken up within half a second", || format!("there since {overdue:?}"))
    }
}
