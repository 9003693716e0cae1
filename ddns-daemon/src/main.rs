//! ddnsd: introduces the core and the adapters to each other, and to the operator.

mod admin;
mod client;
mod doctor;
mod history;
mod lists;
mod log_output;
mod log_view;
mod manual;
mod measure;
mod notify;
mod on_change;
mod once;
mod online;
mod owed;
mod recover;
mod run;
mod sandbox;
mod shown;
mod since;
mod state;
mod status;
mod variables;
mod way_out;
mod wireguard;
mod wiring;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

/// Exit code of a wrong configuration: a restart does not help.
const CONFIGURATION: u8 = 1;
/// Exit code of what went wrong while running: a restart may help.
const RUNTIME: u8 = 2;

/// What the long help and the man page end with.
const CODES: &str = "Exit codes: 0 done, or ready; 1 the configuration or the arguments are wrong; 2 something failed while \
                     running, or the daemon that was asked is not ready or not there.";

/// Keeps DNS records equal to this host's public addresses. Configured by DDNS_* variables alone.
#[derive(Parser)]
#[command(name = "ddnsd", version, after_long_help = CODES)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Run (the default)
    Run,
    /// Check the configuration and exit: 0 good, 1 wrong
    Check {
        /// Ask the providers too, without a write: 2 if one can't be reached
        #[arg(long)]
        online: bool,
    },
    /// Say what this host grants and lacks, one line each with the remedy: 0 nothing is wrong, 2 something is
    Doctor,
    /// Bring every record right once, prove it, and end: 0 all are proven, 2 not in time, or a ddnsd runs already
    Once(once::Arguments),
    /// Where a running ddnsd stands: 0 it is ready, 2 it is not, or there is none
    Status(status::Arguments),
    /// What a running ddnsd has counted: uptime, outages, changes
    History(history::Arguments),
    /// Whether the router would be power-cycled, how, and why not: 0 the plug is fit for it, 2 it is not
    Recover {
        /// Switch nothing; a running ddnsd alone decides when power goes
        #[arg(long, required = true)]
        dry_run: bool,
    },
    /// Print all variables, as Markdown
    Variables,
    /// Print all metrics, as Markdown
    Metrics,
    /// Print what completes ddnsd's arguments in a shell
    Completions { shell: manual::Shell },
    /// Print or write the man pages
    #[command(hide = true)]
    Man(manual::ManArguments),
    /// The state that is kept over restarts
    #[command(subcommand)]
    State(state::Verb),
    /// What the `sled` store starts by itself
    #[command(name = WORKER, hide = true)]
    StoreWorker { arguments: Vec<OsString> },
}

/// The verb of a worker of the `sled` store.
const WORKER: &str = "store-worker";

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(CONFIGURATION) } else { ExitCode::SUCCESS };
        }
    };
    match arguments.verb.unwrap_or(Verb::Run) {
        Verb::Variables => {
            print!("{}", variables::markdown(&wiring::registry().variables()));
            ExitCode::SUCCESS
        }
        Verb::Metrics => {
            print!("{}", ddns_telemetry::markdown());
            ExitCode::SUCCESS
        }
        Verb::Completions { shell } => manual::completions(shell, Arguments::command()),
        Verb::Man(arguments) => manual::man(&arguments, Arguments::command()),
        Verb::Doctor => doctor::run(),
        Verb::Status(arguments) => status::run(&arguments),
        Verb::History(arguments) => history::run(&arguments),
        Verb::Recover { .. } => match wiring::wire(std::env::vars_os()) {
            Ok(wired) => recover::dry_run(&wired),
            Err(wrong) => refuse(&wrong),
        },
        Verb::State(verb) => state::run(&verb),
        Verb::StoreWorker { arguments } => ddns_store_sled::worker(arguments.into_iter()),
        Verb::Check { online } => match wiring::wire(std::env::vars_os()) {
            Ok(wired) => {
                wiring::print("warning", &wired.warnings);
                println!("The configuration is good: {} records.", wired.config.records.len());
                if online { online::run(&wired) } else { ExitCode::SUCCESS }
            }
            Err(wrong) => refuse(&wrong),
        },
        Verb::Run => wired(run::run),
        Verb::Once(arguments) => wired(|wired| once::run(wired, &arguments)),
    }
}

/// Does `work` with a configuration that is good; with any other, only power is given back that is owed.
fn wired(work: impl FnOnce(wiring::Wired) -> ExitCode) -> ExitCode {
    match wiring::wire(std::env::vars_os()) {
        Ok(wired) => work(wired),
        Err(wrong) => {
            let refused = refuse(&wrong);
            owed::give_back(wrong.plugs.as_ref());
            refused
        }
    }
}

fn refuse(wrong: &wiring::Wrong) -> ExitCode {
    wiring::print("warning", &wrong.warnings);
    wiring::print("error", &wrong.problems);
    eprintln!("ddnsd: the configuration has {} problem(s); nothing was started.", wrong.problems.len());
    ExitCode::from(CONFIGURATION)
}
