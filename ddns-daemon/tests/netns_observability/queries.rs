//! The queries of the dashboards and of the alerts, as they stand in their files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_testbed::Prometheus;
use serde_json::{Value, json};

use crate::scene::PATIENCE;

const POLL: Duration = Duration::from_millis(200);

/// The directory of dashboards and rules.
fn dashboards() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dashboards")
}

/// A file of rules. What is evaluated each minute is here evaluated as often as all else.
pub fn rules(name: &str) -> Result<String> {
    let text = fs::read_to_string(dashboards().join("prometheus").join(name)).context(name.to_owned())?;
    let lines = text.lines().filter(|line| !line.starts_with("    interval: "));
    Ok(lines.flat_map(|line| [line, "\n"]).collect())
}

/// The alerts, and those that were seen to have something to say.
pub struct Alerts<'a> {
    prometheus: &'a Prometheus<'a>,
    queries: BTreeMap<String, String>,
    seen: BTreeSet<String>,
}

impl<'a> Alerts<'a> {
    /// As Prometheus has loaded them.
    pub fn of(prometheus: &'a Prometheus<'a>) -> Result<Self> {
        let groups = prometheus.groups()?;
        let rules = groups.as_array().into_iter().flatten().filter_map(|group| group["rules"].as_array()).flatten();
        let pair = |rule: &Value| Some((rule["name"].as_str()?.to_owned(), rule["query"].as_str()?.to_owned()));
        let queries: BTreeMap<_, _> = rules.filter(|rule| rule["type"] == "alerting").filter_map(pair).collect();
        ensure!(!queries.is_empty(), "{groups}");
        Ok(Self { prometheus, queries, seen: BTreeSet::new() })
    }

    /// No alert has anything to say.
    pub fn are_silent(&self) -> Result<()> {
        for (name, query) in &self.queries {
            let found = self.prometheus.query(query)?;
            ensure!(found.is_empty(), "{name} speaks on a quiet day: {found:?}");
        }
        Ok(())
    }

    /// Waits until the alert has something to say about `instance`.
    pub fn wait(&mut self, name: &str, instance: &str) -> Result<()> {
        self.until(name, instance, true)?;
        self.seen.insert(name.to_owned());
        Ok(())
    }

    /// Waits until it has nothing to say about `instance` any more.
    pub fn wait_silent(&self, name: &str, instance: &str) -> Result<()> {
        self.until(name, instance, false)
    }

    fn until(&self, name: &str, instance: &str, speaks: bool) -> Result<()> {
        let query = self.queries.get(name).with_context(|| format!("there is no alert {name}"))?;
        let begun = Instant::now();
        loop {
            let found = self.prometheus.query(query)?;
            if found.iter().any(|series| series["metric"]["instance"] == instance) == speaks {
                return Ok(());
            }
            // The longest wait is for a minute of an hour.
            ensure!(begun.elapsed() < 3 * PATIENCE, "{name} about {instance}, {speaks}: still {found:?}");
            thread::sleep(POLL);
        }
    }

    /// Those that never had anything to say, in their order.
    pub fn unseen(&self) -> Vec<&str> {
        self.queries.keys().filter(|name| !self.seen.contains(*name)).map(String::as_str).collect()
    }
}

/// What the panels of a dashboard showed, and those that showed nothing.
pub struct Shown {
    /// By the id of the panel, the answers to its queries.
    pub answers: Value,
    pub empty: Vec<String>,
}

/// Executes every query of every panel for the time from `start` to `end`, as Grafana would for the host `instance`.
pub fn show(prometheus: &Prometheus<'_>, dashboard: &str, instance: &str, span: (f64, f64)) -> Result<Shown> {
    let document: Value = serde_json::from_str(&fs::read_to_string(dashboards().join(dashboard))?)?;
    let mut shown = Shown { answers: json!({}), empty: Vec::new() };
    for panel in document["panels"].as_array().context("panels")?.iter().filter(|panel| panel["type"] != "row") {
        let mut answers = Vec::new();
        for target in panel["targets"].as_array().context("targets")? {
            let query = target["expr"].as_str().context("expr")?;
            let query = query.replace("$instance", instance).replace("$__rate_interval", "10s");
            ensure!(!query.contains('$'), "what is to stand for the variable in {query}?");
            let answer = prometheus.query_range(&query, span)?;
            if !answer.as_array().is_some_and(|series| series.iter().any(has_a_number)) {
                shown.empty.push(format!("{}: {query}", panel["title"].as_str().unwrap_or_default()));
            }
            answers.push(answer);
        }
        shown.answers[panel["id"].to_string()] = answers.into();
    }
    Ok(shown)
}

fn has_a_number(series: &Value) -> bool {
    let values = series["values"].as_array().into_iter().flatten();
    values.filter_map(|sample| sample[1].as_str()).any(|value| value != "NaN")
}
