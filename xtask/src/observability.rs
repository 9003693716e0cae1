//! What can be checked of dashboards, rules and alerts without running them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::root;

/// The page that lists every metric.
const METRICS: &str = "docs/metrics.md";
/// The page that has a section for each alert.
const RUNBOOK: &str = "docs/runbook.md";
/// The page that shows every panel.
pub const PAGE: &str = "docs/observability.md";
const RULES: [&str; 2] = ["dashboards/prometheus/rules.yml", "dashboards/prometheus/alerts.yml"];
const TESTS: [&str; 2] = ["dashboards/prometheus/tests/alerts.yml", "dashboards/prometheus/tests/days.yml"];
/// What begins like a metric of ours is one.
const OURS: [&str; 3] = ["ddns_", "tokio_", "process_"];
/// Labels that Prometheus adds, or that stand in every histogram.
const ADDED: [&str; 3] = ["job", "instance", "le"];

/// A panel of a dashboard, a row excepted.
pub struct Panel {
    /// Its title.
    pub title: String,
    /// The row that it stands in.
    pub row: String,
    /// As it stands in the dashboard.
    pub panel: Value,
}

impl Panel {
    /// Where its picture lies, from the top of the workspace.
    pub fn picture(&self) -> String {
        let words = self.title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        format!("docs/pictures/{}.svg", words.collect::<Vec<_>>().join("-").to_lowercase())
    }
}

/// The dashboards, from the top of the workspace.
pub fn dashboards() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("dashboards")).context("dashboards")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            found.push(format!("dashboards/{name}"));
        }
    }
    found.sort();
    Ok(found)
}

/// Every panel of a dashboard, in the order of the page.
pub fn panels(dashboard: &str) -> Result<Vec<Panel>> {
    let text = fs::read_to_string(root().join(dashboard)).with_context(|| dashboard.to_owned())?;
    let document: Value = serde_json::from_str(&text).with_context(|| dashboard.to_owned())?;
    let mut row = String::new();
    let mut found = Vec::new();
    for panel in document["panels"].as_array().context("panels")? {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        if panel["type"] == "row" {
            row = title;
        } else {
            found.push(Panel { title, row: row.clone(), panel: panel.clone() });
        }
    }
    Ok(found)
}

/// Every query names metrics and labels that exist; every alert has its section in the runbook, and the other way round;
/// every panel says what it is about and is shown.
pub fn check(found: &mut Vec<String>) -> Result<()> {
    let known = known()?;
    let mut judge = |place: &str, query: &str| {
        for (name, labels) in metrics_in(query) {
            match known.get(&name) {
                None => found.push(format!("{place}: there is no metric {name}")),
                Some(None) => {}
                Some(Some(its)) => {
                    for label in labels.iter().filter(|label| !its.contains(*label) && !ADDED.contains(&label.as_str()))
                    {
                        found.push(format!("{place}: {name} has no label {label}"));
                    }
                }
            }
        }
    };
    for path in RULES.iter().chain(&TESTS) {
        read(path)?.lines().filter(|line| is_query(line)).for_each(|line| judge(path, line));
    }
    let mut panels_found = Vec::new();
    for dashboard in dashboards()? {
        for_each_query(&serde_json::from_str(&read(&dashboard)?)?, &mut |query| judge(&dashboard, query));
        panels_found.extend(panels(&dashboard)?.into_iter().map(|panel| (dashboard.clone(), panel)));
    }
    let page = read(PAGE)?;
    for (dashboard, panel) in panels_found {
        let says = |what: &Value| what.as_str().is_some_and(|text| !text.is_empty());
        if !says(&panel.panel["description"]) || !says(&panel.panel["fieldConfig"]["defaults"]["unit"]) {
            found.push(format!("{dashboard}: {:?} has no description or no unit", panel.title));
        }
        let picture = panel.picture();
        if !page.contains(picture.trim_start_matches("docs/")) || !root().join(&picture).exists() {
            found.push(format!("{PAGE}: {:?} is not shown: run `cargo xtask pictures`", panel.title));
        }
    }
    alerts(found)
}

