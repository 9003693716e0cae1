//! Runs the suite of the kernel hooks on other kernels, in a virtual machine without hardware help.

mod image;
mod kernel;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::setup::{self, Purpose};
use crate::{ebpf, root, step};
use kernel::Kernel;

/// Emulation is slow, and machines are shared.
const SECONDS: &str = "1500";

/// What one kernel said.
pub struct Outcome {
    release: String,
    passed: u64,
    failed: u64,
    seconds: u64,
}

/// Runs the suite on these kernels, or on all.
pub fn run(versions: &[String], only: Option<&str>) -> Result<()> {
    setup::ensure(Purpose::Kernels)?;
    ebpf::run()?;
    let kernels = chosen(versions)?;
    let tests = test_binary()?;
    let mut guests = Vec::new();
    for kernel in kernels {
        let files = kernel.provide().with_context(|| format!("kernel {}", kernel.version))?;
        let initramfs = image::build(&files, &tests, only)?;
        guests.push(Guest { version: kernel.version, image: files.image, initramfs });
    }
    let mut outcomes = Vec::new();
    // An emulator takes one processor.
    let at_once = thread::available_parallelism().map_or(1, usize::from);
    for guests in guests.chunks(at_once) {
        let versions: Vec<_> = guests.iter().map(|guest| guest.version).collect();
        step(&format!("kernel-test: Debian's {}", versions.join(" and ")));
        let booted: Vec<Result<Outcome>> = thread::scope(|scope| {
            let booted: Vec<_> = guests.iter().map(|guest| scope.spawn(|| guest.boot())).collect();
            let ended =
                booted.into_iter().map(|guest| guest.join().unwrap_or_else(|_| bail!("a guest's thread panicked")));
            ended.collect()
        });
        for (guest, outcome) in guests.iter().zip(booted) {
            outcomes.push(outcome.with_context(|| format!("kernel {}", guest.version))?);
        }
    }
    println!("\n| kernel | passed | failed | seconds in emulation |\n| --- | --- | --- | --- |");
    for Outcome { release, passed, failed, seconds } in &outcomes {
        println!("| {release} | {passed} | {failed} | {seconds} |");
    }
    let (passed, failed) = outcomes.iter().fold((0, 0), |(p, f), outcome| (p + outcome.passed, f + outcome.failed));
    println!("\n{passed} passed, {failed} failed");
    ensure!(failed == 0 && passed > 0, "not all tests passed on all kernels");
    Ok(())
}

fn chosen(versions: &[String]) -> Result<Vec<&'static Kernel>> {
    if versions.is_empty() {
        return Ok(kernel::ALL.iter().collect());
    }
    let find = |version: &String| {
        let known: Vec<_> = kernel::ALL.iter().map(|kernel| kernel.version).collect();
        let found = kernel::ALL.iter().find(|kernel| kernel.version == version);
        found.with_context(|| format!("no kernel {version}: use {}", known.join(", ")))
    };
    versions.iter().map(find).collect()
}

/// The suite, linked statically, so that the guest needs no libraries.
fn test_binary() -> Result<PathBuf> {
    step("kernel-test: build the suite");
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--package", "ddns-linux", "--test", "netns_kernel", "--features", "tracing-rungs"]);
    cargo.args(["--no-run", "--message-format=json"]);
    cargo.args(["--target", "x86_64-unknown-linux-gnu", "--target-dir"]).arg(root().join("target/kernel-test/build"));
    cargo.env("RUSTFLAGS", "-Ctarget-feature=+crt-static").current_dir(root()).stdout(Stdio::piped());
    let output = cargo.spawn().context("cargo")?.wait_with_output()?;
    ensure!(output.status.success(), "the suite did not build");
    let messages = output.stdout.split(|octet| *octet == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let mut executables =
        messages.filter_map(|message: serde_json::Value| message["executable"].as_str().map(PathBuf::from));
    executables.next_back().context("cargo named no executable")
}

/// A kernel with the suite as its only program.
struct Guest {
    version: &'static str,
    image: PathBuf,
    initramfs: PathBuf,
}

impl Guest {
    /// Boots it, and reads what it prints.
    fn boot(&self) -> Result<Outcome> {
        let began = Instant::now();
        // One processor: the kernel patches its own code when a program is attached, and an emulator with several was seen to
        // run into what another one was about to patch.
        let mut qemu = Command::new("timeout")
            .args([SECONDS, "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "max"])
            .args(["-smp", "1", "-m", "1024", "-nodefaults", "-no-user-config", "-display", "none", "-nic", "none"])
            .args([
                "-serial",
                "stdio",
                "-no-reboot",
                "-append",
                "console=ttyS0 panic=-1 quiet loglevel=3 mitigations=off",
            ])
            .arg("-kernel")
            .arg(&self.image)
            .arg("-initrd")
            .arg(&self.initramfs)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("qemu-system-x86_64")?;
        let console = BufReader::new(qemu.stdout.take().context("the guest's console")?);
        let mut outcome = Outcome { release: String::new(), passed: 0, failed: 0, seconds: 0 };
        let mut ended = None;
        for line in console.split(b'\n') {
            let line = String::from_utf8_lossy(&line?).trim_end().to_owned();
            println!("{:>5}  {line}", self.version);
            if let Some(release) = line.strip_prefix("@@BEGIN ") {
                release.clone_into(&mut outcome.release);
            } else if let Some(code) = line.strip_prefix("@@END ") {
                ended = code.parse::<i32>().ok();
            } else if let Some(counts) = line.strip_prefix("test result: ") {
                outcome.passed += crate::test::count(counts, " passed");
                outcome.failed += crate::test::count(counts, " failed");
            }
        }
        let status = qemu.wait()?;
        outcome.seconds = began.elapsed().as_secs();
        match ended {
            Some(0) => ensure!(outcome.passed > 0, "no test ran"),
            Some(_) => outcome.failed = outcome.failed.max(1),
            None => bail!("the guest did not come to its end ({status})"),
        }
        Ok(outcome)
    }
}
