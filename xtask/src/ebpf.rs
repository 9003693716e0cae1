//! Builds the eBPF object with whichever compiler this machine has.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::{root, run_command};

/// What builds the eBPF programs. All of it moves together: bpf-linker reads the bitcode of a rustc whose LLVM is not
/// newer than its own.
pub struct Pins {
    /// The rustup toolchain, with the component `rust-src`, where Debian's compiler is not used.
    pub nightly: &'static str,
    /// The major version of LLVM, in rustc and in bpf-linker.
    pub llvm: &'static str,
    /// The Debian packages that hold this LLVM.
    pub llvm_packages: &'static [&'static str],
    /// The Debian package that holds its command-line tools.
    pub llvm_tools: &'static [&'static str],
    /// Where they put it.
    pub llvm_prefix: &'static str,
    /// The version of bpf-linker.
    pub linker: &'static str,
    /// The features of bpf-linker that choose this LLVM.
    pub linker_features: &'static [&'static str],
}

/// The versions that were seen to work together.
pub const PINS: Pins = Pins {
    nightly: "nightly-2026-05-20",
    llvm: "22",
    llvm_packages: &["llvm-22-dev", "libclang-22-dev"],
    llvm_tools: &["llvm-22"],
    llvm_prefix: "/usr/lib/llvm-22",
    linker: "0.13.0",
    linker_features: &["llvm-22"],
};

/// Debian's packages `rustc-web` and `rust-web-src` install here, beside any rustup.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

const TARGET: &str = "bpfel-unknown-none";

/// bpf-linker makes BTF out of the debug information. It is told to write memory in place: its own order calls `memset`
/// with a pointer into the ring, which the verifier refuses to a process that has `CAP_BPF` and not `CAP_PERFMON`.
const RUSTFLAGS: &str = "-Cdebuginfo=2 -Clink-arg=--btf -Clink-arg=--disable-expand-memcpy-in-order";

/// A compiler that has the source of its standard library, since the BPF target comes without one.
pub enum Compiler {
    /// Debian's, driven by whichever cargo runs this.
    Debian,
    /// The pinned nightly of rustup.
    Rustup,
}

impl Compiler {
    /// The first that is complete.
    pub fn find() -> Option<Self> {
        let rustup = || {
            let mut rustc = Command::new("rustup");
            rustc.args(["run", PINS.nightly, "rustc"]);
            rustc
        };
        if complete(|| Command::new(DEBIAN_RUSTC)) {
            Some(Self::Debian)
        } else if complete(rustup) {
            Some(Self::Rustup)
        } else {
            None
        }
    }

    fn cargo(&self) -> Command {
        let mut cargo = match self {
            Self::Debian => outer_cargo(),
            Self::Rustup => Command::new("rustup"),
        };
        forget_outer_cargo(&mut cargo);
        match self {
            Self::Debian => {
                // Lets a stable compiler build its own `core`, and lock-file versions fit the older of the two.
                cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
                cargo.env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback");
            }
            Self::Rustup => {
                cargo.args(["run", PINS.nightly, "cargo"]);
            }
        }
        cargo
    }

    fn describe(&self) -> String {
        match self {
            Self::Debian => DEBIAN_RUSTC.to_owned(),
            Self::Rustup => format!("rustup's {}", PINS.nightly),
        }
    }
}

/// Builds `target/bpf/ddns-ebpf.o`; quick when nothing changed.
pub fn run() -> Result<()> {
    let compiler = Compiler::find().with_context(|| {
        format!("no compiler for eBPF with LLVM {} and the source of its library: run `cargo xtask setup`", PINS.llvm)
    })?;
    let linker = linker().context("no bpf-linker that runs: run `cargo xtask setup`")?;
    let target = root().join("target/bpf");
    println!("ebpf: building with {} and {} (the first time takes a minute)", compiler.describe(), linker.display());
    let status = compiler
        .cargo()
        .current_dir(root())
        .args(["build", "--package", "ddns-ebpf", "--bin", "ddns-ebpf", "--features", "bpf", "--release", "--locked"])
        .args(["-Z", "build-std=core", "--target", TARGET, "--target-dir"])
        .arg(&target)
        .env("CARGO_PROFILE_RELEASE_STRIP", "none")
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_RUSTFLAGS", format!("{RUSTFLAGS} {}", nameless(&target)?.join(" ")))
        .env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", linker)
        .status()
        .context("cargo does not start")?;
    ensure!(status.success(), "the eBPF programs did not build ({status})");
    let object = target.join("ddns-ebpf.o");
    publish(&without_debug(&target.join(TARGET).join("release/ddns-ebpf"))?, &object)?;
    println!("ebpf: {}", object.display());
    Ok(())
}

