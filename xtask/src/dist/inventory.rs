//! What ddnsd is made of, as CycloneDX 1.5 in JSON.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Release;
use crate::{root, run_command};

/// What a static binary holds that no crate is: the Debian package that it comes from, and its licence.
pub const LINKED: [(&str, &str); 2] =
    [("libc6-dev", "LGPL-2.1-or-later"), ("libgcc-12-dev", "GPL-3.0-or-later WITH GCC-exception-3.1")];

/// The crates that ddnsd is made of, its own among them, as cargo describes them, in the order of their names.
pub fn crates() -> Result<Vec<Value>> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let tree = said(
        Command::new("cargo")
            .args(["tree", "--locked", "--package", "ddns-daemon", "--edges", "normal", "--target", &target])
            .args(["--prefix", "none", "--format", "{p}"]),
    )?;
    let used: BTreeSet<String> = tree.lines().filter_map(name_and_version).collect();
    let metadata = said(Command::new("cargo").args(["metadata", "--locked", "--format-version", "1"]))?;
    let mut metadata: Value = serde_json::from_str(&metadata)?;
    let packages = metadata["packages"].as_array_mut().context("packages")?;
    packages.retain(|package| used.contains(&format!("{} {}", text(package, "name"), text(package, "version"))));
    packages.sort_by_key(|package| (text(package, "name").to_owned(), text(package, "version").to_owned()));
    ensure!(
        packages.len() == used.len(),
        "cargo tree and cargo metadata disagree: {} and {}",
        used.len(),
        packages.len()
    );
    Ok(std::mem::take(packages))
}

/// Of `name v1.2.3`, after which a path or a remark may follow.
fn name_and_version(line: &str) -> Option<String> {
    let mut words = line.split(' ');
    Some(format!("{} {}", words.next()?, words.next()?.strip_prefix('v')?))
}

/// A text of a JSON object, or nothing.
pub fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_default()
}

/// The version of a Debian package.
pub fn debian_version(package: &str) -> Result<String> {
    said(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]))
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.current_dir(root()).output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Writes the inventory of this release.
pub fn write(release: &Release, path: &Path) -> Result<()> {
    let crates = crates()?;
    let checksums = fs::read_to_string(root().join("Cargo.lock"))?;
    let mut components: Vec<Value> = crates.iter().map(|package| component(package, &checksums)).collect();
    for (package, licence) in LINKED {
        let version = debian_version(package)?;
        let link = format!("pkg:deb/debian/{package}@{version}");
        components.push(json!({
            "type": "library", "bom-ref": link, "name": package, "version": version, "purl": link,
            "licenses": [{ "expression": licence }],
        }));
    }
    let seconds = release.epoch.parse::<i64>().context("SOURCE_DATE_EPOCH")?;
    let moment = said(Command::new("date").args(["--utc", "+%Y-%m-%dT%H:%M:%SZ", "--date", &format!("@{seconds}")]))?;
    let document = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "timestamp": moment.trim_end(),
            "component": {
                "type": "application", "bom-ref": "ddnsd", "name": "ddnsd", "version": release.version,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        },
        "components": components,
    });
    fs::write(path, serde_json::to_string_pretty(&document)? + "\n")?;
    println!("dist: {} components", components.len());
    Ok(())
}

fn component(package: &Value, lock: &str) -> Value {
    let (name, version) = (text(package, "name"), text(package, "version"));
    let link = format!("pkg:cargo/{name}@{version}");
    let mut component = json!({
        "type": "library", "bom-ref": link, "name": name, "version": version, "purl": link,
        "description": text(package, "description"),
        // Some crates write a slash where SPDX has OR.
        "licenses": [{ "expression": text(package, "license").replace('/', " OR ").replace("  ", " ") }],
    });
    if let Some(sum) = checksum(lock, name, version) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    component
}

/// The checksum of a crate in Cargo.lock; what is ours has none.
fn checksum<'a>(lock: &'a str, name: &str, version: &str) -> Option<&'a str> {
    let entry = lock.split("[[package]]").find(|entry| {
        entry.contains(&format!("\nname = \"{name}\"\n")) && entry.contains(&format!("\nversion = \"{version}\"\n"))
    })?;
    entry.lines().find_map(|line| line.strip_prefix("checksum = \"")?.strip_suffix('"'))
}

/// Holds the inventory against the schema of CycloneDX.
pub fn validate(release: &Release) -> Result<()> {
    const CHECK: &str = "
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
wrong = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read())
sys.exit(str(wrong) if wrong else 0)
";
    let python = root().join("target/python/bin/python3");
    run_command(Command::new(python).args(["-IBc", CHECK]).arg(release.inventory()))
}
