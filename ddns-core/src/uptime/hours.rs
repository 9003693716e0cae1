use serde::{Deserialize, Serialize};

/// Milliseconds of an hour.
pub(super) const HOUR: u64 = 3_600_000;
/// 400 days.
const KEPT: u64 = 400 * 24;

/// Hours that are alike, one after another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "(u64, u64, u32, u32)", into = "(u64, u64, u32, u32)")]
struct Run {
    /// The first, counted from the Unix epoch.
    first: u64,
    /// How many they are.
    count: u64,
    /// Milliseconds of each that are known.
    known: u32,
    /// Milliseconds of each in which the host was ready.
    ready: u32,
}

impl From<(u64, u64, u32, u32)> for Run {
    fn from((first, count, known, ready): (u64, u64, u32, u32)) -> Self {
        Self { first, count, known, ready }
    }
}

impl From<Run> for (u64, u64, u32, u32) {
    fn from(Run { first, count, known, ready }: Run) -> Self {
        (first, count, known, ready)
    }
}

impl Run {
    const fn end(&self) -> u64 {
        self.first.saturating_add(self.count)
    }

    const fn is_like(&self, next: &Self) -> bool {
        self.end() == next.first && self.known == next.known && self.ready == next.ready
    }
}

/// Known and ready time, hour by hour, for the last 400 days that are known. Alike hours share one entry.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Run>", into = "Vec<Run>")]
pub struct Hours(Vec<Run>);

impl From<Vec<Run>> for Hours {
    /// What a file holds, made sound: ascending, without overlaps, no hour longer than one.
    fn from(runs: Vec<Run>) -> Self {
        let mut sound: Vec<Run> = Vec::new();
        for run in runs {
            let known = run.known.min(u32::try_from(HOUR).unwrap_or(u32::MAX));
            let run = Run { known, ready: run.ready.min(known), ..run };
            let follows = sound.last().is_none_or(|last| last.end() <= run.first);
            if follows && run.count > 0 && run.first.checked_add(run.count).is_some() {
                sound.push(run);
            }
        }
        Self(sound)
    }
}

impl From<Hours> for Vec<Run> {
    fn from(hours: Hours) -> Self {
        hours.0
    }
}

impl Hours {
    /// Counts the time from `from` to `to`, in milliseconds of the Unix epoch. An hour that was counted already, since
    /// the clock was set back, grows to a whole one at most.
    pub(super) fn count(&mut self, from: u64, to: u64, ready: bool) {
        let mut at = from;
        while at < to {
            let hour = at / HOUR;
            let end = to.min((hour + 1).saturating_mul(HOUR));
            let millis = u32::try_from(end - at).unwrap_or(u32::MAX);
            self.add(hour, millis, if ready { millis } else { 0 });
            at = end;
        }
    }

    fn add(&mut self, hour: u64, known: u32, ready: u32) {
        let place = self.0.partition_point(|run| run.end() <= hour);
        let counted = self.0.get(place).filter(|run| run.first <= hour).copied();
        let before = counted.unwrap_or(Run { first: hour, count: 1, known: 0, ready: 0 });
        let total = before.known.saturating_add(known).min(u32::try_from(HOUR).unwrap_or(u32::MAX));
        let grown = total - before.known;
        let own = Run { first: hour, count: 1, known: total, ready: before.ready.saturating_add(ready.min(grown)) };
        let mut runs = Vec::with_capacity(3);
        if let Some(run) = counted {
            runs.extend((run.first < hour).then_some(Run { count: hour - run.first, ..run }));
            runs.push(own);
            runs.extend((hour + 1 < run.end()).then(|| Run { first: hour + 1, count: run.end() - hour - 1, ..run }));
        } else {
            runs.push(own);
        }
        let replaced = place..place + usize::from(counted.is_some());
        if let [only] = runs[..]
            && replaced.len() == 1
        {
            self.0[place] = only;
        } else {
            self.0.splice(replaced, runs);
        }
        self.merge_before(place);
    }

    /// An hour that is over is alike the one before it or not; the newest one still grows.
    fn merge_before(&mut self, place: usize) {
        let Some(before) = place.checked_sub(2) else { return };
        if self.0[before].is_like(&self.0[before + 1]) {
            self.0[before].count += self.0[before + 1].count;
            self.0.remove(before + 1);
        }
    }

