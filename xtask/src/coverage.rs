//! Which lines of the core no test reaches.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::ebpf::PINS;
use crate::setup::{self, Purpose};
use crate::{root, run_command, step, tool};

/// The variables by which cargo-llvm-cov finds LLVM's tools, and the tools: those of the LLVM that rustc has.
pub fn llvm_tools() -> [(&'static str, PathBuf); 2] {
    let path = |name: &str| PathBuf::from(format!("{name}-{}", PINS.llvm));
    [("LLVM_COV", path("llvm-cov")), ("LLVM_PROFDATA", path("llvm-profdata"))]
}

/// Runs the tests of ddns-core instrumented; prints the total by file, and the uncovered lines.
pub fn run() -> Result<()> {
    setup::ensure(Purpose::Coverage)?;
    step("coverage: the tests of ddns-core");
    let mut command = Command::new(tool("cargo-llvm-cov"));
    command.args(["llvm-cov", "--package", "ddns-core", "--show-missing-lines", "--"]);
    // What must not compile runs nothing, and the compiler takes a while to say so.
    command.args(["--skip", "does_not_compile"]);
    command.envs(llvm_tools()).current_dir(root());
    // A few histories reach what hundreds do, and instrumented ones are slow.
    if std::env::var_os("SIM_YEARS").is_none() {
        command.env("SIM_YEARS", "20");
    }
    run_command(&mut command)
}
