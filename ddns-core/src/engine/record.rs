use std::net::IpAddr;

use super::drift::Drift;
use super::effects::{Action, ReadResult, RecordId, Stage, Transition, UpdatedResult};
use super::stamp::Stamp;
use super::status::{Next, NextStep, RecordStatus};
use crate::backoff::Jitter;
use crate::config::{DriftPolicy, RecordSpec};
use crate::ports::{ProviderError, UpdateRequest, Vote};
use crate::publish::{Before, Pace, Publish, RETRY_AFTER_CAP, State, Step, Why};
use crate::record::RecordKey;
use crate::state::{SavedState, StateRecord};
use crate::time::{Instant, Wall};
use crate::verify::{Progress, Verdict, Verify, Whom, cached_for, judge, judge_authorities};

/// One record: its two machines, and what they tell each other.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) spec: RecordSpec,
    /// The lane that its address comes from.
    pub(super) lane: usize,
    pub(super) supported: bool,
    pub(super) publish: Publish,
    pub(super) verify: Verify,
    /// What the provider holds is known at first hand, and nothing has happened since that puts it in doubt.
    pub(super) certain: bool,
    /// The host no longer holds the address that was published.
    pub(super) lost: bool,
    /// It was told that the zone's own name servers can't be asked.
    unserved: bool,
    drift: Drift,
    ask: u64,
    told_until: Option<Instant>,
    error: Option<String>,
    /// When it was proven last, and by whom.
    proven: Option<(Wall, Stage)>,
    saved_as: String,
    last_write: Stamp,
    asked_until: Stamp,
}

impl Record {
    pub(super) fn new(
        spec: RecordSpec,
        lane: usize,
        supported: bool,
        pace: Pace,
        policy: DriftPolicy,
        before: Option<&StateRecord>,
        (now, wall): (Instant, Wall),
    ) -> Self {
        // Wall clocks err: what they say counts within the limits that hold anyway (FAULTS 57).
        let ago = |at: Wall| now - wall.saturating_since(at).min(pace.min_interval);
        let ahead = |until: Wall| now + until.saturating_since(wall).min(RETRY_AFTER_CAP);
        let written_at = before.and_then(|before| before.written_at);
        let asked_until = before.and_then(|before| before.asked_until).filter(|until| *until > wall);
        let publish = before.map_or_else(Before::default, |before| Before {
            confirmed: before.confirmed,
            pending: before.pending,
            written_at: written_at.map(ago),
            asked_until: asked_until.map(ahead),
            handle: before.handle.clone(),
            proxied: before.proxied,
        });
        Self {
            publish: Publish::new(pace, publish),
            verify: Verify::new(),
            certain: false,
            lost: false,
            unserved: false,
            drift: Drift::new(policy),
            ask: 0,
            told_until: None,
            error: None,
            proven: None,
            saved_as: spec.key.to_string(),
            last_write: Stamp::saved(written_at.map(ago), written_at),
            asked_until: Stamp::saved(asked_until.map(ahead), asked_until),
            spec,
            lane,
            supported,
        }
    }

    pub(super) const fn key(&self) -> &RecordKey {
        &self.spec.key
    }

    /// The lane has this address.
    pub(super) fn desire(&mut self, now: Instant, address: IpAddr) {
        let address = self.spec.suffix.map_or(address, |suffix| suffix.under(address));
        if self.publish.desired() == Some(address) {
            // Another address under the same prefix is no news to another host's record.
            return;
        }
        if self.verify.verified() != Some(address) {
            self.verify.stop();
        }
        self.drift.mended();
        self.publish.desire(now, address, self.certain);
        self.prove(now);
    }

    /// An address may come back before another one was written; its proof was given up for that.
    fn prove(&mut self, now: Instant) {
        if self.verify.verified().is_none() && self.verify.resting() {
            self.look_again(now);
        }
    }

    pub(super) fn wants_provider(&self, now: Instant) -> bool {
        match self.publish.next(now) {
            Some(Step::Read) => true,
            Some(Step::Write) => !self.lost,
            Some(Step::Check) | None => false,
        }
    }

