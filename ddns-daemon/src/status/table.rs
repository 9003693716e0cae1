//! The status on a terminal.

use serde_json::Value;

use crate::shown;

const HEADINGS: [&str; 6] = ["RECORD", "TYPE", "DESIRED", "CONFIRMED", "VERIFIED", "NEXT"];
const GAP: &str = "  ";
/// A column gives no more away than down to this.
const NARROW: usize = 6;
const LABEL: usize = 11;

/// How a page is drawn.
#[derive(Clone, Copy)]
pub(super) struct Page {
    pub(super) colour: bool,
    /// The longest line.
    pub(super) width: Option<usize>,
}

/// What a text means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tone {
    Plain,
    Heading,
    Good,
    Waiting,
    Bad,
}

type Cell = (String, Tone);

impl Page {
    /// The whole page, line by line.
    pub(super) fn of(self, document: &Value) -> String {
        let records = || document["records"].as_array().into_iter().flatten();
        let now = document["now_ms"].as_u64().unwrap_or_default();
        let mut rows = vec![HEADINGS.map(|heading| (heading.to_owned(), Tone::Heading))];
        rows.extend(records().map(|record| row(record, now)));
        let mut page = self.table(&rows);
        for record in records() {
            if let Some(error) = record["error"].as_str() {
                let (name, rtype, failures) = (word(&record["name"]), word(&record["type"]), &record["failures"]);
                let text = format!("{name} {rtype}: {} ({failures} in a row)", shown::text(error));
                page.push_str(&self.line("error", &(text, Tone::Bad)));
            }
        }
        page.push('\n');
        for (label, cell) in summary(document, now) {
            page.push_str(&self.line(label, &cell));
        }
        page
    }