    /// Forgets the oldest hours beyond 400 days, and those that lie ahead of `now` by more than a day: the clock was
    /// wrong when they were counted.
    pub(super) fn forget(&mut self, now: u64) {
        let ahead = now / HOUR + 24;
        self.0.retain(|run| run.first <= ahead);
        let mut total: u64 = self.0.iter().map(|run| run.count).sum();
        while let Some(over) = total.checked_sub(KEPT).filter(|over| *over > 0)
            && let Some(first) = self.0.first_mut()
        {
            let gone = over.min(first.count);
            (first.first, first.count) = (first.first + gone, first.count - gone);
            total -= gone;
            if first.count == 0 {
                self.0.remove(0);
            }
        }
    }

    /// Known and ready milliseconds in the hours from `from` up to `to`, these two in milliseconds of the Unix epoch.
    pub(super) fn sum(&self, from: u64, to: u64) -> (u64, u64) {
        let (from, to) = (from / HOUR, to / HOUR + 1);
        self.0.iter().fold((0, 0), |(known, ready), run| {
            let hours = run.end().min(to).saturating_sub(run.first.max(from));
            (known + hours * u64::from(run.known), ready + hours * u64::from(run.ready))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(hours: &Hours) -> Vec<(u64, u64, u32, u32)> {
        hours.0.iter().map(|run| (*run).into()).collect()
    }

    #[test]
    fn whole_hours_share_an_entry_and_sums_are_exact() {
        let mut hours = Hours::default();
        for minute in 0..60 * 24 * 30 {
            hours.count(minute * 60_000, (minute + 1) * 60_000, true);
        }
        assert!(runs(&hours).len() <= 2, "{hours:?}");
        assert_eq!(hours.sum(0, 30 * 24 * HOUR - 1), (30 * 24 * HOUR, 30 * 24 * HOUR));
        hours.count(30 * 24 * HOUR, 30 * 24 * HOUR + 90_000, false);
        assert_eq!(hours.sum(30 * 24 * HOUR, 30 * 24 * HOUR + 90_000), (90_000, 0));
    }

    #[test]
    fn an_hour_never_holds_more_than_an_hour() {
        let mut hours = Hours::default();
        hours.count(0, 3 * HOUR, true);
        hours.count(HOUR / 2, 2 * HOUR, false);
        assert_eq!(hours.sum(0, 3 * HOUR - 1), (3 * HOUR, 3 * HOUR));
        let mut hours = Hours::default();
        hours.count(0, HOUR / 2, false);
        hours.count(0, HOUR, true);
        assert_eq!(hours.sum(0, HOUR - 1), (HOUR, HOUR / 2));
    }

    #[test]
    fn time_that_was_passed_over_is_counted_in_its_place() {
        let mut hours = Hours::default();
        hours.count(0, HOUR, true);
        hours.count(9 * HOUR, 10 * HOUR, true);
        hours.count(4 * HOUR, 5 * HOUR, true);
        assert_eq!(hours.sum(2 * HOUR, 6 * HOUR), (HOUR, HOUR));
        assert_eq!(hours.sum(0, 10 * HOUR), (3 * HOUR, 3 * HOUR));
    }

    #[test]
    fn four_hundred_days_are_kept_and_a_clock_that_was_wrong_costs_none_of_them() {
        let mut hours = Hours::default();
        hours.count(0, 500 * 24 * HOUR, true);
        hours.forget(500 * 24 * HOUR);
        assert_eq!(hours.sum(0, 600 * 24 * HOUR), (400 * 24 * HOUR, 400 * 24 * HOUR));
        hours.count(9000 * 24 * HOUR, 9000 * 24 * HOUR + 5 * HOUR, true);
        hours.forget(500 * 24 * HOUR);
        assert_eq!(hours.sum(0, 10_000 * 24 * HOUR), (400 * 24 * HOUR, 400 * 24 * HOUR));
    }

    #[test]
    fn a_file_that_lies_is_made_sound() {
        let file =
            "[[5,2,3600000,9],[6,1,1,1],[4,1,1,1],[9,0,5,5],[10,1,9999999,9999999],[18446744073709551615,9,1,1]]";
        let hours: Hours = serde_json::from_str(file).unwrap();
        assert_eq!(runs(&hours), [(5, 2, 3_600_000, 9), (10, 1, 3_600_000, 3_600_000)]);
    }
}
