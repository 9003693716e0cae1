//! Bringing one record to its address: check, read, write, wait, hold.

use std::net::IpAddr;
use std::time::Duration;

use crate::backoff::{Backoff, Jitter};
use crate::ports::{Observed, ProviderError, RecordHandle, UpdateKind, UpdateResult};
use crate::time::Instant;

/// The longest wait between two attempts of a record, a `Retry-After` or a hold apart.
pub const RETRY_CAP: Duration = Duration::from_secs(300);
/// The longest `Retry-After` that is obeyed (FAULTS 36).
pub const RETRY_AFTER_CAP: Duration = Duration::from_secs(3600);
/// The wait while the provider refuses us or the request.
pub const HOLD: Duration = Duration::from_secs(3600);
/// The first wait after a connection that could not be made (trap 33).
const REDIAL: Duration = Duration::from_millis(5);

/// The pace of publishing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// The least time between two writes of one record.
    pub min_interval: Duration,
    /// The first wait after a failure.
    pub retry_delay: Duration,
    /// Failures in a row after which a record counts as failing and is tried every [`RETRY_CAP`].
    pub max_retries: u32,
}

/// One thing to do for a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// Ask DNS whether a write is needed.
    Check,
    /// Ask the provider what it holds.
    Read,
    /// Write.
    Write,
}

/// Why a step is not due at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// It is.
    Now,
    /// The minimum interval since the last write.
    Interval,
    /// The provider could not be reached.
    Unreachable,
    /// The provider answered that it can't now.
    Unavailable,
    /// The credentials are not accepted.
    Unauthorized,
    /// The request is not accepted.
    Refused,
}

/// Where a record stands.
///
/// ```text
///            desire (in doubt)                desire (certain)
///  ┌──────┐ ───────────────▶ Due(Check) ──no──▶ Due(Read) ──differs──▶ Due(Write)
///  │ Rest │                      │ yes              │ same                 │ acknowledged
///  └──────┘ ◀────────────────────┴──────────────────┴──────────────────────┘
///                  failure: Due(the same step) later;  outcome unknown: Due(Read)
/// ```
///
/// Every `Due` becomes `Running` when its time has come and the provider is free. A new address replaces the one of a
/// `Due` step and is looked at again when a `Running` one has ended: nothing is forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Nothing to do.
    Rest,
    /// A step waits for its time and turn.
    Due {
        /// The step.
        step: Step,
        /// Not before.
        at: Instant,
        /// What it waits for.
        why: Why,
    },
    /// A step is under way.
    Running {
        /// The step.
        step: Step,
        /// The address it is about.
        target: IpAddr,
    },
}

/// What a failure led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// The class.
    pub why: Why,
    /// Failures in a row.
    pub failures: u32,
    /// When it is tried again.
    pub again_at: Instant,
    /// That is soon: such a gap belongs to many changes of address.
    pub brief: bool,
}

/// What is known of a record from an earlier run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Before {
    /// The address that the provider acknowledged last.
    pub confirmed: Option<IpAddr>,
    /// The address of a write whose outcome is not known.
    pub pending: Option<IpAddr>,
    /// When the last write began.
    pub written_at: Option<Instant>,
    /// The provider asked for patience until then.
    pub asked_until: Option<Instant>,
    /// Where the provider keeps it.
    pub handle: Option<RecordHandle>,
    /// DNS answers with the provider's own addresses.
    pub proxied: bool,
}

/// The machine of one record.
#[derive(Debug)]
pub struct Publish {
    pace: Pace,
    state: State,
    desired: Option<IpAddr>,
    confirmed: Option<IpAddr>,
    written_at: Option<Instant>,
    /// When a write began that is under way or of which no answer came.
    in_doubt: Option<Instant>,
    /// The address of the last write.
    written: Option<IpAddr>,
    handle: Option<RecordHandle>,
    proxied: bool,
    /// In a row.
    failures: u32,
    /// Those of them that called for patience.
    patient_failures: u32,
    /// Those of them that were writes.
    failed_writes: u32,
    /// Nothing is asked of the provider until then; that holds for every address.
    held: Option<(Instant, Why)>,
    /// The provider itself asked for that (`Retry-After`).
    asked_until: Option<Instant>,
}

