//! The words that tell the series of a metric apart. Each is one of a few: no message, no address.

use ddns_core::config::DriftPolicy;
use ddns_core::ports::{LookupError, Observed, PlugError, PlugOrder, PlugReport, ProviderError, Unreached, UpdateKind};
use ddns_core::recovery::WhyNot;
use ddns_core::verify::Verdict;

pub(crate) fn failed_call(error: &ProviderError) -> &'static str {
    match error {
        ProviderError::Unreachable { .. } => "unreachable",
        ProviderError::Unavailable { .. } => "unavailable",
        ProviderError::Unauthorized { .. } => "unauthorized",
        ProviderError::Refused { .. } => "refused",
        ProviderError::Unknown { .. } => "unknown",
        ProviderError::Unreadable => "unreadable",
        ProviderError::Stale { .. } => "stale",
    }
}

pub(crate) fn read(result: &Result<Observed, ProviderError>) -> &'static str {
    result.as_ref().map_or_else(failed_call, |_| "read")
}

pub(crate) const fn update(kind: UpdateKind) -> &'static str {
    match kind {
        UpdateKind::Created => "created",
        UpdateKind::Changed => "changed",
        UpdateKind::Unchanged => "unchanged",
    }
}

pub(crate) const fn lookup<T>(answer: &Result<T, LookupError>) -> &'static str {
    match answer {
        Ok(_) => "answer",
        Err(LookupError::NoAnswer { .. }) => "no-answer",
        Err(LookupError::Status(_)) => "status",
        Err(LookupError::Rcode(_)) => "rcode",
        Err(LookupError::Garbage(_)) => "garbage",
    }
}

pub(crate) const fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Agrees { .. } => "right",
        Verdict::Differs(_) => "different",
        Verdict::Undecided(_) => "undecided",
    }
}

pub(crate) const fn drift(policy: DriftPolicy) -> &'static str {
    match policy {
        DriftPolicy::Repair => "repair",
        DriftPolicy::Report => "report",
        DriftPolicy::Contested => "contested",
    }
}

pub(crate) const fn probe(outcome: &Result<(), Unreached>) -> &'static str {
    match outcome {
        Ok(()) => "reached",
        Err(Unreached::Silent(_)) => "silent",
        Err(Unreached::Untrusted(_)) => "untrusted",
    }
}

pub(crate) const fn order(order: PlugOrder) -> &'static str {
    match order {
        PlugOrder::Look => "look",
        PlugOrder::Off { .. } => "off",
        PlugOrder::On => "on",
    }
}

pub(crate) const fn plug(result: &Result<PlugReport, PlugError>) -> &'static str {
    match result {
        Ok(PlugReport { on: true, .. }) => "on",
        Ok(PlugReport { on: false, .. }) => "off",
        Err(PlugError::Unreachable { .. }) => "unreachable",
        Err(PlugError::Unconfirmed { .. }) => "unconfirmed",
        Err(PlugError::Refused { .. }) => "refused",
    }
}

pub(crate) const fn why_not(why: &WhyNot) -> &'static str {
    match why {
        WhyNot::NotDead(_) => "line-not-dead",
        WhyNot::NotAllowed => "not-allowed",
        WhyNot::NoPlug => "no-plug",
        WhyNot::DryRun => "dry-run",
        WhyNot::TooEarly { .. } => "too-early",
        WhyNot::JustBooted { .. } => "just-booted",
        WhyNot::CoolingDown { .. } => "cooling-down",
        WhyNot::BudgetSpent { .. } => "budget-spent",
        WhyNot::NotDurable(_) => "not-durable",
        WhyNot::PlugFails(_) => "plug-fails",
        WhyNot::PlugOff => "plug-off",
        WhyNot::OtherDevice { .. } => "other-device",
        WhyNot::Ending => "ending",
    }
}

pub(crate) const fn ok<T, E>(result: &Result<T, E>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(_) => "error",
    }
}
