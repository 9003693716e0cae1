use std::net::IpAddr;

use ddns_core::address::Distress;
use ddns_core::config::DriftPolicy;
use ddns_core::discovery::{Election, Nat};
use ddns_core::driver::View;
use ddns_core::engine::{Status, Transition};
use ddns_core::ports::UpdateKind;
use ddns_core::publish::Why;
use ddns_core::recovery::RecoveryNews;
use ddns_core::time::Instant;
use ddns_core::verify::{Verdict, Whom};
use tracing::{debug, error, info, warn};

/// The log of transitions. ERROR: someone must act; WARN: someone should look; INFO: a transition; DEBUG: a decision.
/// Times ending in `_ns` are nanoseconds since boot (CLOCK_BOOTTIME), as the kernel stamps its events.
pub(crate) struct LogView;

impl View for LogView {
    fn observe(&mut self, now: Instant, transition: &Transition, _status: &Status) {
        log(now, now.as_nanos(), transition);
    }
}

fn log(now: Instant, at_ns: u64, transition: &Transition) {
    match transition {
        Transition::AddressChanged { family, source, from, to, interface, hint } => {
            let rung = hint.map(|hint| hint.rung);
            let kernel_ns = hint.and_then(|hint| hint.kernel_at).map(Instant::as_nanos);
            let received_ns = hint.map(|hint| hint.received_at.as_nanos());
            let by = hint.and_then(|hint| hint.by).map(|by| by.to_string());
            let from = shown(*from);
            info!(%family, from, %to, source, interface, by, rung, kernel_ns, received_ns, at_ns, "IP change detected");
        }
        Transition::AddressUnavailable { family, held, rejected } => {
            let each: Vec<_> = rejected.iter().map(|(address, why)| format!("{address} is {why}")).collect();
            let (held, rejected) = (shown(*held), each.join("; "));
            warn!(%family, held, rejected, at_ns, "No publishable address; records stay as they are");
        }
        Transition::SourceFailed { source, what } => {
            error!(source, error = what, at_ns, "Addresses can't be watched; trying again");
        }
        Transition::SourceRestored { source } => info!(source, at_ns, "Addresses are watched again"),
        Transition::Woke { late } => {
            info!(late_secs = late.as_secs(), at_ns, "The host slept; everything is looked at again");
        }
        Transition::Distress(Distress { retransmissions, resets }) => {
            info!(retransmissions, resets, at_ns, "Connections make no progress; looking at the way to the Internet");
        }
        Transition::Elected(election) => elected(election, at_ns),
        Transition::Nat(Nat { class, evidence }) => match class.remedy() {
            Some(remedy) => warn!(%class, evidence, remedy, at_ns, "NAT stands between this host and the Internet"),
            None => info!(%class, evidence, at_ns, "The way between this host and the Internet is known"),
        },
        Transition::Folded { announcements } => {
            warn!(announcements, at_ns, "Many address events were folded into few looks; none is lost");
        }
        Transition::Unsupported { key } => {
            warn!(record = %key.name, r#type = %key.rtype, at_ns, "Provider does not support the record, skipping it");
        }
        Transition::Checked { key, address, verdict } => {
            let (record, rtype) = (&key.name, key.rtype);
            match verdict {
                Verdict::Agrees { .. } => {
                    info!(%record, r#type = %rtype, %address, at_ns, "DNS record is right already");
                }
                Verdict::Differs(_) | Verdict::Undecided(_) => {
                    let dns = said(verdict);
                    debug!(%record, r#type = %rtype, %address, dns, at_ns, "DNS does not show the address");
                }
            }
        }
        Transition::Deferred { key, until } => {
            let in_secs = until.saturating_since(now).as_secs();
            info!(record = %key.name, r#type = %key.rtype, in_secs, at_ns, "Record updated too recently, deferring update");
        }
        Transition::UpdateStarted { key, from, to } => {
            let from = shown(*from);
            info!(record = %key.name, r#type = %key.rtype, from, address = %to, at_ns, "Updating DNS record");
        }
        Transition::WouldUpdate { key, from, to } => {
            let from = shown(*from);
            info!(record = %key.name, r#type = %key.rtype, from, address = %to, at_ns, "Would update DNS record (dry run)");
        }
        Transition::Updated { key, address, kind } => {
            let how = match kind {
                UpdateKind::Created => "created",
                UpdateKind::Changed => "changed",
                UpdateKind::Unchanged => "unchanged",
            };
            info!(record = %key.name, r#type = %key.rtype, %address, how, at_ns, "DNS record updated");
        }
        Transition::Foreign { key, addresses } => {
            warn!(record = %key.name, r#type = %key.rtype, ?addresses, at_ns, "Provider holds further addresses for the record");
        }
        Transition::UpdateFailed { key, what, failure, failing } => {
            let (record, rtype, failures) = (&key.name, key.rtype, failure.failures);
            let class = format!("{:?}", failure.why).to_lowercase();
            let again_in_ms = u64::try_from(failure.again_at.saturating_since(now).as_millis()).unwrap_or(u64::MAX);
            if failure.brief && failures > 1 {
                debug!(%record, r#type = %rtype, class, error = what, failures, again_in_ms, at_ns, "Failed to update DNS record");
            } else if *failing || matches!(failure.why, Why::Unauthorized | Why::Refused) {
                error!(%record, r#type = %rtype, class, error = what, failures, again_in_ms, at_ns, "Failed to update DNS record");
            } else {
                warn!(%record, r#type = %rtype, class, error = what, failures, again_in_ms, at_ns, "Failed to update DNS record");
            }
        }
        Transition::Served { key, address, servers, silent } => {
            let silent = silent.join("; ");
            let (record, rtype) = (&key.name, key.rtype);
            info!(%record, r#type = %rtype, %address, servers, silent, at_ns, "The zone's name servers serve the address");
        }
        Transition::Unserved { key, why } => {
            let why = why.join("; ");
            warn!(record = %key.name, r#type = %key.rtype, why, at_ns, "The zone's name servers can't be asked; the resolvers' word has to do: allow TCP to port 53, or set DDNS_DNS_SERVERS");
        }
        Transition::Drift { key, expected, found, policy } => {
            let (record, rtype) = (&key.name, key.rtype);
            match policy {
                DriftPolicy::Repair => {
                    warn!(%record, r#type = %rtype, %expected, ?found, at_ns, "Somebody else has changed the record; it is written again");
                }
                DriftPolicy::Report => {
                    warn!(%record, r#type = %rtype, %expected, ?found, at_ns, "Somebody else has changed the record; it is left as it is (DDNS_DRIFT_POLICY)");
                }
                DriftPolicy::Contested => {
                    error!(%record, r#type = %rtype, %expected, ?found, at_ns, "Somebody else changes the record again and again; it is left for an hour: see whether another updater has the same record");
                }
            }
        }
        Transition::VerifyPending { whom, key, address, verdict, attempts } => {
            let asked = match whom {
                Whom::Authorities => "authorities",
                Whom::Resolvers => "resolvers",
            };
            let dns = said(verdict);
            if *attempts == 1 || attempts.is_multiple_of(10) {
                info!(record = %key.name, r#type = %key.rtype, %address, asked, dns, attempts, at_ns, "DNS record not visible yet");
            } else {
                debug!(record = %key.name, r#type = %key.rtype, %address, asked, dns, attempts, at_ns, "DNS record not visible yet");
            }
        }
        Transition::Verified { key, address, stage } => {
            let stage = stage.as_str();
            info!(record = %key.name, r#type = %key.rtype, %address, stage, at_ns, "DNS record verified");
        }
        Transition::Readiness { from, to } => info!(%from, %to, at_ns, "Readiness changed"),
        Transition::Converged(true) => info!(at_ns, "All records are verified"),
        Transition::Converged(false) => info!(at_ns, "Not all records are verified"),
        Transition::Recovery(news) => recovery(now, at_ns, news),
        Transition::StoreFailed { what } => {
            error!(error = what, at_ns, "State can't be kept: degraded, not durable; DNS work goes on");
        }
        Transition::StoreRestored => info!(at_ns, "State is kept again"),
    }
}

fn recovery(now: Instant, at_ns: u64, news: &RecoveryNews) {
    match news {
        RecoveryNews::Held(why) => {
            let in_secs = why.until().map(|until| until.saturating_since(now).as_secs());
            if why.needs_a_person() {
                error!(%why, in_secs, at_ns, "The router is not power-cycled");
            } else {
                info!(%why, in_secs, at_ns, "The router is not power-cycled");
            }
        }
        RecoveryNews::PlugFails(why) => error!(%why, at_ns, "The plug can't be relied on"),
        RecoveryNews::Cycles { attempt } => warn!(attempt, at_ns, "Power-cycling the router"),
        RecoveryNews::PowerOff => warn!(at_ns, "The router is off"),
        RecoveryNews::OffFailed(error) => {
            error!(error, at_ns, "The plug did not confirm that the router is off; it is switched on to be sure");
        }
        RecoveryNews::PowerOn { failures } => info!(failures, at_ns, "The router is on"),
        RecoveryNews::OnFailed { what, failures } => {
            error!(error = what, failures, at_ns, "The router can't be switched on; trying again");
        }
        RecoveryNews::Helped => info!(at_ns, "The line is back after the power cycle"),
        RecoveryNews::DidNotHelp { failures } => error!(failures, at_ns, "The power cycle did not help"),
    }
}

fn shown(address: Option<IpAddr>) -> Option<String> {
    address.map(|address| address.to_string())
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Agrees { .. } => "the address".to_owned(),
        Verdict::Differs(addresses) if addresses.is_empty() => "no record".to_owned(),
        Verdict::Differs(addresses) => format!("{addresses:?}"),
        Verdict::Undecided(reasons) => format!("no quorum: {}", reasons.join("; ")),
    }
}

/// A round of questions: each rejected vote with its reason, at the level that the outcome deserves.
fn elected(election: &Election, at_ns: u64) {
    let Election { family, elected, held, ballots, undecided, hint } = election;
    let rejected: Vec<_> = ballots
        .iter()
        .filter_map(|ballot| Some(format!("{}: {}", ballot.voter, ballot.vote.as_ref().err()?)))
        .collect();
    let rejected = rejected.join("; ");
    let (votes, rung) = (ballots.iter().filter(|ballot| ballot.vote.is_ok()).count(), hint.rung);
    let received_ns = hint.received_at.as_nanos();
    match elected {
        Some(address) => {
            debug!(%family, %address, votes, rejected, rung, received_ns, at_ns, "Those outside confirm the address");
        }
        None if *undecided == 1 => {
            let held = shown(*held);
            warn!(%family, held, votes, rejected, rung, at_ns, "Those outside agree on no address; the last good one is held");
        }
        None => {
            let held = shown(*held);
            debug!(%family, held, votes, undecided, rejected, rung, at_ns, "Those outside still agree on no address");
        }
    }
}