impl Publish {
    /// A record of which this is known from before.
    pub fn new(pace: Pace, before: Before) -> Self {
        let Before { confirmed, pending, written_at, asked_until, handle, proxied } = before;
        Self {
            pace,
            state: State::Rest,
            desired: None,
            confirmed,
            written_at,
            in_doubt: pending.and(written_at),
            written: pending,
            handle,
            proxied,
            failures: 0,
            patient_failures: 0,
            failed_writes: 0,
            held: asked_until.map(|until| (until, Why::Unavailable)),
            asked_until,
        }
    }

    /// The record shall hold `address`. `certain` says that what it holds is known, so that a difference needs no
    /// check.
    pub fn desire(&mut self, now: Instant, address: IpAddr, certain: bool) {
        self.desired = Some(address);
        self.plan(now, certain);
    }

    fn plan(&mut self, now: Instant, certain: bool) {
        if matches!(self.state, State::Running { .. }) {
            return;
        }
        let step = match (self.in_doubt, certain) {
            (Some(_), _) => Step::Read,
            // DNS never shows the address of a proxied record (trap 16).
            (None, false) if self.proxied => Step::Read,
            (None, false) => Step::Check,
            (None, true) if self.confirmed == self.desired => {
                self.state = State::Rest;
                return;
            }
            (None, true) => Step::Write,
        };
        if matches!(self.state, State::Due { why: Why::Unreachable, .. }) {
            self.forget_failures();
        }
        self.state = match self.state {
            // Another address may be accepted, but a flapping one must not make a storm of refusals.
            State::Due { at, why: why @ Why::Refused, .. } => {
                let soon = now + self.pace.min_interval.max(self.pace.retry_delay);
                let asked = self.asked_until.unwrap_or(now);
                State::Due { step, at: at.min(soon).max(asked), why }
            }
            State::Rest | State::Due { .. } | State::Running { .. } => self.due(now, step),
        };
    }

    fn due(&self, now: Instant, step: Step) -> State {
        let interval =
            self.last_write().filter(|_| step == Step::Write).map(|at| (at + self.pace.min_interval, Why::Interval));
        let held = self.held.filter(|_| step != Step::Check);
        match [interval, held].into_iter().flatten().max_by_key(|(at, _)| *at) {
            Some((at, why)) if at > now => State::Due { step, at, why },
            Some(_) | None => State::Due { step, at: now, why: Why::Now },
        }
    }

    /// The network has changed: what could not be reached is tried as soon as the provider may be asked.
    pub fn nudge(&mut self, now: Instant) {
        if let State::Due { step, why: Why::Unreachable, .. } = self.state {
            self.forget_failures();
            self.state = self.due(now, step);
        }
    }

    /// Until when the provider asked for patience last.
    pub const fn asked_until(&self) -> Option<Instant> {
        self.asked_until
    }

    /// The provider asked for patience with another of its records.
    pub fn be_patient(&mut self, now: Instant, asked_until: Option<Instant>) {
        let Some(until) = asked_until.filter(|until| *until > now && Some(*until) > self.asked_until) else { return };
        self.asked_until = Some(until);
        if self.held.is_none_or(|(at, _)| at < until) {
            self.held = Some((until, Why::Unavailable));
        }
        if let State::Due { step: step @ (Step::Read | Step::Write), at, .. } = self.state
            && at < until
        {
            self.state = State::Due { step, at: until, why: Why::Unavailable };
        }
    }

    /// What the provider holds is to be read again.
    pub fn read_again(&mut self, now: Instant) {
        if self.state == State::Rest {
            self.state = self.due(now, Step::Read);
        }
    }

    /// The step whose time has come.
    pub fn next(&self, now: Instant) -> Option<Step> {
        match self.state {
            State::Due { step, at, .. } if at <= now => Some(step),
            State::Due { .. } | State::Rest | State::Running { .. } => None,
        }
    }

