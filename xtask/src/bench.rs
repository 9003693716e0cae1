//! Measures what things cost, beside the machine that it was measured on.

use std::fs;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::{cargo, ebpf, is_root, step};

/// What can be measured.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Subject {
    /// Steps of the engine, and a storm of changes
    Engine,
    /// How soon and at what cost the kernel's announcements are heard, rung by rung (root)
    Kernel,
    /// How soon a change of the router's address is in DNS, and what goes over the wire while nothing changes (root)
    BehindNat,
    /// How a change becomes proof, stage by stage, and what many records cost (root)
    Convergence,
    /// What it costs to look at ddnsd, and to be looked at by nobody (root)
    Scrape,
    /// What a durable save costs in each store, what they grow to in ten years, what sled leaves in a process
    Stores,
}

/// Figures differ from machine to machine; what is promised is asserted.
pub fn run(subjects: &[Subject]) -> Result<()> {
    let wants = |subject| subjects.is_empty() || subjects.contains(&subject);
    println!("machine: {}", machine());
    if wants(Subject::Engine) {
        step("bench: one step of the engine");
        cargo(&["bench", "--quiet", "--package", "ddns-core", "--bench", "step", "--", "--noplot"])?;
        step("bench: an hour of a storm");
        cargo(&["bench", "--quiet", "--package", "ddns-core", "--bench", "storm"])?;
    }
    if wants(Subject::Kernel) {
        step("bench: the kernel's announcements");
        ensure!(is_root(), "network namespaces and eBPF need root");
        ebpf::run()?;
        cargo(&["bench", "--quiet", "--package", "ddns-linux", "--bench", "kernel"])?;
    }
    let worlds =
        [(Subject::BehindNat, "behind_nat"), (Subject::Convergence, "convergence"), (Subject::Scrape, "scrape")];
    for (subject, bench) in worlds {
        if wants(subject) {
            step(&format!("bench: {bench}"));
            ensure!(is_root(), "network namespaces need root");
            ebpf::run()?;
            cargo(&["bench", "--quiet", "--package", "ddns-daemon", "--bench", bench])?;
        }
    }
    if wants(Subject::Stores) {
        step("bench: the stores");
        cargo(&["bench", "--quiet", "--package", "ddns-store-sled", "--bench", "stores"])?;
    }
    println!("machine: {}", machine());
    Ok(())
}

/// The machine, in a line.
pub fn machine() -> String {
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
