//! What was counted: as JSON for programs, as lines for people.

use std::process::ExitCode;
use std::time::Duration;

use ddns_core::time::Wall;
use ddns_core::uptime::History;
use serde_json::{Value, json};

use crate::{RUNTIME, client};

const DAY: Duration = Duration::from_secs(86_400);
/// The windows that are looked back on.
const WINDOWS: [(&str, u32); 4] = [("24h", 1), ("7d", 7), ("30d", 30), ("365d", 365)];
/// Lines of each list that a person sees.
const SHOWN: usize = 10;

/// What `/v1/history` answers. Times ending in `_ms` are milliseconds since the Unix epoch.
/// Outages that ended before `since` and changes before it are left out.
pub(crate) fn document(history: &History, since: Option<Wall>, now: Wall) -> Value {
    let figures = |(name, days): (&str, u32)| (name.to_owned(), window(history, now, days));
    let since = since.unwrap_or_default();
    let outages: Vec<_> =
        history.outages.iter().filter(|outage| outage.until.is_none_or(|until| until >= since)).collect();
    let changes: Vec<_> = history.changes.iter().filter(|change| change.at >= since).collect();
    let (total, up) = history.loops;
    json!({
        "now_ms": now.as_millis(),
        "uptime": WINDOWS.map(figures).into_iter().collect::<serde_json::Map<_, _>>(),
        "loops": { "total": total, "up": up },
        "outages": outages,
        "changes": changes,
    })
}

/// The figures of the last so many days.
pub(crate) fn window(history: &History, now: Wall, days: u32) -> Value {
    let summary = history.summary(now, DAY * days);
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

/// Asks the running daemon.
pub(crate) fn run(as_json: bool) -> ExitCode {
    match client::ask("/v1/history") {
        Ok(document) if as_json => println!("{document}"),
        Ok(document) => print!("{}", text(&document)),
        Err(error) => {
            eprintln!("ddnsd: error: {error:#}");
            return ExitCode::from(RUNTIME);
        }
    }
    ExitCode::SUCCESS
}

fn text(document: &Value) -> String {
    let mut lines = vec!["Ready, of the time about which anything is known:".to_owned()];
    for (name, _) in WINDOWS {
        let window = &document["uptime"][name];
        let share =
            window["availability"].as_f64().map_or("unknown".to_owned(), |share| format!("{:.4} %", share * 100.0));
        let known = length(window["known_secs"].as_f64());
        let (mttr, mtbf) = (length(window["mttr_secs"].as_f64()), length(window["mtbf_secs"].as_f64()));
        let outages = &window["outages"];
        lines.push(format!("  {name:>4}  {share:>10} of {known}; {outages} outages, MTTR {mttr}, MTBF {mtbf}"));
    }
    let newest = |list: &str| document[list].as_array().into_iter().flatten().rev().take(SHOWN).collect::<Vec<_>>();
    lines.push("Outages, newest first:".to_owned());
    for outage in newest("outages") {
        let from = outage["from"].as_u64().unwrap_or_default();
        let lasted = match outage["until"].as_u64() {
            Some(until) if outage["end_unseen"] == true => {
                format!("for {} at least", length_ms(until - from.min(until)))
            }
            Some(until) => format!("for {}", length_ms(until - from.min(until))),
            None => "until now".to_owned(),
        };
        let cycles = match outage["cycles"].as_u64().unwrap_or_default() {
            0 => String::new(),
            cycles => format!("; router power-cycled {cycles} times"),
        };
        let why_not = outage["why_not"].as_str().map(|why| format!("; not power-cycled: {why}")).unwrap_or_default();
        lines.push(format!("  {}  {} {lasted}{cycles}{why_not}", date(from), word(&outage["cause"])));
    }
    lines.push("Changes, newest first:".to_owned());
    for change in newest("changes") {
        let by = change["by"].as_str().map(|by| format!(" by {by}")).unwrap_or_default();
        let from = change["from"].as_str().map(|from| format!("{from} → ")).unwrap_or_default();
        let took = length_ms(change["took_ms"].as_u64().unwrap_or_default());
        let (at, record) = (date(change["at"].as_u64().unwrap_or_default()), word(&change["record"]));
        lines.push(format!("  {at}  {record}: {from}{}{by}, proven after {took}", word(&change["to"])));
    }
    lines.join("\n") + "\n"
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

fn length(secs: Option<f64>) -> String {
    let millis = secs.and_then(|secs| u64::try_from(Duration::try_from_secs_f64(secs).ok()?.as_millis()).ok());
    millis.map_or_else(|| "unknown".to_owned(), length_ms)
}

/// `2d 3h`, `4m 5s`, `1.234s`.
fn length_ms(millis: u64) -> String {
    let (secs, ms) = (millis / 1000, millis % 1000);
    match secs {
        0..60 => format!("{secs}.{ms:03}s"),
        60..3600 => format!("{}m {}s", secs / 60, secs % 60),
        3600..86_400 => format!("{}h {}m", secs / 3600, secs / 60 % 60),
        _ => format!("{}d {}h", secs / 86_400, secs / 3600 % 24),
    }
}

/// `2026-11-21 20:45:10Z` of milliseconds since the Unix epoch.
fn date(millis: u64) -> String {
    let at = i64::try_from(millis / 1000).ok().and_then(|secs| time::OffsetDateTime::from_unix_timestamp(secs).ok());
    at.map_or_else(
        || "?".to_owned(),
        |at| {
            let (year, month, day) = at.to_calendar_date();
            let (hour, minute, second) = at.to_hms();
            format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z", u8::from(month))
        },
    )
}
