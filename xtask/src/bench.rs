//! Measures what the engine costs, beside the machine that it was measured on.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::{cargo, step};

/// Steps of the engine, and a storm of changes. Figures differ from machine to machine; what is promised of the storm
/// is asserted.
pub fn run() -> Result<()> {
    println!("machine: {}", machine());
    step("bench: one step of the engine");
    cargo(&["bench", "--quiet", "--package", "ddns-core", "--bench", "step", "--", "--noplot"])?;
    step("bench: an hour of a storm");
    cargo(&["bench", "--quiet", "--package", "ddns-core", "--bench", "storm"])?;
    println!("machine: {}", machine());
    Ok(())
}

fn machine() -> String {
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {processors} processors; Linux {}; {}", first_line("uname", "-r"), first_line("rustc", "-V"))
}

fn first_line(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or("unknown").to_owned()
}