    /// When [`Self::next`] has to be asked again.
    pub const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Due { at, .. } => Some(at),
            State::Rest | State::Running { .. } => None,
        }
    }

    /// The step that was due begins; the address it is about.
    pub fn begin(&mut self, now: Instant) -> Option<(Step, IpAddr)> {
        let (State::Due { step, .. }, Some(target)) = (self.state, self.desired) else { return None };
        if step == Step::Write {
            self.in_doubt = Some(now);
            self.written = Some(target);
        }
        self.state = State::Running { step, target };
        Some((step, target))
    }

    /// Gives up a write that is due; the address that would have been written.
    pub fn skip_write(&mut self) -> Option<IpAddr> {
        let State::Due { step: Step::Write, .. } = self.state else { return None };
        self.state = State::Rest;
        self.desired
    }

    fn end(&mut self, step: Step) -> Option<IpAddr> {
        match self.state {
            State::Running { step: running, target } if running == step => {
                self.state = State::Rest;
                Some(target)
            }
            State::Running { .. } | State::Rest | State::Due { .. } => None,
        }
    }

    /// DNS was asked. `agrees` is believed only where it doesn't contradict what we know to have been written last: a
    /// resolver's cache may still hold an address from before (trap 10). True if DNS is right already.
    pub fn checked(&mut self, now: Instant, agrees: bool) -> bool {
        let Some(target) = self.end(Step::Check) else { return false };
        let right = agrees && self.confirmed.is_none_or(|confirmed| confirmed == target);
        if right {
            self.confirm(target);
        }
        if !right || self.handle.is_none() {
            self.state = self.due(now, Step::Read);
        }
        self.after(now, target, true);
        right
    }

    /// The provider told what it holds. True if that is the address.
    pub fn read(&mut self, now: Instant, observed: &Observed, jitter: &mut Jitter) -> bool {
        let Some(target) = self.end(Step::Read) else { return false };
        self.handle.clone_from(&observed.handle);
        self.proxied = observed.proxied;
        let holds = |address: &IpAddr| observed.addresses.contains(address);
        let right = holds(&target);
        let doubted = self.in_doubt.take();
        let took_effect = self.written.filter(|written| doubted.is_some() && holds(written));
        // Neither what was there nor what we wrote: it may have had its effect before somebody else's write.
        let as_before = observed.addresses.is_empty() || self.confirmed.as_ref().is_some_and(holds);
        if right || took_effect.is_some() || !as_before {
            self.written_at = doubted.or(self.written_at);
        }
        if right {
            self.confirm(target);
        } else {
            // What is known to be there is remembered even if it is none of ours: DNS is not believed against it.
            let sole = observed.addresses.first().copied().filter(|_| observed.addresses.len() == 1);
            self.confirmed = [self.desired, took_effect, self.confirmed, sole].into_iter().flatten().find(holds);
            self.state = self.write_after_read(now, target, jitter);
        }
        self.after(now, target, true);
        right
    }

    /// The provider can't be asked what it holds. What it acknowledged last stands, unless a later write is in doubt:
    /// that may have had an effect, so that its repetition waits for the interval.
    pub fn unreadable(&mut self, now: Instant, jitter: &mut Jitter) {
        let Some(target) = self.end(Step::Read) else { return };
        // The doubt ends with a write that is acknowledged, also after a restart.
        let doubted = self.in_doubt.is_some();
        if doubted || self.confirmed != Some(target) {
            self.confirmed = self.confirmed.filter(|_| !doubted);
            self.state = self.write_after_read(now, target, jitter);
        }
        self.after(now, target, true);
    }

    /// The first failure of a write is repeated as soon as it is known to have had no effect; then patience is due, as
    /// long as it is the same write. Reads that failed had their patience already.
    fn write_after_read(&mut self, now: Instant, target: IpAddr, jitter: &mut Jitter) -> State {
        if self.failed_writes < 2 || self.desired != Some(target) {
            return self.due(now, Step::Write);
        }
        self.held = Some((now + self.patience(jitter), Why::Unavailable));
        self.due(now, Step::Write)
    }

    /// The provider acknowledged a write.
    pub fn written(&mut self, now: Instant, result: UpdateResult) {
        let Some(target) = self.end(Step::Write) else { return };
        let began = self.in_doubt.take();
        match result.kind {
            UpdateKind::Created | UpdateKind::Changed => self.written_at = began,
            UpdateKind::Unchanged => {}
        }
        self.handle = result.handle;
        self.proxied = result.proxied;
        self.confirm(target);
        self.after(now, target, true);
    }

    const fn forget_failures(&mut self) {
        (self.failures, self.patient_failures, self.failed_writes) = (0, 0, 0);
    }

    fn confirm(&mut self, address: IpAddr) {
        self.confirmed = Some(address);
        self.forget_failures();
    }

    /// A read or a write failed. `None` if none was under way, and where the failure leads to an immediate next step.
    pub fn failed(&mut self, now: Instant, error: &ProviderError, jitter: &mut Jitter) -> Option<Failure> {
        let State::Running { step: running, target } = self.state else { return None };
        self.failures = self.failures.saturating_add(1);
        self.failed_writes = self.failed_writes.saturating_add(u32::from(running == Step::Write));
        let nth = self.failures - 1;
        let redial = Backoff::new(REDIAL, RETRY_CAP).wait(nth, jitter);
        let (step, why, wait) = match error {
            ProviderError::Unreachable { .. } => (running, Why::Unreachable, redial),
            // After a write the read comes soon; patience is due before the write is repeated.
            ProviderError::Unknown { .. } if running == Step::Write => {
                (Step::Read, Why::Unreachable, Backoff::new(REDIAL, self.pace.retry_delay).wait(nth, jitter))
            }
            ProviderError::Unknown { .. } => (Step::Read, Why::Unreachable, redial),
            ProviderError::Unavailable { retry_after, .. } => (running, Why::Unavailable, {
                let asked = retry_after.map(|asked| asked.min(RETRY_AFTER_CAP));
                self.asked_until = asked.map(|asked| now + asked).or(self.asked_until);
                self.patience(jitter).max(asked.unwrap_or_default())
            }),
            ProviderError::Unreadable => (running, Why::Unavailable, self.patience(jitter)),
            ProviderError::Stale { .. } if self.handle.is_some() => {
                self.handle = None;
                (Step::Read, Why::Now, Duration::ZERO)
            }
            ProviderError::Stale { .. } => (Step::Read, Why::Unavailable, self.patience(jitter)),
            ProviderError::Unauthorized { .. } => (running, Why::Unauthorized, jitter.spread(HOLD)),
            ProviderError::Refused { .. } => (running, Why::Refused, jitter.spread(HOLD)),
        };
        let without_effect = running == Step::Write && !matches!(error, ProviderError::Unknown { .. });
        if without_effect {
            self.in_doubt = None;
        }
        let again_at = now + wait;
        let brief = why == Why::Unreachable && wait < self.pace.retry_delay / 2;
        if why == Why::Unreachable && !brief {
            self.patient_failures = self.patient_failures.saturating_add(1);
        }
        match why {
            Why::Unavailable | Why::Unauthorized => self.held = Some((again_at, why)),
            // The address may go and come back meanwhile.
            Why::Refused => self.held = Some((now + self.pace.min_interval.max(self.pace.retry_delay), why)),
            Why::Now | Why::Interval | Why::Unreachable => {}
        }
        self.state = State::Due { step, at: again_at, why };
        self.after(now, target, false);
        Some(Failure { why, failures: self.failures, again_at, brief })
    }

    fn patience(&mut self, jitter: &mut Jitter) -> Duration {
        let nth = self.patient_failures;
        self.patient_failures = nth.saturating_add(1);
        if nth >= self.pace.max_retries {
            jitter.spread(RETRY_CAP)
        } else {
            Backoff::new(self.pace.retry_delay, RETRY_CAP).wait(nth, jitter)
        }
    }

    /// The address may have changed while a step was under way.
    fn after(&mut self, now: Instant, target: IpAddr, certain: bool) {
        if self.desired != Some(target) {
            match self.state {
                State::Due { why: Why::Refused, .. } | State::Rest => self.plan(now, certain),
                State::Due { step: Step::Write, .. } if self.desired == self.confirmed => self.plan(now, certain),
                State::Due { .. } | State::Running { .. } => {}
            }
        }
    }

    /// Where it stands.
    pub const fn state(&self) -> State {
        self.state
    }

    /// The address that it shall hold.
    pub const fn desired(&self) -> Option<IpAddr> {
        self.desired
    }

    /// The address that the provider is known to hold: acknowledged or read last.
    pub const fn confirmed(&self) -> Option<IpAddr> {
        self.confirmed
    }

    /// When the last write began that had an effect or may have had one.
    pub fn last_write(&self) -> Option<Instant> {
        self.in_doubt.or(self.written_at)
    }

    /// The address of a write that is under way or of which no answer came.
    pub fn pending(&self) -> Option<IpAddr> {
        self.in_doubt.and(self.written)
    }

    /// Failures in a row.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// DNS answers with the provider's addresses.
    pub const fn proxied(&self) -> bool {
        self.proxied
    }

    /// Where the provider keeps it.
    pub const fn handle(&self) -> Option<&RecordHandle> {
        self.handle.as_ref()
    }

    /// The record counts as failing: more failures in a row than are called passing.
    pub const fn failing(&self) -> bool {
        self.patient_failures > self.pace.max_retries
    }
}
