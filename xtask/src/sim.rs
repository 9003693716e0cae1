//! Runs the simulation of `ddns-core`, and asks whether it would notice.

mod sabotage;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{root, run_command, step};

/// As many as every change has to pass.
const YEARS: u64 = 1000;

#[derive(Args, Default)]
pub struct Arguments {
    /// Replay this seed alone
    #[arg(long, conflicts_with = "years")]
    seed: Option<u64>,
    /// As many seeds as come to so many years
    #[arg(long)]
    years: Option<u64>,
    /// Switch the engine's rules off one by one, in a copy: the simulation has to notice each
    #[arg(long, conflicts_with_all = ["seed", "years"])]
    sabotage: bool,
    /// Only the rules whose names contain this
    #[arg(long, requires = "sabotage")]
    rule: Vec<String>,
}

/// Prints what the run amounted to; fails with the first broken invariant, its seed and a short history.
pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.sabotage {
        return sabotage::run(&arguments.rule);
    }
    let mut command = Command::new(build("sim", &root(), &root().join("target"))?);
    command.args(["no_history_breaks_an_invariant", "--exact", "--nocapture"]).current_dir(root());
    if let Some(seed) = arguments.seed {
        command.env("SIM_SEED", seed.to_string());
    }
    command.env("SIM_YEARS", arguments.years.unwrap_or(YEARS).to_string());
    step("simulation");
    let begin = Instant::now();
    run_command(&mut command)?;
    println!("{:.1} seconds", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Builds the simulation of a workspace; its program.
fn build(profile: &str, workspace: &Path, target: &Path) -> Result<String> {
    let mut command = Command::new("cargo");
    command
        .args(["test", "--quiet", "--profile", profile, "--package", "ddns-core", "--test", "simulation"])
        .args(["--no-run", "--message-format", "json"])
        .arg("--target-dir")
        .arg(target)
        .current_dir(workspace);
    let output = command.output().context("cargo test")?;
    ensure!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let programs: Vec<String> =
        messages.filter_map(|message| message["executable"].as_str().map(ToOwned::to_owned)).collect();
    programs.into_iter().next_back().context("cargo named no program")
}