    /// Something has happened that what is proven may not have survived.
    pub(super) fn look_again(&mut self, now: Instant) {
        let desired = self.publish.desired();
        if self.publish.state() != State::Rest || desired.is_none() || desired != self.publish.confirmed() {
            return;
        }
        if self.publish.proxied() {
            self.publish.read_again(now);
        } else {
            self.verify.ask_again(now);
        }
    }

    /// Nothing has happened, and yet somebody may have changed the record.
    pub(super) fn audit(&mut self, now: Instant) {
        if self.drift.left() {
            self.publish.read_again(now);
        } else {
            self.look_again(now);
        }
    }

    /// When the record wants the engine's attention; a provider that is busy calls by itself, and so does an address
    /// that comes back.
    pub(super) fn deadline(&self, provider_free: bool) -> Option<Instant> {
        let waits = match self.publish.state() {
            State::Due { step: Step::Write, .. } => !provider_free || self.lost,
            State::Due { step: Step::Read, .. } => !provider_free,
            State::Due { step: Step::Check, .. } | State::Rest | State::Running { .. } => false,
        };
        let publish = if waits { None } else { self.publish.deadline() };
        [publish, self.verify.deadline()].into_iter().flatten().min()
    }

    pub(super) fn provider_action(
        &mut self,
        id: RecordId,
        now: Instant,
        dry_run: bool,
        provider_free: bool,
        told: &mut Vec<Transition>,
    ) -> Option<Action> {
        if !self.wants_provider(now) {
            return None;
        }
        let step = self.publish.next(now)?;
        let from = self.publish.confirmed();
        if step == Step::Write && dry_run {
            let to = self.publish.skip_write()?;
            told.push(Transition::WouldUpdate { key: self.key().clone(), from, to });
            return None;
        }
        if !provider_free {
            return None;
        }
        let (step, address) = self.publish.begin(now)?;
        let (key, provider) = (self.key().clone(), self.spec.provider);
        if step == Step::Read {
            return Some(Action::Read { provider, record: id, key });
        }
        told.push(Transition::UpdateStarted { key: key.clone(), from, to: address });
        let (handle, ttl) = (self.publish.handle().cloned(), self.spec.ttl);
        let request = UpdateRequest { key, address, previous: from, handle, ttl };
        Some(Action::Update { provider, record: id, request })
    }

    pub(super) fn verifier_action(&mut self, id: RecordId, now: Instant, quorum: usize) -> Option<Action> {
        let whom = if self.publish.next(now) == Some(Step::Check) {
            self.verify.stop();
            self.publish.begin(now)?;
            Whom::Resolvers
        } else if self.verify.due(now) && self.publish.confirmed().is_some() {
            self.verify.asking();
            self.verify.whom()
        } else {
            return None;
        };
        self.ask += 1;
        Some(Action::Resolve { whom, record: id, key: self.key().clone(), ask: self.ask, quorum })
    }

    /// Says once that a write waits for the interval's end.
    pub(super) fn tell_deferred(&mut self, told: &mut Vec<Transition>) {
        if let State::Due { at, why: Why::Interval, .. } = self.publish.state()
            && self.told_until != Some(at)
        {
            self.told_until = Some(at);
            told.push(Transition::Deferred { key: self.key().clone(), until: at });
        }
    }

    pub(super) fn resolved(
        &mut self,
        (now, wall): (Instant, Wall),
        ask: u64,
        votes: &[Vote],
        resolvers: usize,
        jitter: &mut Jitter,
        told: &mut Vec<Transition>,
    ) {
        if ask != self.ask {
            return;
        }
        match (self.publish.state(), self.publish.confirmed()) {
            (State::Running { step: Step::Check, target }, _) => {
                self.checked((now, wall), target, judge(votes, resolvers, target), told);
            }
            (State::Rest | State::Due { .. } | State::Running { .. }, Some(confirmed)) => {
                let verdict = match self.verify.whom() {
                    Whom::Authorities => judge_authorities(votes, confirmed),
                    Whom::Resolvers => judge(votes, resolvers, confirmed),
                };
                self.proof((now, wall), confirmed, votes, verdict, jitter, told);
            }
            (State::Rest | State::Due { .. } | State::Running { .. }, None) => {}
        }
    }

