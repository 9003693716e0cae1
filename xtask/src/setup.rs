//! Installs what this machine lacks: each component once, with the reason.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::coverage;
use crate::ebpf::{self, Compiler, PINS};
use crate::{is_root, root, step, tool};

/// Options of `cargo xtask setup`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only say what is missing; fails if anything is
    #[arg(long)]
    check: bool,
    /// What it is for; each needs what those before it need
    #[arg(long = "for", value_enum, default_value = "ci")]
    purpose: Purpose,
}

/// What the components are for; demo, test and ci also need what those before them need.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Purpose {
    /// `cargo xtask demo`
    Demo,
    /// `cargo xtask test`
    Test,
    /// `cargo xtask kernel-test`
    Kernels,
    /// `cargo xtask ci`
    Ci,
    /// `cargo xtask coverage`, alone: no other verb needs what it needs
    Coverage,
}

impl Purpose {
    /// Whether what is there for another purpose is needed for this one.
    fn needs(self, other: Self) -> bool {
        match self {
            Self::Demo | Self::Test | Self::Kernels | Self::Ci => other <= self,
            Self::Coverage => other == self,
        }
    }
}

/// Something that a verb of xtask needs.
struct Component {
    name: &'static str,
    purpose: Purpose,
    why: &'static str,
    present: fn() -> bool,
    install: Install,
}

