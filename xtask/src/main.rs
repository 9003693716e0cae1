//! The project's commands.

mod bench;
mod ci;
mod coverage;
mod crash;
mod dashboards;
mod demo;
mod dist;
mod ebpf;
mod kernel_test;
mod observability;
mod pictures;
mod reliability;
mod setup;
mod sim;
mod test;
mod tidy;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's commands")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Set up, build, and run the main job for real in network namespaces (root)
    Demo,
    /// Set up and run every test (without root: those that need none)
    Test,
    /// Install what building, testing and the demo need and this machine lacks
    Setup(setup::Arguments),
    /// Build the eBPF programs, which ddnsd then embeds
    Ebpf,
    /// Run the suite of the kernel hooks on Debian's kernels 5.10, 6.1, 6.12 and 7, in emulation (root)
    KernelTest {
        /// Some of them only
        versions: Vec<String>,
        /// Only tests whose name contains this
        #[arg(long)]
        only: Option<String>,
    },
    /// Run the engine through centuries in a world in which everything fails
    Sim(sim::Arguments),
    /// Kill the store, cut its power, damage its files, and see whether anything acknowledged is lost
    Crash(crash::Arguments),
    /// Hold the dashboards against Grafana's types, and rules and alerts against Prometheus
    Dashboards,
    /// Play the day of the dashboards and draw what each panel shows into docs/pictures (root)
    Pictures(pictures::Arguments),
    /// Make what is handed out: package, tarball, image, inventory, licences (root)
    Dist(dist::Arguments),
    /// Check dependency edges, names, documents
    Tidy {
        /// Bring generated parts of documents up to date
        #[arg(long)]
        write: bool,
    },
    /// Measure what things cost, beside the machine they were measured on
    Bench {
        /// Some of it only
        subjects: Vec<bench::Subject>,
    },
    /// Tell which lines of ddns-core no test reaches
    Coverage,
    /// All that a change has to pass: format, lints, tidy, licences, documentation, demo, other kernels, tests
    Ci,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().verb {
        Verb::Demo => demo::run(),
        Verb::Test => test::run(),
        Verb::Setup(arguments) => setup::run(&arguments),
        Verb::Ebpf => ebpf::run(),
        Verb::KernelTest { versions, only } => kernel_test::run(&versions, only.as_deref()),
        Verb::Sim(arguments) => sim::run(&arguments),
        Verb::Crash(arguments) => crash::run(&arguments),
        Verb::Dashboards => dashboards::run(),
        Verb::Pictures(arguments) => pictures::run(&arguments),
        Verb::Dist(arguments) => dist::run(&arguments),
        Verb::Tidy { write } => tidy::run(write),
        Verb::Bench { subjects } => bench::run(&subjects),
        Verb::Coverage => coverage::run(),
        Verb::Ci => ci::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The top of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// A tool of `cargo xtask setup`, else the one in PATH.
fn tool(name: &str) -> PathBuf {
    let own = root().join("target/tools/bin").join(name);
    if own.exists() { own } else { name.into() }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Says what comes next.
fn step(what: &str) {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        println!("\x1b[1;36m==> {what}\x1b[0m");
    } else {
        println!("==> {what}");
    }
}

fn cargo(arguments: &[&str]) -> Result<()> {
    run_command(Command::new("cargo").args(arguments).current_dir(root()))
}

fn run_command(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?} does not start"))?;
    ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
