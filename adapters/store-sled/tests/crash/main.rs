//! FAULTS 9, 45 to 50 and 54 on real processes and real file systems: what was acknowledged is there afterwards.
//!
//! The program is its own writer, its own reader and its own worker. Without arguments it runs the short form; `cargo
//! xtask crash` runs any other.

mod cut;
mod kill;
mod mutate;
mod refuse;
mod scene;
mod store;
mod tally;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use scene::Random;
use tally::Tally;

/// How often what is done to the store.
#[derive(Parser)]
struct Arguments {
    /// SIGKILLs while states are saved
    #[arg(long, default_value_t = 60)]
    kills: u32,
    /// SIGKILLs while sled is opened
    #[arg(long, default_value_t = 100)]
    opens: u32,
    /// Power cuts, which need root and btrfs
    #[arg(long, default_value_t = 6)]
    cuts: u32,
    /// Flips, truncations, zeroed blocks and deletions
    #[arg(long, default_value_t = 90)]
    mutations: u32,
    /// Rounds of errors of the disk and of a full disk
    #[arg(long, default_value_t = 2)]
    refusals: u32,
    /// Where the choices begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only faults whose names contain this
    #[arg(default_value = "")]
    only: String,
}

struct Fault {
    name: &'static str,
    mounts: bool,
    many: fn(&Arguments) -> u32,
    run: fn(&mut Tally, u32, &mut Random) -> Result<()>,
}

const FAULTS: [Fault; 7] = [
    Fault { name: "SIGKILL in a write loop", mounts: false, many: |a| a.kills, run: kill::in_a_write_loop },
    Fault { name: "SIGKILL in open", mounts: false, many: |a| a.opens, run: kill::in_open },
    Fault { name: "one file damaged", mounts: false, many: |a| a.mutations, run: mutate::one_file },
    Fault { name: "every file damaged", mounts: false, many: |a| a.mutations / 10, run: mutate::all_files },
    Fault { name: "EIO from the disk", mounts: false, many: |a| a.refusals, run: refuse::errors_of_the_disk },
    Fault { name: "a full disk", mounts: true, many: |a| a.refusals, run: refuse::a_full_disk },
    Fault { name: "power cut", mounts: true, many: |a| a.cuts, run: cut::power },
];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|first| first.to_str()) {
        Some("worker") => return ddns_store_sled::worker(arguments),
        Some("write") => return store::write(arguments),
        Some("load") => return store::load(arguments),
        _ => {}
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash: {error:#}");
            println!("test result: FAILED. 0 passed; 1 failed;");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let random = &mut Random::new(arguments.seed);
    println!("{}", Tally::HEAD);
    let mut all = Vec::new();
    for fault in FAULTS.iter().filter(|fault| fault.name.contains(&arguments.only)) {
        if fault.mounts && !scene::is_root() {
            println!("NOT RUN: {}: it needs root, to mount", fault.name);
            continue;
        }
        let mut tally = Tally::new(fault.name);
        (fault.run)(&mut tally, (fault.many)(arguments), random)?;
        println!("{tally}");
        all.push(tally);
    }
    let failed = all.iter().filter(|tally| !tally.is_good()).count();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {} passed; {failed} failed;", all.len() - failed);
    Ok(failed == 0)
}
