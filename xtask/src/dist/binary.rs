//! Builds ddnsd as it is handed out.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{ebpf, root, run_command, step};

/// The largest that a stripped binary may get: a little above what it has, so that growth is noticed.
const LARGEST: u64 = 9_600_000;

/// Where the C library comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Linkage {
    /// From the host, which looks names up as the host does: for the package.
    Shared,
    /// Out of the binary, which then runs anywhere: for tarball and image.
    Static,
}

impl Linkage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Static => "static",
        }
    }

    /// The binary, once it is built.
    pub fn place(self) -> PathBuf {
        root().join("target/dist-work").join(self.as_str()).join("ddnsd")
    }
}

/// What Debian calls this machine's architecture.
pub fn debian_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Builds it and checks its size.
pub fn build(linkage: Linkage) -> Result<PathBuf> {
    let built = build_in(linkage, &root().join("target/dist-build"))?;
    let place = linkage.place();
    fs::create_dir_all(place.parent().context("the place has a directory")?)?;
    fs::copy(built, &place)?;
    let size = fs::metadata(&place)?.len();
    ensure!(size <= LARGEST, "{} has {size} octets, and {LARGEST} are the most", place.display());
    Ok(place)
}

/// Builds it in this target directory. No path of this machine gets into the binary.
fn build_in(linkage: Linkage, target: &Path) -> Result<PathBuf> {
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut cargo = ebpf::outer_cargo();
    cargo.current_dir(root()).args([
        "build",
        "--profile",
        "dist",
        "--locked",
        "--package",
        "ddns-daemon",
        "--bin",
        "ddnsd",
    ]);
    // Named though it is the host's, so that the flags hold for ddnsd alone, and not for build scripts.
    cargo
        .args(["--target", &triple, "--target-dir"])
        .arg(target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(linkage, target)?);
    run_command(&mut cargo)?;
    Ok(target.join(triple).join("dist/ddnsd"))
}

fn flags(linkage: Linkage, target: &Path) -> Result<String> {
    let mut flags = ebpf::nameless(target)?;
    if linkage == Linkage::Static {
        flags.push("-Ctarget-feature=+crt-static".to_owned());
        // Nothing can be looked for by name in a static binary: getrandom would miss the call of its own name and open
        // /dev/urandom, which the sandbox refuses and a container may lack.
        flags.push(r#"--cfg=getrandom_backend="linux_getrandom""#.to_owned());
    }
    Ok(flags.join("\x1f"))
}

/// Builds it twice and compares.
pub fn check_reproducible() -> Result<()> {
    let mut built = Vec::new();
    for place in ["target/reproduced-here", "target/reproduced/there"] {
        step(&format!("dist: build in {place}"));
        let target = root().join(place);
        if target.exists() {
            fs::remove_dir_all(&target)?;
        }
        built.push(fs::read(build_in(Linkage::Static, &target)?)?);
    }
    ensure!(built[0] == built[1], "two builds of the same source differ");
    println!("dist: both builds are the same, octet by octet");
    Ok(())
}
