//! The show-piece: the main job, for real, in namespaces.

use std::process::Command;

use anyhow::{Result, bail};

use crate::setup::{self, Purpose};
use crate::{cargo, ebpf, is_root, root, run_command, step};

/// Sets up what is missing, builds, and runs it.
pub fn run() -> Result<()> {
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
    let built = root().join("target/debug");
    run_command(Command::new(built.join("demo")).arg(built.join("ddnsd")).current_dir(root()))
}
