//! A check of the simulation itself: with one rule of the engine switched off, it has to break an invariant.

mod rules;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::build;
use crate::{root, step};
use rules::{RULES, Rule};

/// Years after which a rule counts as not missed.
const YEARS: &str = "300";

/// A broken invariant.
struct Violation {
    seed: u64,
    invariant: String,
}

/// Copies the core, switches off one rule after another there, and runs the simulation each time.
pub fn run(only: &[String]) -> Result<()> {
    let copy = copy()?;
    step("sabotage: the copy as it is");
    if let Some(Violation { seed, invariant }) = simulate(&copy)? {
        bail!("seed {seed} violates \"{invariant}\" without any sabotage: cargo xtask sim --seed {seed}");
    }
    step("sabotage: one rule after another");
    let (mut passed, mut failed) = (0, 0);
    for rule in RULES.iter().filter(|rule| only.is_empty() || only.iter().any(|word| rule.name.contains(word.as_str())))
    {
        // The seed is clean on the copy as it is, like all that were run there.
        let (caught, what) = match sabotaged(&copy, rule)? {
            Some(Violation { seed, invariant }) if rule.invariants.contains(&invariant.as_str()) => {
                (true, format!("\"{invariant}\", seed {seed}"))
            }
            Some(Violation { seed, invariant }) => {
                (false, format!("\"{invariant}\", seed {seed}, instead of {:?}", rule.invariants))
            }
            None => (false, "NOT MISSED".to_owned()),
        };
        println!("{} {:<52} {what}", if caught { "ok    " } else { "FAILED" }, rule.name);
        *(if caught { &mut passed } else { &mut failed }) += 1;
    }
    println!("{passed} passed, {failed} failed");
    ensure!(passed + failed > 0, "there is no such rule");
    ensure!(failed == 0, "the simulation would not notice everything");
    Ok(())
}

/// A workspace of the core alone.
fn copy() -> Result<PathBuf> {
    let copy = root().join("target/sabotage");
    for name in ["ddns-core/src", "ddns-core/tests", "ddns-core/benches", "ddns-core/examples"] {
        let to = copy.join(name);
        if to.exists() {
            fs::remove_dir_all(&to).with_context(|| format!("{} can't be removed", to.display()))?;
        }
        copy_directory(&root().join(name), &to)?;
    }
    for name in ["Cargo.lock", "ddns-core/Cargo.toml"] {
        fs::copy(root().join(name), copy.join(name)).with_context(|| format!("{name} can't be copied"))?;
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let members = |line: &str| {
        if line.starts_with("members = ") { "members = [\"ddns-core\"]".to_owned() } else { line.to_owned() }
    };
    let manifest: Vec<String> = manifest.lines().map(members).collect();
    fs::write(copy.join("Cargo.toml"), manifest.join("\n"))?;
    Ok(copy)
}

fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} can't be read", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

fn sabotaged(copy: &Path, rule: &Rule) -> Result<Option<Violation>> {
    let file = copy.join("ddns-core/src").join(rule.file);
    let source = fs::read_to_string(&file).with_context(|| format!("{}: {} can't be read", rule.name, rule.file))?;
    let found = source.matches(rule.text).count();
    ensure!(found == 1, "{}: its text occurs {found} times in {}, not once:\n{}", rule.name, rule.file, rule.text);
    fs::write(&file, source.replace(rule.text, rule.sabotage))?;
    let found = simulate(copy).with_context(|| rule.name.to_owned());
    fs::write(&file, source)?;
    found
}

/// The first violation that the simulation of this workspace finds.
fn simulate(workspace: &Path) -> Result<Option<Violation>> {
    let mut command = Command::new(build("dev", workspace, &root().join("target/sabotage/target"))?);
    command
        .args(["no_history_breaks_an_invariant", "--exact", "--nocapture"])
        .envs([("SIM_BRIEF", "1"), ("SIM_YEARS", YEARS), ("RUST_BACKTRACE", "0")])
        .current_dir(workspace);
    let output = command.output().with_context(|| format!("{command:?} does not start"))?;
    if output.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let violation = said.lines().find_map(|line| {
        let mut parts = line.strip_prefix("violation\t")?.split('\t');
        let seed = parts.next()?.parse().ok()?;
        Some(Violation { seed, invariant: parts.next()?.to_owned() })
    });
    let violation = violation.with_context(|| format!("the simulation ended without a violation:\n{said}"))?;
    Ok(Some(violation))
}