    fn checked(&mut self, (now, wall): (Instant, Wall), target: IpAddr, verdict: Verdict, told: &mut Vec<Transition>) {
        let right = self.publish.checked(now, matches!(verdict, Verdict::Agrees { .. }));
        if right && self.publish.desired() == Some(target) {
            self.certain = true;
            self.proven = Some((wall, Stage::Resolvers));
            self.verify.proven(target);
            if let Verdict::Agrees { ttl } = &verdict {
                self.verify.again_after(now, *ttl);
            }
        }
        told.push(Transition::Checked { key: self.key().clone(), address: target, verdict });
        if right {
            told.push(Transition::Verified { key: self.key().clone(), address: target, stage: Stage::Resolvers });
        }
    }

    fn proof(
        &mut self,
        (now, wall): (Instant, Wall),
        address: IpAddr,
        votes: &[Vote],
        verdict: Verdict,
        jitter: &mut Jitter,
        told: &mut Vec<Transition>,
    ) {
        let (key, whom) = (self.key().clone(), self.verify.whom());
        match self.verify.answered(now, address, &verdict, cached_for(votes, address), jitter) {
            Some(Progress::Served) => {
                let silent = silent(votes);
                let servers = votes.len() - silent.len();
                self.unserved = false;
                told.push(Transition::Served { key, address, servers, silent });
            }
            // Once: where port 53 is closed it stays so.
            Some(Progress::Unserved) if votes.is_empty() || std::mem::replace(&mut self.unserved, true) => {}
            Some(Progress::Unserved) => told.push(Transition::Unserved { key, why: silent(votes) }),
            Some(Progress::Verified) => {
                self.certain = true;
                self.proven = Some((wall, Stage::Resolvers));
                told.push(Transition::Verified { key, address, stage: Stage::Resolvers });
            }
            Some(Progress::Pending { attempts, read_back }) => {
                if read_back {
                    self.publish.read_again(now);
                }
                told.push(Transition::VerifyPending { whom, key, address, verdict, attempts });
            }
            Some(Progress::Still) => {
                self.certain = true;
                self.proven = Some((wall, Stage::Resolvers));
            }
            None => {}
        }
    }

    pub(super) fn read(
        &mut self,
        (now, wall): (Instant, Wall),
        result: &ReadResult,
        jitter: &mut Jitter,
        told: &mut Vec<Transition>,
    ) {
        let observed = match result {
            Ok(observed) => observed,
            Err(ProviderError::Unreadable) => {
                self.publish.unreadable(now, jitter);
                return self.prove(now);
            }
            Err(error) => return self.failed(now, error, jitter, told),
        };
        let State::Running { target, .. } = self.publish.state() else { return };
        let known = self.publish.confirmed() == Some(target) && self.publish.pending().is_none();
        let right = self.publish.read(now, observed, jitter);
        self.certain = true;
        self.error = None;
        if right {
            self.drift.mended();
        } else if known {
            let policy = self.drift.found(now);
            let (key, found) = (self.key().clone(), observed.addresses.clone());
            told.push(Transition::Drift { key, expected: target, found, policy });
        }
        if !right && self.drift.leaves(now) {
            self.publish.skip_write();
            self.verify.stop();
            return;
        }
        if observed.addresses.len() > 1 {
            told.push(Transition::Foreign { key: self.key().clone(), addresses: observed.addresses.clone() });
        }
        if !right {
            self.verify.stop();
            self.prove(now);
        } else if observed.proxied {
            self.prove_by_provider(target, wall, told);
        } else if self.verify.verified() != Some(target) && self.verify.resting() {
            self.verify.begin(now);
        }
    }

    fn prove_by_provider(&mut self, address: IpAddr, wall: Wall, told: &mut Vec<Transition>) {
        if self.verify.verified() != Some(address) {
            told.push(Transition::Verified { key: self.key().clone(), address, stage: Stage::Provider });
        }
        self.proven = Some((wall, Stage::Provider));
        self.verify.proven(address);
    }

