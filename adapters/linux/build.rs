//! Embeds the eBPF object where there is one; without it the crate builds as well and says so at run time.

use std::path::{Path, PathBuf};
use std::{env, fs};

const OVERRIDE: &str = "EBPF_OBJECT";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={OVERRIDE}");
    let object = env::var_os(OVERRIDE)
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bpf/ddns-ebpf.o"), PathBuf::from);
    // Cargo takes a file that is not there for changed: the script runs again until it appears.
    println!("cargo::rerun-if-changed={}", object.display());

    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let embedded = if object.exists() {
        fs::copy(&object, out.join("ddns-ebpf.o")).expect("the eBPF object can be copied");
        r#"Some(aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/ddns-ebpf.o")))"#
    } else {
        "None"
    };
    fs::write(out.join("object.rs"), format!("static OBJECT: Option<&[u8]> = {embedded};\n"))
        .expect("OUT_DIR can be written");
}
