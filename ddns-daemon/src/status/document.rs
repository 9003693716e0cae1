//! The status as JSON. docs/admin-api.md describes every member.

use std::time::Duration;

use ddns_core::discovery::{Election, Nat};
use ddns_core::engine::{Next, RecordStatus, SourceStatus, Stage, Status};
use ddns_core::publish::{State, Step, Why};
use ddns_core::recovery::Line;
use ddns_core::time::{Instant, Wall};
use ddns_core::uptime::History;
use ddns_core::wireguard::PeerKey;
use ddns_linux::{Layer, Standing};
use serde_json::{Value, json};

use crate::{history, recover};

/// What `/v1/status` answers. Times ending in `_ms` are milliseconds since the Unix epoch.
pub(crate) fn document(
    status: &Status,
    history: &History,
    wireguard: Option<Value>,
    keeps_state: bool,
    sandbox: &[(Layer, Standing)],
    (now, wall): (Instant, Wall),
) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now_ms": wall.as_millis(),
        "started_ms": status.started.as_millis(),
        "ready": status.ready(),
        "readiness": status.readiness.to_string(),
        "readiness_since_ms": status.since.as_millis(),
        "converged": status.converged,
        "wan": status.line.as_ref().map(wan),
        "records": status.records.iter().map(|each| record(each, now)).collect::<Vec<_>>(),
        "sources": status.sources.iter().map(source).collect::<Vec<_>>(),
        "recovery": recover::document(&status.recovery, now),
        "store": { "durable": status.durable && keeps_state, "error": status.store_error },
        "uptime": history::windows(history, wall, &["24h", "30d"]),
        "folded_events": status.folded,
        "wireguard": wireguard,
        "sandbox": layers(sandbox),
    })
}

/// Each layer with what became of it.
fn layers(sandbox: &[(Layer, Standing)]) -> Value {
    let told = |(layer, standing): &(Layer, Standing)| {
        let closed = matches!(standing, Standing::Closed(_));
        json!({ "layer": layer.as_str(), "closed": closed, "in_words": standing.to_string() })
    };
    sandbox.iter().map(told).collect()
}

/// The peers of the interface that is looked at.
pub(crate) fn peers(interface: &str, ages: &[(PeerKey, Option<Duration>)], error: Option<String>) -> Value {
    let peer = |(key, age): &(PeerKey, Option<Duration>)| json!({ "peer": key.to_string(), "handshake_secs_ago": age.map(|age| age.as_secs()) });
    json!({ "interface": interface, "peers": ages.iter().map(peer).collect::<Vec<_>>(), "error": error })
}

fn wan(line: &Line) -> Value {
    let (state, router) = match line {
        Line::Open => ("open", None),
        Line::Untrusted(_) => ("untrusted", None),
        Line::Unproven => ("unproven", None),
        Line::NoCarrier => ("no-carrier", None),
        Line::CarrierUnknown => ("carrier-unknown", None),
        Line::Dead { router } => ("dead", *router),
    };
    json!({ "line": state, "router_answers": router, "in_words": line.to_string() })
}

fn record(record: &RecordStatus, now: Instant) -> Value {
    let (state, step) = match record.state {
        State::Rest => ("rest", None),
        State::Due { step, .. } => ("due", Some(step)),
        State::Running { step, .. } => ("running", Some(step)),
    };
    json!({
        "name": record.key.name.to_string(),
        "type": record.key.rtype.to_string(),
        "desired": record.desired,
        "confirmed": record.confirmed,
        "verified": record.verified,
        "verified_at_ms": record.verified_at.map(Wall::as_millis),
        "verified_by": record.verified_by.map(Stage::as_str),
        "converged": record.converged,
        "proxied": record.proxied,
        "state": state,
        "step": step.map(self::step),
        "next": record.next.map(|each| next(each, now)),
        "error": record.error,
        "failures": record.failures,
    })
}

const fn step(step: Step) -> &'static str {
    match step {
        Step::Check => "check",
        Step::Read => "read",
        Step::Write => "write",
    }
}

fn next(Next { what, at, why }: Next, now: Instant) -> Value {
    let why = match why {
        Why::Now => None,
        Why::Interval => Some("interval"),
        Why::Unreachable => Some("unreachable"),
        Why::Unavailable => Some("unavailable"),
        Why::Unauthorized => Some("unauthorized"),
        Why::Refused => Some("refused"),
    };
    json!({ "what": what.as_str(), "in_secs": at.saturating_since(now).as_secs_f64(), "why": why })
}

fn source(source: &SourceStatus) -> Value {
    json!({
        "kind": source.name,
        "rung": source.rung,
        "error": source.error,
        "nat": source.nat.as_ref().map(nat),
        "elections": source.elections.iter().map(election).collect::<Vec<_>>(),
    })
}

fn nat(Nat { class, evidence }: &Nat) -> Value {
    json!({ "class": class.as_str(), "evidence": evidence, "remedy": class.remedy() })
}

fn election(election: &Election) -> Value {
    let rejected = election.ballots.iter().filter_map(|ballot| {
        let why = ballot.vote.as_ref().err()?;
        Some(json!({
            "voter": ballot.voter,
            "operator": ballot.operator,
            "kind": why.as_str(),
            "why": why.to_string(),
        }))
    });
    json!({
        "family": election.family.to_string(),
        "elected": election.elected,
        "held": election.held,
        "votes": election.ballots.iter().filter(|ballot| ballot.vote.is_ok()).count(),
        "rejected": rejected.collect::<Vec<_>>(),
        "undecided_rounds": election.undecided,
    })
}