/// Flags that keep the paths of this machine out of what is built: the same source gives the same octets anywhere.
pub fn nameless(target: &Path) -> Result<Vec<String>> {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    // The last that fits wins.
    let places = [(root(), "/ddns"), (cargo.context("no home directory")?, "/cargo"), (target.to_owned(), "/target")];
    Ok(places.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect())
}

/// The object without DWARF, which is most of it and which no kernel reads; BTF stays. Where this LLVM has no tool for
/// that, the object as it is.
fn without_debug(built: &Path) -> Result<PathBuf> {
    let stripped = built.with_extension("stripped");
    let tool = Path::new(PINS.llvm_prefix).join("bin/llvm-objcopy");
    if !tool.exists() {
        println!("ebpf: no {}: the object keeps its DWARF and is larger than it has to be", tool.display());
        return Ok(built.to_owned());
    }
    run_command(Command::new(tool).arg("--strip-debug").arg(built).arg(&stripped))?;
    Ok(stripped)
}

/// Puts the object where ddns-linux looks, untouched if it is the same, so that nothing is built again for it.
fn publish(built: &Path, object: &Path) -> Result<()> {
    let new = fs::read(built).with_context(|| format!("cannot read {}", built.display()))?;
    if !new.starts_with(b"\x7fELF") {
        bail!("{} is not an ELF object", built.display());
    }
    if fs::read(object).is_ok_and(|old| old == new) {
        return Ok(());
    }
    fs::write(object, new).with_context(|| format!("cannot write {}", object.display()))
}

/// bpf-linker from `cargo xtask setup`, else from PATH; `None` if neither runs.
pub fn linker() -> Option<PathBuf> {
    [root().join("target/tools/bin/bpf-linker"), "bpf-linker".into()].into_iter().find(|linker| {
        let version = Command::new(linker).arg("--version").stderr(Stdio::null()).output();
        version.is_ok_and(|version| version.status.success())
    })
}

/// The cargo that runs this, without what it set for its own compiler.
pub fn outer_cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_outer_cargo(&mut cargo);
    cargo
}

/// Whether this rustc fits the pins and finds the source of `core`.
fn complete(rustc: impl Fn() -> Command) -> bool {
    let say = |arguments: &[&str]| {
        let mut rustc = rustc();
        forget_outer_cargo(&mut rustc);
        let output = rustc.args(arguments).env("RUSTUP_AUTO_INSTALL", "0").stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let fits = say(&["--version", "--verbose"])
        .is_some_and(|version| version.contains(&format!("LLVM version: {}.", PINS.llvm)));
    let source = say(&["--print", "sysroot"])
        .is_some_and(|sysroot| Path::new(&sysroot).join("lib/rustlib/src/rust/library/core/Cargo.toml").exists());
    fits && source
}

/// Removes what the cargo around this command set for its own compiler. Settings of network, registries and terminal
/// stay.
fn forget_outer_cargo(command: &mut Command) {
    const KEPT: [&str; 8] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
        "CARGO_INCREMENTAL",
    ];
    const OTHERS: [&str; 6] = ["CARGO", "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTDOC", "RUSTFLAGS"];
    let left_over = |name: &OsString| {
        name.to_str().is_some_and(|name| {
            OTHERS.contains(&name) || name.starts_with("CARGO_") && !KEPT.iter().any(|kept| name.starts_with(kept))
        })
    };
    for name in env::vars_os().map(|(name, _)| name).filter(left_over) {
        command.env_remove(name);
    }
}
