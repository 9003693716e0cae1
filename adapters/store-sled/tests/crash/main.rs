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
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|first| first.to_str()) {
        Some("worker") => return ddns_store_sled::worker(arguments),
        Some("write") => return store::write(arguments),
        Some("load") => return store::load(arguments),
        _ => {}
    }
    // What libtest would be told concerns its own tests.
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("crash: {error:#}");
            println!("test result: FAILED. 0 passed; 1 failed");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let random = &mut Random::new(arguments.seed);
    println!("{}", Tally::HEAD);
    let mut all = Vec::new();
    let mut done = |tally: Tally| {
        println!("{tally}");
        all.push(tally);
    };
    done(kill::in_a_write_loop(arguments.kills, random)?);
    done(kill::in_open(arguments.opens, random)?);
    done(mutate::one_file(arguments.mutations, random)?);
    done(mutate::all_files(arguments.mutations / 10, random)?);
    done(refuse::errors_of_the_disk(arguments.refusals)?);
    if scene::is_root() {
        done(refuse::a_full_disk(arguments.refusals)?);
        done(cut::power(arguments.cuts, random)?);
    } else {
        println!("NOT RUN: power cuts and a full disk: they need root, to mount");
    }
    let failed = all.iter().filter(|tally| !tally.is_good()).count();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {} passed; {failed} failed", all.len() - failed);
    Ok(failed == 0)
}