/// Where a component comes from.
enum Install {
    /// Debian packages, for which root is needed.
    Debian(&'static [&'static str]),
    /// A Debian package whose own service never starts.
    Asleep { package: &'static str, service: &'static str },
    /// A crate with a binary, into `target/tools`.
    Cargo { package: &'static str, version: &'static str, features: &'static [&'static str] },
    /// Packages from PyPI, into `target/python`; the file pins them.
    Python { pins: &'static str },
    /// Packages from npm, into `target/npm`; the directory's lockfile pins them.
    Npm { lockfile: &'static str },
}

/// What pip installs for the tests against Cloudflare's own client.
const OFFICIAL_CLIENT: &str = "testbed/tests/support/official_client.txt";
/// What pip installs for the tests of OTLP.
const COLLECTOR: &str = "testbed/tests/support/collector.txt";

/// What npm installs for the types of the dashboards.
const DASHBOARD_TYPES: &str = "dashboards/schema/package-lock.json";

/// In the order of installation: bpf-linker is linked with the packages above it.
const COMPONENTS: [Component; 28] = [
    Component {
        name: "C compiler",
        purpose: Purpose::Demo,
        why: "links every Rust program and compiles ring",
        present: || runs("cc", "--version"),
        install: Install::Debian(&["gcc", "libc6-dev"]),
    },
    Component {
        name: "eBPF compiler",
        purpose: Purpose::Demo,
        why: "compiles the kernel side: a rustc with the source of its library",
        present: || Compiler::find().is_some(),
        install: Install::Debian(&["rustc-web", "rust-web-src"]),
    },
    Component {
        name: "LLVM",
        purpose: Purpose::Demo,
        why: "bpf-linker is linked with it",
        present: || ebpf::linker().is_some() || Path::new(PINS.llvm_prefix).join("bin/llvm-config").exists(),
        install: Install::Debian(PINS.llvm_packages),
    },
    Component {
        name: "bpf-linker",
        purpose: Purpose::Demo,
        why: "links the eBPF object",
        present: || ebpf::linker().is_some(),
        install: Install::Cargo { package: "bpf-linker", version: PINS.linker, features: PINS.linker_features },
    },
    Component {
        name: "iproute2",
        purpose: Purpose::Demo,
        why: "tests and demo change addresses in network namespaces; tests make lines slow",
        present: || runs("ip", "-V") && runs("tc", "-V"),
        install: Install::Debian(&["iproute2"]),
    },
    Component {
        name: "BIND 9",
        purpose: Purpose::Demo,
        why: "tests and demo ask a real name server; tests have it check our zone files",
        present: || runs("named", "-v") && runs("named-checkzone", "-v"),
        install: Install::Debian(&["bind9", "bind9-utils"]),
    },
    Component {
        name: "BIND 9 tools",
        purpose: Purpose::Test,
        why: "tests hold our DNS messages against dig and nsupdate",
        present: || runs("dig", "-v") && runs("nsupdate", "-V"),
        install: Install::Debian(&["bind9-dnsutils"]),
    },
    Component {
        name: "Knot DNS",
        purpose: Purpose::Test,
        why: "tests send updates to a second real name server",
        present: || runs("knotd", "--version"),
        install: Install::Debian(&["knot"]),
    },
    Component {
        name: "radvd",
        purpose: Purpose::Test,
        why: "tests let a real router advertise prefixes",
        present: || Path::new("/usr/sbin/radvd").exists(),
        install: Install::Debian(&["radvd"]),
    },
    Component {
        name: "nftables",
        purpose: Purpose::Test,
        why: "tests put hosts behind NAT",
        present: || runs("nft", "--version"),
        install: Install::Debian(&["nftables"]),
    },
    Component {
        name: "miniupnpd",
        purpose: Purpose::Test,
        why: "tests ask a real router: PCP, NAT-PMP, UPnP; this package has no service",
        present: || runs("miniupnpd", "--version"),
        install: Install::Debian(&["miniupnpd-nftables"]),
    },
    Component {
        name: "coturn",
        purpose: Purpose::Test,
        why: "tests ask a real STUN server",
        present: || Path::new("/usr/bin/turnserver").exists(),
        install: Install::Asleep { package: "coturn", service: "coturn.service" },
    },
    Component {
        name: "faketime",
        purpose: Purpose::Test,
        why: "tests start ddnsd in 1970 and set its clock later",
        present: || runs("faketime", "--version"),
        install: Install::Debian(&["faketime"]),
    },
    Component {
        name: "btrfs tools",
        purpose: Purpose::Test,
        why: "power cuts of the store: a disk in a file that can be reflinked",
        present: || runs("mkfs.btrfs", "--version"),
        install: Install::Debian(&["btrfs-progs"]),
    },
    Component {
        name: "ext4 tools",
        purpose: Purpose::Test,
        why: "the file system on that disk",
        present: || runs("mkfs.ext4", "-V"),
        install: Install::Debian(&["e2fsprogs"]),
    },
    Component {
        name: "strace",
        purpose: Purpose::Test,
        why: "makes the kernel answer EIO to the store",
        present: || runs("strace", "-V"),
        install: Install::Debian(&["strace"]),
    },
    Component {
        name: "WireGuard",
        purpose: Purpose::Test,
        why: "tests let the peers of a real tunnel come back after a change",
        present: || runs("wireguard-go", "--version") && runs("wg", "--version"),
        install: Install::Debian(&["wireguard-go", "wireguard-tools"]),
    },
    Component {
        name: "Python",
        purpose: Purpose::Test,
        why: "runs Cloudflare's own client, and brings the collector",
        present: || runs("python3", "-m venv --help") && runs("python3", "-m ensurepip --version"),
        install: Install::Debian(&["python3-venv"]),
    },
    Component {
        name: "pip cloudflare",
        purpose: Purpose::Test,
        why: "tests hold the double of Cloudflare's API against it",
        present: || pinned(OFFICIAL_CLIENT).is_ok(),
        install: Install::Python { pins: OFFICIAL_CLIENT },
    },
    Component {
        name: "pip rotel",
        purpose: Purpose::Test,
        why: "a real OpenTelemetry collector: tests export metrics and traces to it",
        present: || pinned(COLLECTOR).is_ok(),
        install: Install::Python { pins: COLLECTOR },
    },
    Component {
        name: "Prometheus",
        purpose: Purpose::Test,
        why: "a real one scrapes ddnsd and runs every query of the dashboards and alerts; promtool",
        present: || runs("prometheus", "--version") && runs("promtool", "--version"),
        install: Install::Asleep { package: "prometheus", service: "prometheus.service" },
    },
    Component {
        name: "Node.js",
        purpose: Purpose::Test,
        why: "runs the compiler that type-checks the dashboards",
        present: || runs("node", "--version") && runs("npm", "--version"),
        install: Install::Debian(&["nodejs", "npm"]),
    },
    Component {
        name: "Grafana's types",
        purpose: Purpose::Test,
        why: "tests hold the dashboards against @grafana/schema, by TypeScript",
        present: || locked(DASHBOARD_TYPES).is_ok(),
        install: Install::Npm { lockfile: DASHBOARD_TYPES },
    },
    Component {
        name: "QEMU",
        purpose: Purpose::Kernels,
        why: "boots other kernels",
        present: || runs("qemu-system-x86_64", "--version"),
        install: Install::Debian(&["qemu-system-x86"]),
    },
    Component {
        name: "guest tools",
        purpose: Purpose::Kernels,
        why: "make what those kernels boot into: busybox, cpio, kmod, xz, zstd",
        present: || {
            let tools = [("cpio", "--version"), ("modprobe", "--version"), ("xz", "--version"), ("zstd", "--version")];
            tools.into_iter().all(|(tool, version)| runs(tool, version)) && runs("/bin/busybox", "true")
        },
        install: Install::Debian(&["busybox-static", "cpio", "kmod", "xz-utils", "zstd"]),
    },
    Component {
        name: "cargo-deny",
        purpose: Purpose::Ci,
        why: "`cargo xtask ci` checks licences, advisories and sources",
        present: || tool_runs("cargo-deny") || runs("cargo-deny", "--version"),
        install: Install::Cargo { package: "cargo-deny", version: "0.20.2", features: &[] },
    },
    Component {
        name: "LLVM tools",
        purpose: Purpose::Coverage,
        why: "read what an instrumented test run has counted",
        present: || coverage::llvm_tools().iter().all(|(_, tool)| runs(tool, "--version")),
        install: Install::Debian(PINS.llvm_tools),
    },
    Component {
        name: "cargo-llvm-cov",
        purpose: Purpose::Coverage,
        why: "runs the tests instrumented and lists the lines that none reached",
        present: || runs(tool("cargo-llvm-cov"), "llvm-cov --version"),
        install: Install::Cargo { package: "cargo-llvm-cov", version: "0.9.1", features: &[] },
    },
];

/// Installs what any verb needs, or only says what is missing.
pub fn run(arguments: &Arguments) -> Result<()> {
    provide(arguments.purpose, arguments.check)
}

/// Installs what this purpose needs.
pub fn ensure(purpose: Purpose) -> Result<()> {
    step("set up what is missing");
    provide(purpose, false)
}

/// Checks every component, then installs what is missing; goes on after a failure and reports it at the end.
fn provide(purpose: Purpose, only_check: bool) -> Result<()> {
    let needed = COMPONENTS.iter().filter(|component| purpose.needs(component.purpose));
    let missing: Vec<&Component> = needed.filter(|component| !report(component)).collect();
    if missing.is_empty() {
        println!("setup: everything is here");
        return Ok(());
    }
    if only_check {
        bail!("{} missing: run `cargo xtask setup`", names(&missing));
    }
    let mut packages = Vec::new();
    for component in &missing {
        match component.install {
            Install::Debian(names) => packages.extend_from_slice(names),
            Install::Asleep { package, service } => {
                complain(mask(service));
                packages.push(package);
            }
            Install::Cargo { .. } | Install::Python { .. } | Install::Npm { .. } => {}
        }
    }
    if !packages.is_empty() {
        complain(apt(&packages));
    }
    for component in &missing {
        match component.install {
            Install::Cargo { package, version, features } if !(component.present)() => {
                complain(cargo_install(package, version, features));
            }
            Install::Python { pins } => complain(pip_install(pins)),
            Install::Npm { lockfile } => complain(npm_install(lockfile)),
            Install::Cargo { .. } | Install::Debian(_) | Install::Asleep { .. } => {}
        }
    }
    let missing: Vec<&Component> = missing.into_iter().filter(|component| !(component.present)()).collect();
    ensure!(missing.is_empty(), "{} still missing, see above", names(&missing));
    println!("setup: everything is here");
    Ok(())
}

fn report(component: &Component) -> bool {
    let present = (component.present)();
    let mark = if present { "present" } else { "missing" };
    println!("setup: {mark}  {:<14} {}", component.name, component.why);
    present
}

fn names(components: &[&Component]) -> String {
    components.iter().map(|component| component.name).collect::<Vec<_>>().join(", ")
}

fn complain(result: Result<()>) {
    if let Err(error) = result {
        eprintln!("setup: {error:#}");
    }
}

fn apt(packages: &[&str]) -> Result<()> {
    let install = format!("apt-get install --yes --no-install-recommends {}", packages.join(" "));
    ensure!(
        runs("apt-get", "--version"),
        "this is not a Debian system: install by its own means what Debian calls {}",
        packages.join(" ")
    );
    ensure!(is_root(), "not root, who has to run: apt-get update && {install}");
    println!("setup: {install}");
    for arguments in ["update --quiet", install.trim_start_matches("apt-get ")] {
        let status = Command::new("apt-get")
            .args(arguments.split(' '))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()
            .context("apt-get does not start")?;
        ensure!(status.success(), "`apt-get {arguments}` failed ({status})");
    }
    Ok(())
}

/// Masks a service before it comes, as `systemctl mask` does, also where systemd doesn't run.
fn mask(service: &str) -> Result<()> {
    let directory = Path::new("/etc/systemd/system");
    let link = directory.join(service);
    if !is_root() || link.symlink_metadata().is_ok() {
        return Ok(());
    }
    fs::create_dir_all(directory).with_context(|| format!("making {}", directory.display()))?;
    symlink("/dev/null", &link).with_context(|| format!("masking {service}"))
}

fn cargo_install(package: &str, version: &str, features: &[&str]) -> Result<()> {
    println!("setup: building {package} {version} into target/tools (a minute or two)");
    let mut cargo = ebpf::outer_cargo();
    cargo.current_dir(env::temp_dir()).args(["install", package, "--version", version, "--locked", "--root"]);
    cargo.arg(root().join("target/tools"));
    if !features.is_empty() {
        cargo.args(["--no-default-features", "--features", &features.join(",")]);
    }
    if env::var_os("LLVM_PREFIX").is_none() {
        cargo.env("LLVM_PREFIX", PINS.llvm_prefix);
    }
    let status = cargo.status().context("cargo does not start")?;
    ensure!(status.success(), "{package} did not build ({status})");
    Ok(())
}

fn python() -> PathBuf {
    root().join("target/python")
}

fn pip_install(pins: &str) -> Result<()> {
    println!("setup: installing {pins} into target/python");
    let made = Command::new("python3").args(["-m", "venv"]).arg(python()).status();
    ensure!(made.context("python3 does not start")?.success(), "no environment for Python in target/python");
    let mut pip = Command::new(python().join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(root().join(pins));
    ensure!(pip.status().context("pip does not start")?.success(), "pip could not install {pins}");
    pinned(pins)
}

/// Whether everything that the file pins is there.
fn pinned(pins: &str) -> Result<()> {
    let wanted = fs::read_to_string(root().join(pins)).with_context(|| format!("reading {pins}"))?;
    let frozen = Command::new(python().join("bin/pip")).args(["freeze", "--disable-pip-version-check"]).output()?;
    let frozen = String::from_utf8_lossy(&frozen.stdout).into_owned();
    let lacks = wanted.lines().find(|pin| !frozen.lines().any(|line| line == *pin));
    lacks.map_or(Ok(()), |pin| bail!("target/python lacks {pin}"))
}

/// Where the packages from npm lie.
pub fn npm() -> PathBuf {
    root().join("target/npm")
}

fn npm_install(lockfile: &str) -> Result<()> {
    println!("setup: installing what {lockfile} pins into target/npm");
    fs::create_dir_all(npm()).context("making target/npm")?;
    let manifest = lockfile.replace("package-lock.json", "package.json");
    for (from, to) in [(manifest.as_str(), "package.json"), (lockfile, "package-lock.json")] {
        fs::copy(root().join(from), npm().join(to)).with_context(|| format!("copying {from}"))?;
    }
    let mut ci = Command::new("npm");
    ci.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(npm());
    ensure!(ci.status().context("npm does not start")?.success(), "npm could not install {lockfile}");
    locked(lockfile)
}

/// Whether everything that the lockfile pins is there, in that version.
fn locked(lockfile: &str) -> Result<()> {
    let lock: Value = serde_json::from_str(&fs::read_to_string(root().join(lockfile))?)?;
    let packages = lock["packages"].as_object().context("packages")?;
    for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
        let there = fs::read_to_string(npm().join(path).join("package.json")).unwrap_or_default();
        let there: Value = serde_json::from_str(&there).unwrap_or_default();
        ensure!(there["version"] == package["version"], "target/npm lacks {path}");
    }
    Ok(())
}

fn tool_runs(name: &str) -> bool {
    runs(root().join("target/tools/bin").join(name), "--version")
}

/// Whether the program starts with these arguments; daemons live outside a user's PATH.
fn runs(program: impl AsRef<std::ffi::OsStr>, arguments: &str) -> bool {
    let path = env::var("PATH").unwrap_or_default();
    let status = Command::new(program)
        .args(arguments.split(' '))
        .env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
