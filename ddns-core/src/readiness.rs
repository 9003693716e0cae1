//! Whether the way to the Internet is open.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::address::Family;
use crate::backoff::{Backoff, Jitter};
use crate::ports::PathReport;
use crate::time::Instant;

/// Between the two confirmations that make ready.
const CONFIRM: Duration = Duration::from_secs(1);
/// Between two rounds while not ready.
const WHILE_NOT_READY: Duration = Duration::from_secs(30);
/// The same while a router is coming back.
const WHILE_SETTLING: Duration = Duration::from_secs(5);
/// How long distress is not heard after a false alarm.
const DEAF: Backoff = Backoff::new(Duration::from_secs(30), DEAF_AT_MOST);
const DEAF_AT_MOST: Duration = Duration::from_secs(600);
/// Good rounds in a row, with the same addresses, that make ready.
const CONFIRMATIONS: u32 = 2;

/// The state that operators see.
///
/// ```text
///          first look          2 good rounds in a row,
///                              addresses unchanged
///  ┌──────┐       ┌─────────┐                  ┌───────┐
///  │ Init │──────▶│ Probing │─────────────────▶│ Ready │
///  └──────┘       └─────────┘                  └───────┘
///                      │ bad round    bad round │    ▲ 2 good rounds
///                      ▼                        ▼    │ in a row
///                 ┌─────────────────────────────────────┐
///                 │               NotReady              │
///                 └─────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Readiness {
    /// No address has been seen yet.
    Init,
    /// Not confirmed yet.
    Probing,
    /// Confirmed.
    Ready,
    /// The last round failed.
    NotReady,
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "init",
            Self::Probing => "probing",
            Self::Ready => "ready",
            Self::NotReady => "not-ready",
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Probe {
    Rest,
    Due(Instant),
    Running { again: bool },
}

/// The machine.
#[derive(Debug)]
pub struct ReadinessMachine {
    state: Readiness,
    good_rounds: u32,
    probe: Probe,
    began: Option<Instant>,
    beat: Option<Duration>,
    /// The rounds that distress asked for and that found nothing, in a row.
    false_alarms: u32,
    /// Distress brings no round forward to before that.
    deaf_until: Option<Instant>,
    /// Distress asked for the round that is due or under way.
    alarmed: bool,
}

impl ReadinessMachine {
    /// `beat` is the time between two rounds while ready, `None` for no rounds without a hint.
    pub const fn new(beat: Option<Duration>) -> Self {
        let (state, probe) = (Readiness::Init, Probe::Rest);
        Self { state, good_rounds: 0, probe, began: None, beat, false_alarms: 0, deaf_until: None, alarmed: false }
    }

    /// The state.
    pub const fn state(&self) -> Readiness {
        self.state
    }

    /// The addresses are known for the first time, or have changed: earlier rounds prove nothing about these.
    pub fn addresses_changed(&mut self, now: Instant) {
        self.good_rounds = 0;
        if self.state == Readiness::Init {
            self.state = Readiness::Probing;
        }
        self.probe = match self.probe {
            Probe::Running { .. } => Probe::Running { again: true },
            Probe::Rest | Probe::Due(_) => Probe::Due(self.soon(now)),
        };
    }

    /// Connections make no progress: a reason to look now. A peer that loses packets makes the same, so that after a
    /// look that found nothing wrong the next one has to wait. While not ready it tells nothing new: the rounds come by
    /// themselves, and suffer too. True if a round is brought forward.
    pub fn distress(&mut self, now: Instant) -> bool {
        if self.state == Readiness::NotReady {
            return false;
        }
        let soon = self.soon(now).max(self.deaf_until.unwrap_or(now));
        let brought_forward = match self.probe {
            Probe::Rest => self.state != Readiness::Init,
            Probe::Due(at) => soon < at,
            Probe::Running { .. } => false,
        };
        if brought_forward {
            self.probe = Probe::Due(soon);
            self.alarmed = true;
        }
        brought_forward
    }

    /// A router is coming back: the way is looked at more often, so that its return is not missed for half a minute.
    pub fn hurry(&mut self) {
        if let (Probe::Due(at), Some(began)) = (self.probe, self.began) {
            self.probe = Probe::Due(at.min(began + WHILE_SETTLING));
        }
    }

    /// The round has ended that distress asked for.
    fn alarm_over(&mut self, now: Instant, good: bool, jitter: &mut Jitter) {
        if !std::mem::take(&mut self.alarmed) {
            return;
        }
        // Long after the last false alarm, this is another trouble.
        let stale = self.deaf_until.is_some_and(|until| now.saturating_since(until) > DEAF_AT_MOST);
        if !good || stale {
            (self.false_alarms, self.deaf_until) = (0, None);
        }
        if good {
            self.deaf_until = Some(now + DEAF.wait(self.false_alarms, jitter));
            self.false_alarms = self.false_alarms.saturating_add(1);
        }
    }

    /// At once, but a flapping address must not make a storm of rounds.
    fn soon(&self, now: Instant) -> Instant {
        self.began.map_or(now, |began| now.max(began + CONFIRM))
    }

    /// Whether a round is to begin now.
    pub fn due(&self, now: Instant) -> bool {
        matches!(self.probe, Probe::Due(at) if at <= now)
    }

    /// When [`Self::due`] has to be asked.
    pub const fn deadline(&self) -> Option<Instant> {
        match self.probe {
            Probe::Due(at) => Some(at),
            Probe::Rest | Probe::Running { .. } => None,
        }
    }

    /// Whether a round is under way.
    pub const fn probing(&self) -> bool {
        matches!(self.probe, Probe::Running { .. })
    }

    /// A round begins.
    pub const fn begin(&mut self, now: Instant) {
        self.began = Some(now);
        self.probe = Probe::Running { again: false };
    }

    /// A round has ended. A round that an address change overtook proves nothing; it is made again.
    pub fn probed(&mut self, now: Instant, report: &PathReport, jitter: &mut Jitter) {
        let Probe::Running { again } = self.probe else { return };
        if again {
            self.probe = Probe::Due(self.soon(now));
            return;
        }
        let good = is_good(report);
        self.alarm_over(now, good, jitter);
        self.good_rounds = if good { self.good_rounds.saturating_add(1) } else { 0 };
        self.state = match (self.state, good) {
            (Readiness::Init, _) => Readiness::Init,
            (_, false) => Readiness::NotReady,
            (Readiness::Ready, true) => Readiness::Ready,
            (Readiness::Probing | Readiness::NotReady, true) if self.good_rounds >= CONFIRMATIONS => Readiness::Ready,
            (state @ (Readiness::Probing | Readiness::NotReady), true) => state,
        };
        let pause = match self.state {
            Readiness::Init => None,
            Readiness::Ready => self.beat,
            Readiness::NotReady if !good => Some(WHILE_NOT_READY),
            Readiness::Probing | Readiness::NotReady => Some(CONFIRM),
        };
        self.probe = pause.map_or(Probe::Rest, |pause| Probe::Due(now + jitter.spread(pause)));
    }
}

/// A round is good if in one family at least half of the targets answered. Families are independent: a host may well
/// have one only. Targets given by name form a family of their own.
fn is_good(report: &PathReport) -> bool {
    let mut families: BTreeMap<Option<Family>, (usize, usize)> = BTreeMap::new();
    for target in &report.targets {
        let (reached, all) = families.entry(target.family).or_default();
        *reached += usize::from(target.reached());
        *all += 1;
    }
    families.values().any(|(reached, all)| *reached > 0 && reached * 2 >= *all)
}
