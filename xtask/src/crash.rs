//! Breaks the `sled` store in every way there is, on this machine's disk, and kills ddnsd while the router is off.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::setup::{self, Purpose};
use crate::{bench, ebpf, is_root, root, run_command, step};

/// The test that kills ddnsd at each stage of a power cycle.
const POWER_CYCLES: &str =
    "a_daemon_that_is_killed_at_any_stage_of_a_power_cycle_never_leaves_the_router_off_nor_cycles_it_twice";

#[derive(Args)]
pub struct Arguments {
    /// As often as is promised: 2,000 kills, 2,000 kills in open, 100 power cuts, 2,000 mutations, 300
    /// kills in a power cycle
    #[arg(long)]
    long: bool,
    /// SIGKILLs while states are saved
    #[arg(long)]
    kills: Option<u32>,
    /// SIGKILLs while sled is opened
    #[arg(long)]
    opens: Option<u32>,
    /// Power cuts (root)
    #[arg(long)]
    cuts: Option<u32>,
    /// Flips, truncations, zeroed blocks and deletions
    #[arg(long)]
    mutations: Option<u32>,
    /// Rounds of errors of the disk, and of a full disk (root)
    #[arg(long)]
    refusals: Option<u32>,
    /// SIGKILLs while the router is power-cycled (root)
    #[arg(long)]
    power_cycles: Option<u32>,
    /// Where the choices begin
    #[arg(long)]
    seed: Option<u64>,
    /// Only faults whose names contain this
    only: Option<String>,
}

/// Prints what came of it; fails if anything acknowledged was lost, or the store stuck.
pub fn run(arguments: &Arguments) -> Result<()> {
    setup::ensure(Purpose::Test)?;
    let long = |often: Option<u32>, promised: u32| often.or(arguments.long.then_some(promised));
    let numbers = [
        ("--kills", long(arguments.kills, 2000).map(u64::from)),
        ("--opens", long(arguments.opens, 2000).map(u64::from)),
        ("--cuts", long(arguments.cuts, 100).map(u64::from)),
        ("--mutations", long(arguments.mutations, 2000).map(u64::from)),
        ("--refusals", long(arguments.refusals, 10).map(u64::from)),
        ("--seed", arguments.seed),
    ];
    let mut command = Command::new("cargo");
    command.args(["test", "--quiet", "--package", "ddns-store-sled", "--test", "crash", "--"]).current_dir(root());
    for (name, number) in numbers {
        command.args(number.map(|number| format!("{name}={number}")));
    }
    command.args(&arguments.only);
    step("crash");
    println!("machine: {}", bench::machine());
    let begin = Instant::now();
    run_command(&mut command)?;
    let all = arguments.only.is_none();
    if let Some(kills) = arguments.power_cycles.or_else(|| long(None, 300).filter(|_| all)) {
        power_cycles(kills, arguments.seed)?;
    }
    println!("{:.0} seconds", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Kills ddnsd so often while it power-cycles the router.
fn power_cycles(kills: u32, seed: Option<u64>) -> Result<()> {
    step("crash: ddnsd, in a power cycle");
    if !is_root() {
        println!("NOT RUN: kills in a power cycle: they need root, for network namespaces");
        return Ok(());
    }
    ebpf::run()?;
    let mut command = Command::new("cargo");
    command.args(["test", "--quiet", "--package", "ddns-daemon", "--test", "netns", "--", "--nocapture", POWER_CYCLES]);
    command.env("RECOVERY_KILLS", kills.to_string()).current_dir(root());
    command.envs(seed.map(|seed| ("RECOVERY_SEED", seed.to_string())));
    run_command(&mut command)
}
