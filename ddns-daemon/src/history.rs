//! What was counted: as JSON for programs, as lines for people.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ddns_core::ports::Clock;
use ddns_core::time::Wall;
use ddns_core::uptime::{History, WINDOWS};
use ddns_linux::BootClock;
use serde_json::{Value, json};

use crate::since::Since;
use crate::{RUNTIME, client, shown};

/// The stages of a change before its proof, in their order.
const STAGES: [&str; 5] = ["heard", "decided", "written", "acknowledged", "served"];
/// Lines of each list that a person sees.
const SHOWN: usize = 10;

/// What `/v1/history` answers. Times ending in `_ms` are milliseconds since the Unix epoch.
/// Outages that ended before `since` and changes before it are left out.
pub(crate) fn document(history: &History, since: Option<Wall>, now: Wall) -> Value {
    let since = since.unwrap_or_default();
    let outages: Vec<_> =
        history.outages.iter().filter(|outage| outage.until.is_none_or(|until| until >= since)).collect();
    let changes: Vec<_> = history.changes.iter().filter(|change| change.at >= since).collect();
    let (total, up) = history.loops;
    json!({
        "now_ms": now.as_millis(),
        "uptime": windows(history, now, &WINDOWS.map(|(name, _)| name)),
        "loops": { "total": total, "up": up },
        "outages": outages,
        "changes": changes,
    })
}

/// The figures of the time of this length that ends now.
fn window(history: &History, now: Wall, length: Duration) -> Value {
    let summary = history.summary(now, length);
    let secs = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64());
    json!({
        "availability": summary.availability(),
        "ready_secs": summary.ready.as_secs_f64(),
        "known_secs": summary.known.as_secs_f64(),
        "outages": summary.outages,
        "mttr_secs": secs(summary.mttr),
        "mtbf_secs": secs(summary.mtbf),
    })
}

/// The figures of these windows, by name.
pub(crate) fn windows(history: &History, now: Wall, names: &[&str]) -> Value {
    let wanted = WINDOWS.into_iter().filter(|(name, _)| names.contains(name));
    wanted
        .map(|(name, length)| (name.to_owned(), window(history, now, length)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// What is asked for.
#[derive(Args)]
pub(crate) struct Arguments {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// All outages and changes since then: 12h, 7d, or 2026-11-01, or 2026-11-01T12:00:00Z
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
}

/// Asks the running daemon.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let since = arguments.since.map(|since| since.before(BootClock.wall()).as_millis());
    let path = since.map_or_else(|| "/v1/history".to_owned(), |since| format!("/v1/history?since_ms={since}"));
    match client::ask(&path) {
        Ok(document) if arguments.json => println!("{}", shown::json(&document)),
        Ok(document) => print!("{}", text(&document, since)),
        Err(error) => {
            eprintln!("ddnsd: error: {}", shown::text(&format!("{error:#}")));
            return ExitCode::from(RUNTIME);
        }
    }
    ExitCode::SUCCESS
}

fn text(document: &Value, since: Option<u64>) -> String {
    let mut lines = vec!["Ready, of the time about which anything is known:".to_owned()];
    for (name, _) in WINDOWS {
        let window = &document["uptime"][name];
        let share = shown::share(window["availability"].as_f64());
        let known = length(window["known_secs"].as_f64());
        let (mttr, mtbf) = (length(window["mttr_secs"].as_f64()), length(window["mtbf_secs"].as_f64()));
        let outages = &window["outages"];
        lines.push(format!("  {name:>4}  {share:>10} of {known}; {outages} outages, MTTR {mttr}, MTBF {mtbf}"));
    }
    // Who asks for a time wants all of it.
    let shown = if since.is_some() { usize::MAX } else { SHOWN };
    let newest = |list: &str| document[list].as_array().into_iter().flatten().rev().take(shown).collect::<Vec<_>>();
    let since = since.map(|since| format!(" since {}", shown::date(since))).unwrap_or_default();
    lines.push(format!("Outages{since}, newest first:"));
    for outage in newest("outages") {
        let from = outage["from"].as_u64().unwrap_or_default();
        let lasted = match outage["until"].as_u64() {
            Some(until) if outage["end_unseen"] == true => {
                format!("for {} at least", shown::millis(until - from.min(until)))
            }
            Some(until) => format!("for {}", shown::millis(until - from.min(until))),
            None => "until now".to_owned(),
        };
        let cycles = match outage["cycles"].as_u64().unwrap_or_default() {
            0 => String::new(),
            cycles => format!("; router power-cycled {cycles} times"),
        };
        let why_not = outage["why_not"]
            .as_str()
            .map(|why| format!("; not power-cycled: {}", shown::text(why)))
            .unwrap_or_default();
        lines.push(format!("  {}  {} {lasted}{cycles}{why_not}", shown::date(from), word(&outage["cause"])));
    }
    lines.push(format!("Changes{since}, newest first:"));
    for change in newest("changes") {
        let by = change["by"].as_str().map(|by| format!(" by {}", shown::text(by))).unwrap_or_default();
        let from = change["from"].as_str().map(|from| format!("{} → ", shown::text(from))).unwrap_or_default();
        let took = shown::millis(change["took_ms"].as_u64().unwrap_or_default());
        let (at, record) = (shown::date(change["at"].as_u64().unwrap_or_default()), word(&change["record"]));
        lines.push(format!("  {at}  {record}: {from}{}{by}, proven after {took}", word(&change["to"])));
        let stages = STAGES.iter().filter_map(|stage| Some((stage, change["stages_us"][*stage].as_f64()? / 1000.0)));
        let stages: Vec<_> = stages.map(|(stage, millis)| format!("{stage} {millis:.1}")).collect();
        if !stages.is_empty() {
            lines.push(format!("{:24}after {} ms", "", stages.join(", ")));
        }
    }
    lines.join("\n") + "\n"
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| "?".to_owned(), shown::text)
}

fn length(secs: Option<f64>) -> String {
    let millis = secs.and_then(|secs| u64::try_from(Duration::try_from_secs_f64(secs).ok()?.as_millis()).ok());
    millis.map_or_else(|| "unknown".to_owned(), shown::millis)
}