    fn table<const N: usize>(self, rows: &[[Cell; N]]) -> String {
        let mut widths: [usize; N] =
            std::array::from_fn(|column| rows.iter().map(|row| length(&row[column].0)).max().unwrap_or_default());
        if let Some(most) = self.width {
            let gaps = GAP.len() * N.saturating_sub(1);
            while widths.iter().sum::<usize>() + gaps > most
                && let Some(widest) = widths.iter_mut().max_by_key(|width| **width).filter(|width| **width > NARROW)
            {
                *widest -= 1;
            }
        }
        let mut text = String::new();
        for row in rows {
            let mut left = self.width;
            let mut line = String::new();
            for (column, ((cell, tone), width)) in row.iter().zip(widths).enumerate() {
                let gap = if column == 0 { "" } else { GAP };
                let room = left.map_or(width, |left| width.min(left.saturating_sub(gap.len())));
                if room == 0 {
                    break;
                }
                let cell = cut(cell, room);
                let padding = if column + 1 == N { 0 } else { width - length(&cell).min(width) };
                line.push_str(&format!("{gap}{}{}", self.paint(&cell, *tone), " ".repeat(padding)));
                left = left.map(|left| left.saturating_sub(gap.len() + width));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn line(self, label: &str, (text, tone): &Cell) -> String {
        let text = self.width.map_or_else(|| text.clone(), |width| cut(text, width.saturating_sub(LABEL)));
        format!("{}{}\n", self.paint(&format!("{label:<LABEL$}"), Tone::Heading), self.paint(&text, *tone))
    }

    fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Heading => "1",
            Tone::Good => "32",
            Tone::Waiting => "33",
            Tone::Bad => "31",
        };
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn row(record: &Value, now: u64) -> [Cell; 6] {
    let right = record["converged"] == true;
    let same = record["confirmed"] == record["desired"] && !record["desired"].is_null();
    let age = record["verified_at_ms"].as_u64().map(|at| shown::secs(now.saturating_sub(at) / 1000));
    let by = || word(&record["verified_by"]);
    let verified = match (right, age) {
        (true, Some(age)) => (format!("{}, {age} ago", by()), Tone::Good),
        (true, None) => ("yes".to_owned(), Tone::Good),
        (false, Some(age)) => (format!("no; last {age} ago"), Tone::Bad),
        (false, None) => ("no".to_owned(), Tone::Bad),
    };
    [
        (word(&record["name"]), Tone::Plain),
        (word(&record["type"]), Tone::Plain),
        (word(&record["desired"]), Tone::Plain),
        (word(&record["confirmed"]), if same { Tone::Good } else { Tone::Waiting }),
        verified,
        (next(record), Tone::Plain),
    ]
}

fn next(record: &Value) -> String {
    if record["state"] == "running" {
        return format!("{} under way", word(&record["step"]));
    }
    let next = &record["next"];
    let (Some(what), Some(secs)) = (next["what"].as_str(), next["in_secs"].as_f64()) else {
        return if record["state"] == "due" { "waits for an address".to_owned() } else { "–".to_owned() };
    };
    let secs = std::time::Duration::try_from_secs_f64(secs).unwrap_or_default().as_secs();
    let why = next["why"].as_str().map(|why| format!(" ({})", shown::text(why))).unwrap_or_default();
    format!("{} in {}{why}", shown::text(what), shown::secs(secs))
}

fn summary(document: &Value, now: u64) -> Vec<(&'static str, Cell)> {
    let for_secs = |since: &Value| now.saturating_sub(since.as_u64().unwrap_or(now)) / 1000;
    let ready = document["ready"] == true;
    let since = &document["readiness_since_ms"];
    let all = if document["converged"] == true { "all records verified" } else { "not all records verified" };
    let text = format!(
        "{} since {} ({}); {all}",
        word(&document["readiness"]),
        shown::date(since.as_u64().unwrap_or_default()),
        shown::secs(for_secs(since))
    );
    let mut lines = vec![("readiness", (text, if ready { Tone::Good } else { Tone::Bad }))];
    for source in document["sources"].as_array().into_iter().flatten() {
        lines.extend(of_source(source));
    }
    let wan = &document["wan"];
    lines.push(match wan["line"].as_str() {
        None => ("wan", ("not looked at yet".to_owned(), Tone::Waiting)),
        Some("open") => ("wan", (word(&wan["in_words"]), Tone::Good)),
        Some(_) => ("wan", (word(&wan["in_words"]), Tone::Bad)),
    });
    lines.push(("recovery", of_recovery(&document["recovery"])));
    let store = &document["store"];
    lines.push(match (store["durable"] == true, store["error"].as_str()) {
        (_, Some(error)) => ("store", (format!("not durable: {}", shown::text(error)), Tone::Bad)),
        (true, None) => ("store", ("durable".to_owned(), Tone::Good)),
        (false, None) => ("store", ("keeps nothing over a restart".to_owned(), Tone::Waiting)),
    });
    let share = |window: &str| shown::share(document["uptime"][window]["availability"].as_f64());
    let uptime = format!("{} of 24 h, {} of 30 d", share("24h"), share("30d"));
    lines.push(("uptime", (uptime, Tone::Plain)));
    let wireguard = &document["wireguard"];
    if let Some(error) = wireguard["error"].as_str() {
        lines.push(("wireguard", (shown::text(error), Tone::Bad)));
    }
    for peer in wireguard["peers"].as_array().into_iter().flatten() {
        let ago = peer["handshake_secs_ago"].as_u64().map(|secs| format!("handshake {} ago", shown::secs(secs)));
        let text = format!("{}: {}", word(&peer["peer"]), ago.unwrap_or_else(|| "no handshake yet".to_owned()));
        lines.push(("wireguard", (text, Tone::Plain)));
    }
    let version = format!("{}, for {}", word(&document["version"]), shown::secs(for_secs(&document["started_ms"])));
    lines.push(("ddnsd", (version, Tone::Plain)));
    lines
}

fn of_source(source: &Value) -> Vec<(&'static str, Cell)> {
    let kind = word(&source["kind"]);
    let rung = source["rung"].as_str().map(|rung| format!(" by {}", shown::text(rung))).unwrap_or_default();
    let mut lines = vec![match source["error"].as_str() {
        Some(error) => ("source", (format!("{kind}{rung}: {}", shown::text(error)), Tone::Bad)),
        None => ("source", (format!("{kind}{rung}"), Tone::Plain)),
    }];
    let nat = &source["nat"];
    if nat["class"].is_string() {
        let remedy = nat["remedy"].as_str().map(|remedy| format!("; {}", shown::text(remedy)));
        let tone = if remedy.is_some() { Tone::Bad } else { Tone::Plain };
        let text = format!("{}: {}{}", word(&nat["class"]), word(&nat["evidence"]), remedy.unwrap_or_default());
        lines.push(("nat", (text, tone)));
    }
    for election in source["elections"].as_array().into_iter().flatten() {
        let rejected = election["rejected"].as_array().map_or(0, Vec::len);
        let (family, votes) = (word(&election["family"]), &election["votes"]);
        lines.push((
            "election",
            match election["elected"].as_str() {
                Some(address) => {
                    (format!("{family} {}: {votes} votes, {rejected} rejected", shown::text(address)), Tone::Plain)
                }
                None => (format!("{family}: nobody elected, {rejected} votes rejected"), Tone::Waiting),
            },
        ));
    }
    lines
}

fn of_recovery(recovery: &Value) -> Cell {
    let mut said = Vec::from([match (recovery["allowed"] == true, recovery["phase"].as_str()) {
        (false, Some("watching")) => "not allowed".to_owned(),
        (_, phase) => shown::text(phase.unwrap_or("?")),
    }]);
    said.extend(["why_not", "plug_fails"].iter().filter_map(|name| recovery[*name].as_str().map(shown::text)));
    let owed = recovery["power_is_owed"] == true;
    said.extend(owed.then(|| "the plug has to be switched on".to_owned()));
    let bad = owed || recovery["plug_fails"].is_string();
    (said.join("; "), if bad { Tone::Bad } else { Tone::Plain })
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| "–".to_owned(), shown::text)
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// The text, shortened with … where it does not fit.
fn cut(text: &str, width: usize) -> String {
    if length(text) <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
