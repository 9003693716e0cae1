//! How long the host was ready, what came in between, and how long each change took.

mod hours;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use hours::Hours;
use serde::{Deserialize, Serialize};

use crate::convergence::{Convergence, Convergences, Stages};
use crate::engine::Transition;
use crate::readiness::Readiness;
use crate::recovery::{Line, RecoveryNews};
use crate::state::SavedState;
use crate::time::{Instant, Wall};

/// Between two marks of liveness.
pub const MARK: Duration = Duration::from_secs(3600);
/// The windows that are looked back on, by name.
pub const WINDOWS: [(&str, Duration); 4] =
    [("24h", DAY), ("7d", DAY.saturating_mul(7)), ("30d", DAY.saturating_mul(30)), ("365d", DAY.saturating_mul(365))];
const DAY: Duration = Duration::from_secs(86_400);
/// Outages and changes that are kept, each.
pub const KEPT: usize = 400;
/// Two clocks may differ by so much, and by a thousandth of the time, before one counts as set.
const SLACK: Duration = Duration::from_secs(2);

/// What was counted, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct History {
    /// Up to when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Wall>,
    /// Known and ready time.
    #[serde(default)]
    pub hours: Hours,
    /// The newest outages, oldest first. Shared, since a state is copied for every save.
    #[serde(default, skip_serializing_if = "none")]
    pub outages: Arc<Vec<Outage>>,
    /// The newest changes, oldest first.
    #[serde(default, skip_serializing_if = "none")]
    pub changes: Arc<Vec<Change>>,
    /// Judgements of readiness: all, and those that found it ready.
    #[serde(default)]
    pub loops: (u64, u64),
}

/// A time without readiness.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outage {
    /// Since when.
    pub from: Wall,
    /// Until when; `None` while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Wall>,
    /// Nobody saw its end: the process ended first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end_unseen: bool,
    /// What was seen first.
    pub cause: Cause,
    /// How often the router was power-cycled.
    #[serde(default)]
    pub cycles: u32,
    /// Why it was not, or not again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
}

/// Why the host was not ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// No target answered; the router did, or was not asked.
    WanDown,
    /// Neither did the router.
    RouterSilent,
    /// The host's own cable was out.
    NoCarrier,
    /// Somebody answered who is not trusted.
    Untrusted,
    /// Some targets answered, and too few.
    FewTargets,
    /// No target answered, and nobody could say why.
    Unknown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WanDown => "wan-down",
            Self::RouterSilent => "router-silent",
            Self::NoCarrier => "no-carrier",
            Self::Untrusted => "untrusted",
            Self::FewTargets => "few-targets",
            Self::Unknown => "unknown",
        })
    }
}

impl Cause {
    const fn of(line: Option<&Line>) -> Self {
        match line {
            Some(Line::Open) => Self::FewTargets,
            Some(Line::Untrusted(_)) => Self::Untrusted,
            Some(Line::NoCarrier) => Self::NoCarrier,
            Some(Line::Dead { router: Some(false) }) => Self::RouterSilent,
            Some(Line::Dead { .. }) => Self::WanDown,
            Some(Line::Unproven | Line::CarrierUnknown) | None => Self::Unknown,
        }
    }
}

/// A record that was brought to another address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Change {
    /// When it was proven.
    pub at: Wall,
    /// The record (`name type`).
    pub record: String,
    /// The address before, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// The address.
    pub to: IpAddr,
    /// Who changed the host's address, where the kernel said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// From the change of the host's address, as early as it was heard of, to the proof, in milliseconds.
    pub took_ms: u64,
    /// Stage by stage.
    #[serde(default, rename = "stages_us", skip_serializing_if = "unknown")]
    pub stages: Stages,
}

/// A look back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Time about which anything is known.
    pub known: Duration,
    /// Ready time in it.
    pub ready: Duration,
    /// Outages that began in it.
    pub outages: u32,
    /// The mean length of those whose end was seen; `None` without one.
    pub mttr: Option<Duration>,
    /// The mean ready time between two; `None` without one.
    pub mtbf: Option<Duration>,
}

impl Summary {
    /// The share of ready time in known time, from 0 to 1; `None` if nothing is known.
    pub fn availability(&self) -> Option<f64> {
        (!self.known.is_zero()).then(|| self.ready.as_secs_f64() / self.known.as_secs_f64())
    }
}

impl History {
    /// The last `window` before `now`, to the hour. Time that nobody saw is not known, and counts for nothing.
    pub fn summary(&self, now: Wall, window: Duration) -> Summary {
        let from = now.before(window);
        let (known, ready) = self.hours.sum(from.as_millis() + 1, now.as_millis());
        let in_window = || self.outages.iter().filter(|outage| outage.from >= from && outage.from <= now);
        let count = u32::try_from(in_window().count()).unwrap_or(u32::MAX);
        let seen = in_window().filter(|outage| !outage.end_unseen);
        let ended: Vec<_> = seen.filter_map(|outage| Some(outage.until?.saturating_since(outage.from))).collect();
        let ready = Duration::from_millis(ready);
        let mean = |total: Duration, count: u32| total.checked_div(count);
        let mttr = mean(ended.iter().sum(), u32::try_from(ended.len()).unwrap_or(u32::MAX));
        Summary { known: Duration::from_millis(known), ready, outages: count, mttr, mtbf: mean(ready, count) }
    }
}

