use ddns_core::engine::Transition;

/// The kinds of transitions, without readiness and recovery.
pub fn kinds(log: &[Transition]) -> Vec<&'static str> {
    let kind = |told: &Transition| match told {
        Transition::AddressChanged { .. } => "address",
        Transition::AddressUnavailable { .. } => "unavailable",
        Transition::SourceFailed { .. } => "source failed",
        Transition::SourceRestored { .. } => "source restored",
        Transition::Woke { .. } => "woke",
        Transition::Distress(_) => "distress",
        Transition::Elected(_) => "elected",
        Transition::Nat(_) => "nat",
        Transition::Served { .. } => "served",
        Transition::Unserved { .. } => "unserved",
        Transition::Drift { .. } => "drift",
        Transition::Folded { .. } => "folded",
        Transition::Unsupported { .. } => "unsupported",
        Transition::Checked { .. } => "checked",
        Transition::Deferred { .. } => "deferred",
        Transition::UpdateStarted { .. } => "update",
        Transition::WouldUpdate { .. } => "would update",
        Transition::Updated { .. } => "updated",
        Transition::Foreign { .. } => "foreign",
        Transition::UpdateFailed { .. } => "failed",
        Transition::VerifyPending { .. } => "pending",
        Transition::Verified { .. } => "verified",
        Transition::Readiness { .. } => "readiness",
        Transition::Converged(true) => "converged true",
        Transition::Converged(false) => "converged false",
        Transition::Recovery(_) => "recovery",
        Transition::StoreFailed { .. } => "store failed",
        Transition::StoreRestored => "store restored",
    };
    log.iter().map(kind).filter(|kind| !["readiness", "recovery"].contains(kind)).collect()
}
