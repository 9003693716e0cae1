//! Whether the router's power is cycled, and that it is never left off.

mod attempts;
mod line;
mod phase;
mod status;
mod why_not;

use std::time::Duration;

pub use line::Line;
pub(crate) use phase::Around;
use phase::{Phase, Restoring};
pub use status::{RecoveryNews, RecoveryPhase, RecoveryStatus};
pub use why_not::WhyNot;

use crate::backoff::{Backoff, Jitter};
use crate::config::RecoveryConfig;
use crate::engine::Transition;
use crate::ports::{PathReport, PlugAddress, PlugError, PlugOrder, PlugReport};
use crate::readiness::Readiness;
use crate::state::{Intent, KnownDevice, RecoveryState, SavedState};
use crate::time::{Instant, Wall};
use attempts::Attempts;

/// Between attempts to switch on again.
const ON_AGAIN: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// The same while the daemon ends.
const ENDING_PAUSE: Duration = Duration::from_secs(1);
/// Between looks at a plug that fails.
const LOOK_AGAIN: Backoff = Backoff::new(Duration::from_secs(30), Duration::from_secs(1800));
/// An order to switch off that a dead process has sent, or that nobody answered, may still arrive: the kernel sends what
/// was written to a socket for as long as this after the process has gone (`tcp_orphan_retries` in
/// Documentation/networking/ip-sysctl.rst). Until then, on is not believed to last.
pub const LANDS_WITHIN: Duration = Duration::from_secs(120);
/// Each tenth failure to switch on is told, beside the first.
const TELL_EACH: u32 = 10;

/// The outcome of an order.
pub type PlugResult = Result<PlugReport, PlugError>;

/// The machine.
///
/// ```text
///            nothing stands against it     our plug, and on     the intent is on disk
///  Watching ─────────────────────────▶ Checking ─────────▶ Intending ─────────▶ Armed
///    ▲  ▲                                 │ else: why not      │ it can't be    │ the line is still dead
///    │  └─────────────────────────────────┴────────────────────┘ saved          ▼
///    │ ready: it helped;                          on: read back, and           Cutting
///    │ not ready in time: it failed               sure to last                  │ whatever came back
///  Settling ◀──────────────────────── Restoring ◀──────────────── Dark ◀────────┘
///                                        ▲ look whose it is, on; look, on; … for ever
///                                        └── an intent that an earlier process left
/// ```
#[derive(Debug)]
pub struct Recovery {
    config: RecoveryConfig,
    dry_run: bool,
    phase: Phase,
    /// After a power cut the router starts with the host, and has its time first (FAULTS 65).
    patient_until: Instant,
    line: Option<Line>,
    /// Since when every round has found the line dead.
    dead_since: Option<Instant>,
    attempts: Attempts,
    intent: Option<Intent>,
    device: Option<KnownDevice>,
    why_not: Option<WhyNot>,
    /// What the last look at the plug found, while it stands against an attempt.
    plug_fails: Option<WhyNot>,
    looks_failed: u32,
    look_again_at: Option<Instant>,
}

impl Recovery {
    pub(crate) fn new(config: RecoveryConfig, dry_run: bool, saved: &RecoveryState, now: Instant, wall: Wall) -> Self {
        let phase = match &saved.intent {
            Some(_) => Phase::Restoring(Restoring {
                next: PlugOrder::Look,
                due: Some(now),
                failures: 0,
                landed: false,
                seen_on: false,
                settle: false,
            }),
            None => Phase::New,
        };
        Self {
            dry_run,
            phase,
            patient_until: Instant::default() + config.after + config.settle,
            line: None,
            dead_since: None,
            attempts: Attempts::restored(&saved.attempts, saved.failures, now, wall),
            intent: saved.intent.clone(),
            device: saved.device.clone(),
            why_not: None,
            plug_fails: None,
            looks_failed: 0,
            look_again_at: None,
            config,
        }
    }

    /// A round of probes has ended.
    pub(crate) fn probed(&mut self, now: Instant, report: &PathReport) {
        let line = Line::of(report);
        let dead = matches!(line, Line::Dead { .. });
        self.dead_since = self.dead_since.filter(|_| dead).or_else(|| dead.then_some(now));
        self.line = Some(line);
    }

    /// The host slept: nobody knows what the line did.
    pub(crate) const fn woke(&mut self) {
        self.dead_since = None;
    }

    /// The save has ended that holds the intent.
    pub(crate) fn saved(&mut self, well: bool) {
        if self.phase == Phase::Intending {
            if well {
                self.phase = Phase::Armed;
            } else {
                self.give_up();
            }
        }
    }