fn alerts(found: &mut Vec<String>) -> Result<()> {
    let (rules, runbook) = (read(RULES[1])?, read(RUNBOOK)?);
    let tests = TESTS.into_iter().map(read).collect::<Result<String>>()?;
    let named = |prefix: &str, text: &str| -> BTreeSet<String> {
        text.lines().filter_map(|line| line.trim_start().strip_prefix(prefix)).map(ToOwned::to_owned).collect()
    };
    let (alerts, sections) = (named("- alert: ", &rules), named("## Ddns", &runbook));
    let sections: BTreeSet<String> = sections.into_iter().map(|rest| format!("Ddns{rest}")).collect();
    for alert in alerts.difference(&sections) {
        found.push(format!("{RUNBOOK}: no section {alert}"));
    }
    for section in sections.difference(&alerts) {
        found.push(format!("{RUNBOOK}: there is no alert {section}"));
    }
    for alert in &alerts {
        if !rules.contains(&format!("runbook_url: \"{RUNBOOK}#{}\"", alert.to_lowercase())) {
            found.push(format!("{}: {alert} does not lead to its section of the runbook", RULES[1]));
        }
        for (outcome, what) in [("\n          - exp_labels", "fires"), (" []", "does not fire")] {
            if !tests.contains(&format!("alertname: {alert}\n        exp_alerts:{outcome}")) {
                found.push(format!("dashboards/prometheus/tests: nothing shows that {alert} {what}"));
            }
        }
    }
    Ok(())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

/// Every series that there may be, with its labels; `None` for those of recording rules.
fn known() -> Result<BTreeMap<String, Option<BTreeSet<String>>>> {
    let mut known = BTreeMap::new();
    for line in read(METRICS)?.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (name, kind, labels) = (cells[1].trim_matches('`'), cells[2], cells[3]);
        let labels: BTreeSet<String> = labels.split(", ").map(|label| label.trim_matches('`').to_owned()).collect();
        let suffixes: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        known.extend(suffixes.iter().map(|suffix| (format!("{name}{suffix}"), Some(labels.clone()))));
    }
    let rules = read(RULES[0])?;
    let recorded = rules.lines().filter_map(|line| line.trim_start().strip_prefix("- record: "));
    known.extend(recorded.map(|name| (name.to_owned(), None)));
    Ok(known)
}

/// Whether a line of rules or of their tests may hold a part of a query.
fn is_query(line: &str) -> bool {
    let line = line.trim_start();
    let words =
        ["#", "- record:", "- alert:", "- name:", "summary:", "description:", "runbook_url:", "group_eval_order:"];
    !words.iter().any(|word| line.starts_with(word))
}

/// Every query of a dashboard: of panels, annotations and variables.
pub fn for_each_query(value: &Value, judge: &mut impl FnMut(&str)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(text) if name == "expr" || name == "query" => judge(text),
                    _ => for_each_query(member, judge),
                }
            }
        }
        Value::Array(members) => members.iter().for_each(|member| for_each_query(member, judge)),
        _ => {}
    }
}

/// The metrics of ours in a query, each with the labels that stand in its braces.
fn metrics_in(query: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(next) = rest.chars().next() {
        let word: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "_:".contains(*c)).collect();
        if next == '"' {
            rest = rest[1..].split_once('"').map_or("", |(_, behind)| behind);
        } else if word.is_empty() {
            rest = &rest[next.len_utf8()..];
        } else {
            rest = &rest[word.len()..];
            if OURS.iter().any(|prefix| word.starts_with(prefix)) || word.contains(":ddns_") {
                found.push((word, rest.strip_prefix('{').map(labels_in).unwrap_or_default()));
            }
        }
    }
    found
}

/// The names before `=`, `!=`, `=~` and `!~`, up to the closing brace.
fn labels_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, part) in text.split('"').enumerate().filter(|(number, _)| number % 2 == 0) {
        let (inside, closed) = part.split_once('}').map_or((part, false), |(inside, _)| (inside, true));
        let name = inside.trim_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        if !name.is_empty() && (number == 0 || inside.contains(['=', '~'])) {
            found.push(name.to_owned());
        }
        if closed {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_and_their_labels_are_found_in_a_query() {
        let query = "sum by (le) (rate(ddns_a_bucket{instance=~\"$instance\", stage!=\"x,y=}\"}[5m])) / a:ddns_b:c + up{job=\"ddns_d\"}";
        let expected = [("ddns_a_bucket", vec!["instance", "stage"]), ("a:ddns_b:c", vec![])];
        let found = metrics_in(query);
        let found: Vec<_> =
            found.iter().map(|(name, labels)| (name.as_str(), labels.iter().map(String::as_str).collect())).collect();
        assert_eq!(found, expected);
    }
}
