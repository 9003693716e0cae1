use std::sync::Arc;

use ddns_core::convergence::Convergences;
use ddns_core::driver::View;
use ddns_core::engine::{Status, Transition};
use ddns_core::recovery::RecoveryNews;
use ddns_core::time::Instant;

use crate::instruments::Instruments;
use crate::labels;

/// Counts what the engine tells.
pub(crate) struct Transitions {
    instruments: Arc<Instruments>,
    convergences: Convergences,
}

impl Transitions {
    pub(crate) fn new(instruments: Arc<Instruments>) -> Self {
        Self { instruments, convergences: Convergences::default() }
    }
}

impl View for Transitions {
    fn observe(&mut self, now: Instant, transition: &Transition, _status: &Status) {
        let to = &self.instruments;
        if let Some(convergence) = self.convergences.observe(now, transition) {
            let rtype = convergence.change.key.rtype.to_string();
            for (stage, took) in convergence.stages.reached() {
                to.convergence.took(took, &[stage, &rtype]);
            }
        }
        match transition {
            Transition::AddressChanged { family, source, hint, .. } => {
                let rung = hint.map_or("snapshot", |hint| hint.rung);
                to.address_changes.one(&[&family.to_string(), source, rung]);
            }
            Transition::AddressUnavailable { family, .. } => to.address_unavailable.one(&[&family.to_string()]),
            Transition::Woke { .. } => to.suspends.one(&[]),
            Transition::Distress(_) => to.distress.one(&[]),
            Transition::Elected(election) => {
                let family = election.family.to_string();
                to.elections.one(&[&family, if election.elected.is_some() { "elected" } else { "held" }]);
                for ballot in &election.ballots {
                    let outcome = ballot.vote.as_ref().map_or_else(|rejected| rejected.as_str(), |_| "counted");
                    to.discovery_votes.one(&[&ballot.voter, &family, outcome]);
                }
            }
            Transition::Checked { verdict, .. } => to.checks.one(&[labels::verdict(verdict)]),
            Transition::Drift { policy, .. } => to.drifts.one(&[labels::drift(*policy)]),
            Transition::Recovery(news) => match news {
                RecoveryNews::Held(why) => to.recovery_decisions.one(&["hold", labels::why_not(why)]),
                RecoveryNews::Cycles { .. } => to.recovery_decisions.one(&["cycle", "line-dead"]),
                RecoveryNews::Helped => to.recovery_outcomes.one(&["helped"]),
                RecoveryNews::DidNotHelp { .. } => to.recovery_outcomes.one(&["not-helped"]),
                RecoveryNews::PlugFails(_)
                | RecoveryNews::PowerOff
                | RecoveryNews::OffFailed(_)
                | RecoveryNews::PowerOn { .. }
                | RecoveryNews::OnFailed { .. } => {}
            },
            Transition::SourceFailed { .. }
            | Transition::SourceRestored { .. }
            | Transition::Nat(_)
            | Transition::Folded { .. }
            | Transition::Unsupported { .. }
            | Transition::Deferred { .. }
            | Transition::UpdateStarted { .. }
            | Transition::WouldUpdate { .. }
            | Transition::Updated { .. }
            | Transition::Foreign { .. }
            | Transition::UpdateFailed { .. }
            | Transition::Served { .. }
            | Transition::Unserved { .. }
            | Transition::VerifyPending { .. }
            | Transition::Verified { .. }
            | Transition::Readiness { .. }
            | Transition::Converged(_)
            | Transition::StoreFailed { .. }
            | Transition::StoreRestored => {}
        }
    }
}