    fn give_up(&mut self) {
        self.intent = None;
        self.attempts.undone();
        self.phase = Phase::Watching;
    }

    /// What the plug did.
    pub(crate) fn told(
        &mut self,
        around: Around<'_>,
        result: PlugResult,
        jitter: &mut Jitter,
        told: &mut Vec<Transition>,
    ) {
        match self.phase.clone() {
            Phase::Checking { then } => self.checked(around, then, &result, jitter, told),
            Phase::Cutting => self.cut(around.now, result, told),
            Phase::Restoring(restoring) => self.restored(around, restoring, &result, jitter, told),
            Phase::New
            | Phase::Watching
            | Phase::Intending
            | Phase::Armed
            | Phase::Dark { .. }
            | Phase::Settling { .. } => {}
        }
    }

    fn checked(
        &mut self,
        around: Around<'_>,
        then: bool,
        result: &PlugResult,
        jitter: &mut Jitter,
        told: &mut Vec<Transition>,
    ) {
        self.phase = Phase::Watching;
        let Some(choice) = &self.config.plug else { return };
        let fault = match result {
            Err(error) => Some(WhyNot::PlugFails(crate::error_chain(error))),
            Ok(report) => other_device(self.device.as_ref(), &choice.plug, report)
                .or_else(|| (!report.on).then_some(WhyNot::PlugOff)),
        };
        let news = fault.is_some() && !is_like(fault.as_ref(), self.plug_fails.as_ref());
        self.plug_fails = fault;
        if let Some(fault) = &self.plug_fails {
            self.look_again_at = Some(around.now + LOOK_AGAIN.wait(self.looks_failed, jitter));
            self.looks_failed = self.looks_failed.saturating_add(1);
            if news {
                told.push(Transition::Recovery(RecoveryNews::PlugFails(fault.clone())));
            }
            return;
        }
        (self.looks_failed, self.look_again_at) = (0, None);
        if let Ok(PlugReport { device: Some(device), .. }) = result {
            self.device = Some(KnownDevice { plug: choice.plug.clone(), device: device.clone() });
        }
        if then && self.stands_against(around).is_none() {
            let device = result.as_ref().ok().and_then(|report| report.device.clone());
            self.intent = Some(Intent { plug: choice.plug.clone(), device, at: around.wall });
            self.attempts.begun(around.now, around.wall);
            self.phase = Phase::Intending;
        }
    }

    fn cut(&mut self, now: Instant, result: PlugResult, told: &mut Vec<Transition>) {
        let dark = matches!(&result, Ok(report) if !report.on);
        if dark {
            told.push(Transition::Recovery(RecoveryNews::PowerOff));
            self.phase = Phase::Dark { until: now + self.config.off };
            return;
        }
        let what = match result {
            Ok(_) => "it says that it is on still".to_owned(),
            Err(error) => crate::error_chain(&error),
        };
        told.push(Transition::Recovery(RecoveryNews::OffFailed(what)));
        self.restore(now, false);
    }

    /// From here on, power comes first.
    fn restore(&mut self, now: Instant, landed: bool) {
        let (next, due) = (PlugOrder::Look, Some(now));
        self.phase = Phase::Restoring(Restoring { next, due, failures: 0, landed, seen_on: false, settle: true });
    }

    fn restored(
        &mut self,
        around: Around<'_>,
        mut restoring: Restoring,
        result: &PlugResult,
        jitter: &mut Jitter,
        told: &mut Vec<Transition>,
    ) {
        let now = around.now;
        let intended = self.intent.as_ref();
        let stranger = |report: &PlugReport| {
            let (known, found) = (intended?.device.clone()?, report.device.clone()?);
            (known != found).then_some(WhyNot::OtherDevice { known, found })
        };
        let stranger = result.as_ref().ok().and_then(stranger);
        if restoring.next == PlugOrder::Look && stranger.is_none() {
            // Also when the look failed, since a device that can't be read may still obey, and when it says that it is on
            // already, since it may err.
            (restoring.next, restoring.due) = (PlugOrder::On, Some(now));
            self.phase = Phase::Restoring(restoring);
            return;
        }
        if stranger.is_none() && matches!(result, Ok(report) if report.on) {
            if !std::mem::replace(&mut restoring.seen_on, true) {
                told.push(Transition::Recovery(RecoveryNews::PowerOn { failures: restoring.failures }));
            }
            if restoring.landed {
                self.intent = None;
                self.phase = match restoring.settle {
                    true => Phase::Settling { until: now + self.config.settle },
                    false => Phase::Watching,
                };
                return;
            }
            let (next, due) = (PlugOrder::Look, Some(now + LANDS_WITHIN));
            self.phase = Phase::Restoring(Restoring { next, due, landed: true, failures: 0, ..restoring });
            return;
        }
        let what = match (stranger, result) {
            (Some(stranger), _) => stranger.to_string(),
            (None, Ok(_)) => "it says that it is off still".to_owned(),
            (None, Err(error)) => crate::error_chain(error),
        };
        if restoring.failures.is_multiple_of(TELL_EACH) {
            told.push(Transition::Recovery(RecoveryNews::OnFailed { what, failures: restoring.failures + 1 }));
        }
        let (next, due) = (PlugOrder::Look, Some(now + ON_AGAIN.wait(restoring.failures, jitter)));
        let failures = restoring.failures.saturating_add(1);
        self.phase = Phase::Restoring(Restoring { next, due, failures, seen_on: false, ..restoring });
    }

