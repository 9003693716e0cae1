//! All that a change has to pass.

use std::fs;
use std::process::Command;

use anyhow::Result;

use crate::setup::{self, Purpose};
use crate::{cargo, demo, dist, ebpf, is_root, kernel_test, root, run_command, step, test, tidy, tool};

/// The variable that names a directory of advisory databases, as cargo-deny keeps them.
const ADVISORIES: &str = "ADVISORY_DB";

/// The kernels that every change has to pass: those of Debian's two latest releases.
const KERNELS: [&str; 2] = ["6.1", "6.12"];

/// Formatting, lints, shape, licences, documentation, demo, other kernels, tests.
pub fn run() -> Result<()> {
    setup::ensure(Purpose::Ci)?;
    ebpf::run()?;
    step("format");
    cargo(&["fmt", "--all", "--check"])?;
    step("lint");
    cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])?;
    tidy::run(false)?;
    deny()?;
    step("documentation");
    run_command(
        Command::new("cargo")
            .args(["doc", "--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "--deny warnings")
            .current_dir(root()),
    )?;
    if is_root() {
        run_command(&mut demo::command()?)?;
        kernel_test::run(&KERNELS.map(ToOwned::to_owned), None)?;
        dist::run(&dist::Arguments { check: true, check_reproducible: false })?;
    }
    test::run()
}

fn deny() -> Result<()> {
    step("licences, bans, sources");
    let deny = || {
        let mut command = Command::new(tool("cargo-deny"));
        command.arg("check").current_dir(root());
        command
    };
    run_command(deny().args(["licenses", "bans", "sources"]))?;
    let Some(database) = std::env::var_os(ADVISORIES) else {
        println!("NOT RUN: advisories: set {ADVISORIES} to a directory that holds a clone of the RustSec database");
        return Ok(());
    };
    step("advisories");
    // cargo-deny takes the database's place from its configuration alone.
    let rules = fs::read_to_string(root().join("deny.toml"))?;
    let with_path =
        rules.replace("[advisories]\n", &format!("[advisories]\ndb-path = {:?}\n", database.to_string_lossy()));
    let config = root().join("target/deny.toml");
    fs::write(&config, with_path)?;
    run_command(deny().args(["--disable-fetch", "--config"]).arg(config).arg("advisories"))
}