    pub(super) fn updated(
        &mut self,
        now: Instant,
        result: UpdatedResult,
        jitter: &mut Jitter,
        told: &mut Vec<Transition>,
    ) {
        let result = match result {
            Ok(result) => result,
            Err(error) => return self.failed(now, &error, jitter, told),
        };
        let State::Running { target: address, .. } = self.publish.state() else { return };
        told.push(Transition::Updated { key: self.key().clone(), address, kind: result.kind });
        let proxied = result.proxied;
        self.publish.written(now, result);
        self.drift.mended();
        self.certain = true;
        self.error = None;
        if proxied {
            self.verify.stop();
            self.publish.read_again(now);
        } else {
            self.verify.begin(now);
        }
    }

    fn failed(&mut self, now: Instant, error: &ProviderError, jitter: &mut Jitter, told: &mut Vec<Transition>) {
        let what = crate::error_chain(error);
        let failure = self.publish.failed(now, error, jitter);
        self.prove(now);
        if let Some(failure) = failure {
            self.error = Some(what.clone());
            let failing = self.publish.failing();
            told.push(Transition::UpdateFailed { key: self.key().clone(), what, failure, failing });
        }
    }

    pub(super) fn converged(&self) -> bool {
        let desired = self.publish.desired();
        !self.lost
            && self.publish.pending().is_none()
            && desired.is_some()
            && desired == self.publish.confirmed()
            && desired == self.verify.verified()
    }

    /// There was never anything to publish.
    pub(super) const fn untouched(&self) -> bool {
        self.publish.desired().is_none() && self.publish.confirmed().is_none()
    }

    /// Brings the saved form up to date; true if it changed.
    pub(super) fn save_into(&mut self, saved: &mut SavedState, now: Instant, wall: Wall) -> bool {
        let written_at = self.last_write.of(self.publish.last_write(), now, wall);
        let asked_until = self.asked_until.of(self.publish.asked_until().filter(|until| *until > now), now, wall);
        let (confirmed, pending) = (self.publish.confirmed(), self.publish.pending());
        let (proxied, handle) = (self.publish.proxied(), self.publish.handle());
        let is_saved = |known: &StateRecord| {
            (known.confirmed, known.pending, known.written_at) == (confirmed, pending, written_at)
                && (known.asked_until, known.proxied, known.handle.as_ref()) == (asked_until, proxied, handle)
        };
        if is_saved(saved.records.get(&self.saved_as).unwrap_or(&StateRecord::new())) {
            return false;
        }
        let handle = handle.cloned();
        let state = StateRecord { confirmed, pending, written_at, asked_until, proxied, handle };
        saved.records.insert(self.saved_as.clone(), state);
        true
    }

    /// What is done next, where the audit is that of the engine.
    fn next(&self, audit_at: Option<Instant>) -> Option<Next> {
        let publish = match self.publish.state() {
            State::Due { step: Step::Write, .. } if self.lost => None,
            State::Due { step, at, why } => Some(Next { what: step.into(), at, why }),
            State::Rest | State::Running { .. } => None,
        };
        let proof = self.verify.deadline().map(|at| Next { what: self.verify.whom().into(), at, why: Why::Now });
        let desired = self.publish.desired();
        let audited = self.publish.state() == State::Rest
            && self.verify.resting()
            && (self.drift.left() || (desired.is_some() && desired == self.publish.confirmed()));
        let audit = audit_at.filter(|_| audited).map(|at| Next { what: NextStep::Audit, at, why: Why::Now });
        [publish, proof, audit].into_iter().flatten().min_by_key(|next| next.at)
    }

    pub(super) fn status(&self, audit_at: Option<Instant>, draining: bool) -> RecordStatus {
        RecordStatus {
            key: self.key().clone(),
            desired: self.publish.desired(),
            confirmed: self.publish.confirmed(),
            verified: self.verify.verified(),
            verified_at: self.proven.map(|(at, _)| at),
            verified_by: self.proven.map(|(_, by)| by),
            converged: self.converged(),
            proxied: self.publish.proxied(),
            state: self.publish.state(),
            error: self.error.clone(),
            failures: self.publish.failures(),
            next: if draining { None } else { self.next(audit_at) },
        }
    }
}

/// Who has not answered, and why.
fn silent(votes: &[Vote]) -> Vec<String> {
    let why = |vote: &Vote| Some(format!("{}: {}", vote.resolver, crate::error_chain(vote.answer.as_ref().err()?)));
    votes.iter().filter_map(why).collect()
}
