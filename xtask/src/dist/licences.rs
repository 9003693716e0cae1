//! The licences of all that the binaries hold, each text once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::inventory::{self, text};
use crate::root;

/// How the names of files with a licence begin.
const NAMES: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];

/// Writes who made what under which licence, then every text with the names of those that it holds for.
pub fn write(path: &Path) -> Result<()> {
    let mut list = String::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in inventory::crates()?.iter().filter(|package| !package["source"].is_null()) {
        let name = format!("{} {}", text(package, "name"), text(package, "version"));
        let licence = text(package, "license");
        writeln!(list, "{name}: {licence}")?;
        let mut found = files(package)?;
        if found.is_empty() {
            // The texts of these two are the same wherever they stand, but for the line that names the owner.
            for (word, file) in [("Apache-2.0", "LICENSE-APACHE"), ("MIT", "LICENSE-MIT")] {
                if licence.contains(word) {
                    found.push(fs::read_to_string(root().join(file))?);
                    break;
                }
            }
        }
        if found.is_empty() {
            bail!("{name} comes without the text of its licence, {licence}");
        }
        found.into_iter().for_each(|text| texts.entry(text).or_default().push(name.clone()));
    }
    for (package, licence) in inventory::LINKED {
        let name = format!("{package} {} (in the static binary)", inventory::debian_version(package)?);
        writeln!(list, "{name}: {licence}")?;
        let file = fs::canonicalize(format!("/usr/share/doc/{package}/copyright"))?;
        texts.entry(fs::read_to_string(file)?).or_default().push(name);
    }
    let name = format!("the standard library of {}", compiler()?);
    writeln!(list, "{name}: MIT OR Apache-2.0")?;
    texts.entry(fs::read_to_string(root().join("LICENSE-APACHE"))?).or_default().push(name);

    let mut all = format!("What the binaries of ddnsd hold that others made, and under which licence.\n\n{list}");
    for (text, names) in &texts {
        write!(all, "\n{}\n{}\n\n{}\n", "=".repeat(80), names.join(", "), text.trim_end())?;
    }
    fs::write(path, all).with_context(|| path.display().to_string())
}

fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("--version").current_dir(root()).output()?;
    ensure!(output.status.success(), "rustc --version failed");
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// The licence texts in a crate, with line ends alike.
fn files(package: &Value) -> Result<Vec<String>> {
    let directory = Path::new(text(package, "manifest_path")).parent().context("a crate lies in a directory")?;
    let mut paths: Vec<_> = fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    let named = |path: &&std::path::PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        path.is_file() && NAMES.iter().any(|start| name.starts_with(start)) && !name.ends_with(".rs")
    };
    let read = |path: &std::path::PathBuf| Ok(fs::read_to_string(path)?.replace('\r', ""));
    paths.iter().filter(named).map(read).collect()
}

/// The file `copyright` of the Debian package: our own licence, then theirs.
pub fn copyright(third_party: &Path) -> Result<String> {
    let mut all = String::from("ddnsd: MIT OR Apache-2.0, at your option.\n");
    for file in ["LICENSE-MIT", "LICENSE-APACHE"] {
        write!(all, "\n{}", fs::read_to_string(root().join(file))?)?;
    }
    write!(all, "\n{}", fs::read_to_string(third_party)?)?;
    Ok(all)
}