    /// What stands against an attempt now, limits apart.
    fn stands_against(&self, around: Around<'_>) -> Option<WhyNot> {
        if around.ending {
            return Some(WhyNot::Ending);
        }
        let line = self.line.clone().filter(|_| around.readiness == Readiness::NotReady).unwrap_or(Line::Open);
        if !matches!(line, Line::Dead { .. }) {
            return Some(WhyNot::NotDead(line));
        }
        if !self.config.allowed {
            return Some(WhyNot::NotAllowed);
        }
        if self.config.plug.is_none() {
            return Some(WhyNot::NoPlug);
        }
        if self.dry_run {
            return Some(WhyNot::DryRun);
        }
        let until = self.dead_since.unwrap_or(around.now) + self.config.after;
        if until > around.now {
            return Some(WhyNot::TooEarly { until });
        }
        around.not_durable.map(|what| WhyNot::NotDurable(what.to_owned()))
    }

    /// What is against an attempt by what was done before.
    fn limits(&self, now: Instant) -> Option<WhyNot> {
        if self.patient_until > now {
            return Some(WhyNot::JustBooted { until: self.patient_until });
        }
        let spent = self.attempts.spent_until(self.config.max_per_day).map(|until| WhyNot::BudgetSpent { until });
        let cooling = || self.attempts.cool_until(self.config.cooldown, now).map(|until| WhyNot::CoolingDown { until });
        spent.or_else(cooling)
    }

    /// Goes on; the order that is to be carried out now.
    pub(crate) fn advance(
        &mut self,
        around: Around<'_>,
        told: &mut Vec<Transition>,
    ) -> Option<(PlugAddress, PlugOrder)> {
        let now = around.now;
        self.attempts.pass(now);
        if around.readiness == Readiness::Ready && matches!(self.phase, Phase::New | Phase::Watching) {
            self.attempts.failures = 0;
        }
        match self.phase.clone() {
            Phase::New if self.config.allowed && !around.ending => self.look(false),
            Phase::New => {
                self.phase = Phase::Watching;
                self.watch(around, told)
            }
            Phase::Watching => self.watch(around, told),
            Phase::Checking { .. } | Phase::Cutting => None,
            Phase::Intending => {
                // What can't be kept is given up at once; what is being kept may still be answered.
                if self.stands_against(around).is_some_and(|why| why != WhyNot::Ending) {
                    self.give_up();
                }
                None
            }
            Phase::Armed => {
                if let Some(why) = self.stands_against(around) {
                    self.give_up();
                    self.tell(why, told);
                    return None;
                }
                self.phase = Phase::Cutting;
                told.push(Transition::Recovery(RecoveryNews::Cycles { attempt: self.attempts.count() }));
                let intent = self.intent.as_ref()?;
                Some((intent.plug.clone(), PlugOrder::Off { back_on: self.config.off }))
            }
            Phase::Dark { until } => {
                if until > now && !around.ending {
                    return None;
                }
                self.restore(now, true);
                self.order(now, around.ending)
            }
            Phase::Restoring(_) => self.order(now, around.ending),
            Phase::Settling { until } => {
                if around.readiness == Readiness::Ready {
                    self.attempts.failures = 0;
                    told.push(Transition::Recovery(RecoveryNews::Helped));
                } else if until <= now {
                    let failures = self.attempts.failures;
                    told.push(Transition::Recovery(RecoveryNews::DidNotHelp { failures }));
                } else {
                    return None;
                }
                self.phase = Phase::Watching;
                self.watch(around, told)
            }
        }
    }

