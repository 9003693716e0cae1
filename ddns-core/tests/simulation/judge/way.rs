//! What the engine makes of the way to the Internet.

use std::time::Duration;

use ddns_core::address::Family;
use ddns_core::ports::{PathReport, TargetReport};
use ddns_core::readiness::Readiness;

use super::{ATTEMPTS, HOUR, Judged, hold};

/// The longest that distress goes unheard after a false alarm.
const DEAF_AT_MOST: Duration = Duration::from_secs(750);
/// The least, after one; it doubles with each further one in a row.
const DEAF_AT_LEAST: Duration = Duration::from_millis(22_500);
const DEAF_GROWS_TO: Duration = Duration::from_secs(450);
/// So long after a false alarm, the next one counts as the first.
const FORGOTTEN: Duration = Duration::from_secs(600);
/// The least pause between two rounds that only a closed way calls for, and the longest.
const WHILE_CLOSED: Duration = Duration::from_millis(22_500);
/// The least time from one round to the next while a router has its time to return.
const WHILE_SETTLING: Duration = Duration::from_secs(5);
const LOOKS_AGAIN: Duration = Duration::from_secs(40);

#[derive(Default)]
pub struct Way {
    pub state: Option<Readiness>,
    /// Whether a router had its time to return after the last step, and when one had last.
    pub settles: (bool, Option<Duration>),
    pub good_rounds: u32,
    pub bad_round: bool,
    /// The last round reached anything.
    reached: bool,
    overtaken: bool,
    running: bool,
    /// The begin of the last round, and its end.
    began: Option<Duration>,
    ended: Option<Duration>,
    /// Something else than distress may have called for the next round.
    news: bool,
    /// Distress has brought a round forward.
    alarmed: bool,
    /// False alarms in a row, and the end of the last one.
    false_alarms: (u32, Option<Duration>),
    /// The end of the last round that may have been a false alarm.
    deaf_since: Option<Duration>,
    /// Distress that nobody has looked into has to be by then.
    look_by: Option<Duration>,
}

impl Way {
    /// Earlier rounds prove nothing about what is there now.
    pub const fn news(&mut self) {
        (self.good_rounds, self.overtaken, self.news) = (0, true, true);
    }

    /// Connections make no progress.
    pub fn suffers(&mut self, now: Duration) {
        if self.running || self.look_by.is_some() || self.state.is_none_or(|state| state == Readiness::Init) {
            return;
        }
        let confirm = Duration::from_secs(1) + ATTEMPTS;
        let deaf = self.deaf_since.map_or(now, |ended| ended + DEAF_AT_MOST);
        let soon = if self.state == Some(Readiness::Ready) { now + confirm } else { now + LOOKS_AGAIN };
        self.look_by = Some(soon.max(deaf + ATTEMPTS));
    }

    pub const fn alarm(&mut self) {
        self.alarmed = true;
    }

    /// A round begins.
    pub fn begins(&mut self, now: Duration, beat: Option<Duration>) -> Judged {
        let pause = self.began.replace(now).map_or(HOUR, |before| now - before);
        hold(pause >= ATTEMPTS, "no storm of probes", || format!("{pause:?} apart"))?;
        let rest = self.ended.map_or(HOUR, |ended| now - ended);
        // A router that is coming back is looked at every few seconds.
        let (settles, last) = self.settles;
        let settles = settles || last.is_some_and(|last| now - last <= WHILE_SETTLING);
        let closed = self.bad_round && !self.news && !(settles && pause >= WHILE_SETTLING);
        hold(!closed || rest >= WHILE_CLOSED, "distress makes no storm of probes", || {
            format!("{rest:?} after a bad round")
        })?;
        let due = beat.is_some_and(|beat| rest >= beat * 3 / 4);
        let only_alarmed = self.alarmed && !self.news && !due && self.state == Some(Readiness::Ready);
        if let (nth @ 1.., Some(ended)) = self.false_alarms
            && only_alarmed
        {
            let deaf = (DEAF_AT_LEAST * (1 << (nth - 1).min(8))).min(DEAF_GROWS_TO);
            let pause = now - ended;
            hold(pause >= deaf, "distress makes no storm of probes", || {
                format!("{pause:?} after false alarm {nth} in a row")
            })?;
        }
        (self.overtaken, self.running, self.news, self.look_by) = (false, true, false, None);
        Ok(())
    }

    /// A round has ended: it is good if in one family at least half of the targets answered. True if the way is open
    /// that was closed.
    pub fn probed(&mut self, now: Duration, report: &PathReport) -> bool {
        let half = |family: Option<Family>| {
            let targets = || report.targets.iter().filter(|target| target.family == family);
            let reached = targets().filter(|target| target.reached()).count();
            reached > 0 && reached >= targets().count() - reached
        };
        let good = [Some(Family::V4), Some(Family::V6), None].into_iter().any(half);
        let reached = report.targets.iter().any(TargetReport::reached);
        (self.running, self.ended) = (false, Some(now));
        if self.alarmed && good {
            self.deaf_since = Some(now);
        }
        if !self.overtaken {
            self.good_rounds = if good { self.good_rounds + 1 } else { 0 };
            self.bad_round = !good;
            if std::mem::take(&mut self.alarmed) {
                let (nth, last) = self.false_alarms;
                let in_a_row = last.is_some_and(|last| now - last <= FORGOTTEN);
                self.false_alarms = if good { (if in_a_row { nth + 1 } else { 1 }, Some(now)) } else { (0, None) };
            }
        }
        reached && !std::mem::replace(&mut self.reached, reached)
    }

    /// Whether distress is looked into.
    pub fn in_time(&self, now: Duration) -> Judged {
        let fine = self.look_by.is_none_or(|by| now <= by);
        hold(fine, "distress is looked into", || format!("by {:?} at the latest", self.look_by))
    }
}
