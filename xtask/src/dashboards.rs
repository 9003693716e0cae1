//! Holds the dashboards against Grafana's own types, and rules and alerts against Prometheus.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::observability::dashboards;
use crate::setup::{self, npm};
use crate::{root, run_command, step};

/// What the types are made of.
const SCHEMA: [&str; 3] = ["kept.ts", "awake.ts", "tsconfig.json"];

/// Sets up what is missing and checks everything.
pub fn run() -> Result<()> {
    setup::ensure(setup::Purpose::Test)?;
    check()
}

/// Checks everything.
pub fn check() -> Result<()> {
    step("dashboards: rules and alerts, by promtool");
    let promtool = |arguments: &[&str]| {
        run_command(Command::new("promtool").args(arguments).current_dir(root().join("dashboards/prometheus")))
    };
    promtool(&["check", "config", "prometheus.yml"])?;
    promtool(&["test", "rules", "tests/alerts.yml", "tests/days.yml"])?;
    step("dashboards: against @grafana/schema, by tsc");
    for name in SCHEMA {
        fs::copy(root().join("dashboards/schema").join(name), npm().join(name)).context(name)?;
    }
    for dashboard in dashboards()? {
        let text = fs::read_to_string(root().join(&dashboard))?;
        let name = dashboard.trim_start_matches("dashboards/").replace(".json", ".ts");
        // Each line keeps its number.
        let program = format!("import type {{ Kept }} from \"./kept\"; export const dashboard: Kept = {text}");
        fs::write(npm().join(name), program)?;
    }
    run_command(Command::new("node").arg("node_modules/typescript/bin/tsc").current_dir(npm()))?;
    println!("dashboards: in order");
    Ok(())
}