    fn watch(&mut self, around: Around<'_>, told: &mut Vec<Transition>) -> Option<(PlugAddress, PlugOrder)> {
        let why_not = self.stands_against(around).or_else(|| self.limits(around.now));
        // A plug that failed is looked at again also while nothing is wanted of it: somebody may have put it right.
        let (fails, rests) = (self.plug_fails.clone(), self.look_again_at.is_some_and(|at| at > around.now));
        let looks = if fails.is_some() { !rests && !around.ending } else { why_not.is_none() };
        let then = why_not.is_none();
        match why_not.or_else(|| fails.filter(|_| rests)) {
            Some(why) => self.tell(why, told),
            None => self.why_not = None,
        }
        if looks { self.look(then) } else { None }
    }

    fn look(&mut self, then: bool) -> Option<(PlugAddress, PlugOrder)> {
        let Some(choice) = &self.config.plug else {
            self.phase = Phase::Watching;
            return None;
        };
        self.phase = Phase::Checking { then };
        Some((choice.plug.clone(), PlugOrder::Look))
    }

    /// The next order on the way back to power, if it is due.
    fn order(&mut self, now: Instant, ending: bool) -> Option<(PlugAddress, PlugOrder)> {
        let (Phase::Restoring(restoring), Some(intent)) = (&mut self.phase, &self.intent) else { return None };
        // Whoever ends can't wait for a pause that began before.
        if ending && !restoring.seen_on {
            restoring.due = restoring.due.map(|due| due.min(now + ENDING_PAUSE));
        }
        restoring.due.take_if(|due| *due <= now)?;
        Some((intent.plug.clone(), restoring.next))
    }

    fn tell(&mut self, why: WhyNot, told: &mut Vec<Transition>) {
        let silent = matches!(why, WhyNot::NotDead(Line::Open) | WhyNot::Ending);
        let known = self.why_not.as_ref().is_some_and(|known| known.is_like(&why));
        if !silent && !known {
            told.push(Transition::Recovery(RecoveryNews::Held(why.clone())));
        }
        self.why_not = (!silent).then_some(why);
    }

    /// When [`Self::advance`] has to be asked.
    pub(crate) fn deadline(&self, ending: bool) -> Option<Instant> {
        match &self.phase {
            Phase::Dark { until } => Some(*until),
            Phase::Restoring(restoring) => restoring.due,
            Phase::Settling { until } if !ending => Some(*until),
            Phase::Watching if !ending => {
                let until = self.why_not.as_ref().and_then(WhyNot::until);
                [until, self.look_again_at].into_iter().flatten().min()
            }
            _ => None,
        }
    }

    /// Power was taken and is not known to be back: a shutdown waits for that.
    pub(crate) const fn owes_power(&self) -> bool {
        match &self.phase {
            Phase::Cutting | Phase::Dark { .. } => true,
            Phase::Restoring(restoring) => !restoring.seen_on,
            _ => false,
        }
    }

    /// What the last round said of the line.
    pub(crate) const fn line(&self) -> Option<&Line> {
        self.line.as_ref()
    }

    /// Whether power is back and the router has its time to return.
    pub(crate) const fn settles(&self) -> bool {
        matches!(self.phase, Phase::Settling { .. })
    }

    /// Whether the intent waits for the disk.
    pub(crate) fn waits_for_disk(&self) -> bool {
        self.phase == Phase::Intending
    }

    /// Brings the saved form up to date; true if it changed.
    pub(crate) fn save_into(&mut self, saved: &mut SavedState, now: Instant, wall: Wall) -> bool {
        let known = &saved.recovery;
        let same = known.failures == self.attempts.failures
            && known.intent == self.intent
            && known.device == self.device
            && self.attempts.saved(now, wall).eq(known.attempts.iter().copied());
        if !same {
            saved.recovery = RecoveryState {
                intent: self.intent.clone(),
                attempts: self.attempts.saved(now, wall).collect(),
                failures: self.attempts.failures,
                device: self.device.clone(),
            };
        }
        !same
    }
}

fn is_like(why: Option<&WhyNot>, other: Option<&WhyNot>) -> bool {
    why.zip(other).is_some_and(|(why, other)| why.is_like(other))
}

/// The device that was seen first at this address is ours.
fn other_device(known: Option<&KnownDevice>, plug: &PlugAddress, report: &PlugReport) -> Option<WhyNot> {
    let (known, found) = (known.filter(|known| known.plug == *plug)?, report.device.as_ref()?);
    (known.device != *found).then(|| WhyNot::OtherDevice { known: known.device.clone(), found: found.clone() })
}

#[cfg(test)]
mod tests;
