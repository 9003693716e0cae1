//! Whether the way to the Internet is open.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::address::Family;
use crate::backoff::Jitter;
use crate::ports::PathReport;
use crate::time::Instant;

/// Between the two confirmations that make ready.
const CONFIRM: Duration = Duration::from_secs(1);
/// Between two rounds while not ready.
const WHILE_NOT_READY: Duration = Duration::from_secs(30);
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
}

impl ReadinessMachine {
    /// `beat` is the time between two rounds while ready, `None` for no rounds without a hint.
    pub const fn new(beat: Option<Duration>) -> Self {
        Self { state: Readiness::Init, good_rounds: 0, probe: Probe::Rest, began: None, beat }
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
    for (_, family, error) in &report.targets {
        let (reached, all) = families.entry(*family).or_default();
        *reached += usize::from(error.is_none());
        *all += 1;
    }
    families.values().any(|(reached, all)| *reached > 0 && reached * 2 >= *all)
}
