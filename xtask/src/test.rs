//! Runs every test, and says plainly what could not run.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::setup::{self, Purpose};
use crate::{dashboards, ebpf, is_root, root, sim, step, tidy};

/// The variable that names Cloudflare's official schema.
const SCHEMA: &str = "CLOUDFLARE_SCHEMA";

#[derive(Default)]
struct Totals {
    passed: u64,
    failed: u64,
    broken: bool,
    /// What a test program said that it left out.
    not_run: Vec<String>,
}

/// Sets up what is missing and runs all tests; its last line are the totals.
pub fn run() -> Result<()> {
    let mut not_run = Vec::new();
    match setup::ensure(Purpose::Test).and_then(|()| ebpf::run()) {
        // What is missing fails the tests that need it; all others are worth running.
        Err(error) if !is_root() => not_run.push(format!("what needs more than is here: {error:#}")),
        prepared => prepared?,
    }
    let mut totals = Totals::default();
    if is_root() {
        step("test: everything");
        cargo_test(&["--workspace"], &mut totals)?;
    } else {
        step("test: all that needs no root");
        let (able, privileged) = test_targets()?;
        let mut arguments = vec!["--workspace", "--lib", "--bins"];
        for target in &able {
            arguments.extend(["--test", target]);
        }
        cargo_test(&arguments, &mut totals)?;
        cargo_test(&["--workspace", "--doc"], &mut totals)?;
        not_run.push(format!(
            "test targets {}: they need root, for network namespaces and BPF; run `sudo -E cargo xtask test`",
            privileged.join(", ")
        ));
    }
    for judged in [dashboards::check(), sim::run(&sim::Arguments::default())] {
        match judged {
            Ok(()) => totals.passed += 1,
            Err(error) => {
                println!("{error:#}");
                totals.failed += 1;
            }
        }
    }
    if std::env::var_os(SCHEMA).is_none() {
        not_run.push(format!(
            "the check against Cloudflare's schema: set {SCHEMA} to the path of its OpenAPI file (dns, JSON)"
        ));
    }
    println!();
    not_run.append(&mut totals.not_run);
    not_run.iter().for_each(|what| println!("NOT RUN: {what}"));
    println!("{} passed, {} failed", totals.passed, totals.failed);
    ensure!(totals.failed == 0 && !totals.broken, "not all tests passed");
    ensure!(totals.passed > 0, "no test ran");
    Ok(())
}

/// The test targets that run as anybody, and those that need root.
fn test_targets() -> Result<(Vec<String>, Vec<String>)> {
    let metadata = tidy::metadata()?;
    let packages = metadata["packages"].as_array().context("packages")?;
    let targets = packages.iter().filter_map(|package| package["targets"].as_array()).flatten();
    let tests = targets.filter(|target| target["kind"][0] == "test").filter_map(|target| target["name"].as_str());
    Ok(tests.map(ToOwned::to_owned).partition(|name| !name.starts_with("netns")))
}

fn cargo_test(arguments: &[&str], totals: &mut Totals) -> Result<()> {
    let mut child = Command::new("cargo")
        .args(["test", "--no-fail-fast"])
        .args(arguments)
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo test")?;
    let output = child.stdout.take().context("the output of cargo test")?;
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        totals.not_run.extend(line.strip_prefix("NOT RUN: ").map(ToOwned::to_owned));
        if let Some(counts) = line.strip_prefix("test result: ") {
            totals.passed += count(counts, " passed");
            totals.failed += count(counts, " failed");
        }
    }
    totals.broken |= !child.wait()?.success();
    Ok(())
}

/// The number before a word in `ok. 3 passed; 0 failed; …`.
pub fn count(text: &str, word: &str) -> u64 {
    let before = text.split(word).next().unwrap_or_default();
    before.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