/// Counts. Durations come from the monotonic clock, their places from the wall clock: when that is set, the time that it
/// leaps over is not known, and time that it repeats is not counted twice (FAULTS 56).
#[derive(Debug)]
pub(crate) struct Uptime {
    history: History,
    counted: (Instant, Wall),
    ready: bool,
    mark_at: Instant,
    dirty: bool,
    convergences: Convergences,
}

impl Uptime {
    /// Goes on with what was kept. An outage that was not over when it was kept ended where knowledge ended.
    pub(crate) fn new(mut history: History, now: Instant, wall: Wall) -> Self {
        let (until, mut dirty) = (history.until, false);
        if let Some(open) = open_outage(&mut history) {
            (open.until, open.end_unseen) = (Some(until.unwrap_or(open.from).max(open.from)), true);
            dirty = true;
        }
        Self {
            history,
            counted: (now, wall),
            ready: false,
            mark_at: now + MARK,
            dirty,
            convergences: Convergences::default(),
        }
    }

    /// Time has passed, of which nobody saw the last part that is `asleep` long.
    pub(crate) fn pass(&mut self, now: Instant, wall: Wall, asleep: Duration) {
        let (since, from) = self.counted;
        let elapsed = now.saturating_since(since);
        self.counted = (now, wall);
        let expected = from.after(elapsed);
        let off = wall.saturating_since(expected).max(expected.saturating_since(wall));
        let to = if off <= SLACK + elapsed / 1000 { wall } else { expected };
        let to = to.before(asleep.min(elapsed));
        self.history.hours.count(from.as_millis(), to.as_millis(), self.ready);
        if self.mark_at <= now {
            self.mark_at = now + MARK;
            self.history.hours.forget(wall.as_millis());
            self.dirty = true;
        }
    }

    /// A judgement of readiness.
    pub(crate) const fn judged(&mut self, ready: bool) {
        let (all, good) = self.history.loops;
        self.history.loops = (all.saturating_add(1), good.saturating_add(if ready { 1 } else { 0 }));
    }

    /// What has changed now.
    pub(crate) fn observe(&mut self, line: Option<&Line>, transitions: &[Transition]) {
        let (now, wall) = self.counted;
        for transition in transitions {
            match transition {
                Transition::Readiness { to, .. } => self.readiness(*to, wall, line),
                Transition::Recovery(RecoveryNews::Cycles { .. }) => {
                    self.in_outage(|outage| outage.cycles = outage.cycles.saturating_add(1));
                }
                Transition::Recovery(RecoveryNews::Held(why)) => {
                    self.in_outage(|outage| outage.why_not = Some(why.to_string()));
                }
                _ => {}
            }
            if let Some(convergence) = self.convergences.observe(now, transition) {
                self.changed_record(&convergence);
            }
        }
    }

    fn readiness(&mut self, to: Readiness, wall: Wall, line: Option<&Line>) {
        self.ready = to == Readiness::Ready;
        if to == Readiness::NotReady {
            let cause = Cause::of(line);
            let outage = Outage { from: wall, until: None, end_unseen: false, cause, cycles: 0, why_not: None };
            push(&mut self.history.outages, outage);
            self.dirty = true;
        } else if self.ready {
            self.in_outage(|outage| outage.until = Some(wall.max(outage.from)));
        }
    }

    fn in_outage(&mut self, note: impl FnOnce(&mut Outage)) {
        if let Some(open) = open_outage(&mut self.history) {
            note(open);
            self.dirty = true;
        }
    }

    fn changed_record(&mut self, convergence: &Convergence) {
        let Convergence { change, told, stages, .. } = convergence;
        let by = told.as_ref().and_then(|(_, hint)| hint.as_ref()?.by).map(|by| by.to_string());
        let change = Change {
            at: self.counted.1,
            record: change.key.to_string(),
            from: change.before,
            to: change.address,
            by,
            took_ms: stages.verified.unwrap_or_default() / 1000,
            stages: *stages,
        };
        push(&mut self.history.changes, change);
        self.dirty = true;
    }

    /// The daemon ends: what is known ends here.
    pub(crate) const fn end(&mut self) {
        self.dirty = true;
    }

    /// When a mark is due.
    pub(crate) const fn deadline(&self) -> Instant {
        self.mark_at
    }

    /// What was counted up to now.
    pub(crate) fn history(&self) -> History {
        History { until: Some(self.counted.1), ..self.history.clone() }
    }

    /// Whether there is anything to keep that a mark would be too late for.
    pub(crate) const fn dirty(&self) -> bool {
        self.dirty
    }

    /// Brings the saved form up to date.
    pub(crate) fn save_into(&mut self, saved: &mut SavedState) {
        self.dirty = false;
        saved.history.clone_from(&self.history);
        saved.history.until = Some(self.counted.1);
    }
}

fn none<T>(kept: &Arc<Vec<T>>) -> bool {
    kept.is_empty()
}

fn unknown(stages: &Stages) -> bool {
    *stages == Stages::default()
}

/// The outage that lasts.
fn open_outage(history: &mut History) -> Option<&mut Outage> {
    let lasts = history.outages.last().is_some_and(|outage| outage.until.is_none());
    if lasts { Arc::make_mut(&mut history.outages).last_mut() } else { None }
}

fn push<T: Clone>(kept: &mut Arc<Vec<T>>, newest: T) {
    let kept = Arc::make_mut(kept);
    if kept.len() >= KEPT {
        kept.drain(..=kept.len() - KEPT);
    }
    kept.push(newest);
}

#[cfg(test)]
mod tests;
