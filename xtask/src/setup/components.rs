use std::path::Path;

use super::{Component, Install, Purpose, locked, pinned, runs, tool_runs};
use crate::coverage;
use crate::ebpf::{self, Compiler, PINS};
use crate::tool;

/// What pip installs for the tests against Cloudflare's own client.
const OFFICIAL_CLIENT: &str = "testbed/tests/support/official_client.txt";
/// What pip installs for the tests of OTLP.
const COLLECTOR: &str = "testbed/tests/support/collector.txt";

/// What pip installs for the checks of Kubernetes' manifests and of the inventory of a release.
const SCHEMAS: &str = "testbed/tests/support/schemas.txt";
/// What npm installs for the types of the dashboards.
const DASHBOARD_TYPES: &str = "dashboards/schema/package-lock.json";

/// In the order of installation: bpf-linker is linked with the packages above it.
pub(super) const COMPONENTS: [Component; 33] = [
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
        name: "pip schemas",
        purpose: Purpose::Test,
        why: "the official schemas of Kubernetes and CycloneDX: tests hold the deployment against them",
        present: || pinned(SCHEMAS).is_ok(),
        install: Install::Python { pins: SCHEMAS },
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
        name: "cargo-deb",
        purpose: Purpose::Dist,
        why: "`cargo xtask dist` makes a Debian package",
        present: || tool_runs("cargo-deb") || runs("cargo-deb", "--version"),
        install: Install::Cargo { package: "cargo-deb", version: "3.8.0", features: &[] },
    },
    Component {
        name: "dpkg tools",
        purpose: Purpose::Dist,
        why: "say which C library the package depends on",
        present: || runs("dpkg-shlibdeps", "--version"),
        install: Install::Debian(&["dpkg-dev"]),
    },
    Component {
        name: "containers",
        purpose: Purpose::Dist,
        why: "`cargo xtask dist` builds an image, and runs it",
        present: || runs("buildah", "--version") && runs("podman", "--version") && runs("crun", "--version"),
        install: Install::Debian(&["buildah", "podman", "crun"]),
    },
    Component {
        name: "shellcheck",
        purpose: Purpose::Dist,
        why: "`cargo xtask dist` reads the scripts that install",
        present: || runs("shellcheck", "--version"),
        install: Install::Debian(&["shellcheck"]),
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
