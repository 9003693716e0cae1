//! The show-piece: the main job, for real, in namespaces.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup::{self, Purpose};
use crate::{cargo, ebpf, is_root, root, step};

/// Becomes the demo, so that Ctrl-C reaches it alone and its cleaning up is waited for.
pub fn run() -> Result<()> {
    Err(command()?.exec()).context("the demo does not start")
}

/// Sets up what is missing, builds, and says what to run.
pub fn command() -> Result<Command> {
    if !is_root() {
        bail!(
            "the demo makes network namespaces and loads an eBPF program, for which it needs root: run it as root or by \
             `sudo -E cargo xtask demo`. Without root, `cargo xtask test` runs all tests that need none"
        );
    }
    setup::ensure(Purpose::Demo)?;
    ebpf::run()?;
    step("build ddnsd and the demo");
    cargo(&["build", "--package", "ddns-daemon", "--package", "ddns-testbed", "--bins"])?;
    step("demo");
    let built = root().join("target/debug");
    let mut command = Command::new(built.join("demo"));
    command.arg(built.join("ddnsd")).current_dir(root());
    Ok(command)
}
