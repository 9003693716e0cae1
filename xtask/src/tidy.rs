//! What can be checked of the project's shape.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{observability, reliability, root, step};

/// Which crate may depend on which of ours, in its code (tests and examples may use the testbed).
const EDGES: &[(&str, &[&str])] = &[
    ("ddns-core", &[]),
    ("ddns-ebpf", &[]),
    ("ddns-linux", &["ddns-core", "ddns-ebpf"]),
    ("ddns-http", &["ddns-core"]),
    ("ddns-discover", &["ddns-core"]),
    ("ddns-doh", &["ddns-core"]),
    ("ddns-slots", &["ddns-core"]),
    ("ddns-store-file", &["ddns-core", "ddns-slots"]),
    ("ddns-store-sled", &["ddns-core", "ddns-slots"]),
    ("ddns-plug", &["ddns-core"]),
    ("ddns-telemetry", &["ddns-core"]),
    ("ddns-provider-cloudflare", &["ddns-core"]),
    ("ddns-provider-dyndns2", &["ddns-core"]),
    ("ddns-provider-rfc2136", &["ddns-core"]),
    (
        "ddns-daemon",
        &[
            "ddns-core",
            "ddns-discover",
            "ddns-doh",
            "ddns-http",
            "ddns-linux",
            "ddns-plug",
            "ddns-provider-cloudflare",
            "ddns-provider-dyndns2",
            "ddns-provider-rfc2136",
            "ddns-slots",
            "ddns-store-file",
            "ddns-store-sled",
            "ddns-telemetry",
        ],
    ),
    (
        "ddns-fuzz",
        &[
            "ddns-core",
            "ddns-discover",
            "ddns-doh",
            "ddns-ebpf",
            "ddns-linux",
            "ddns-plug",
            "ddns-provider-cloudflare",
            "ddns-provider-dyndns2",
            "ddns-provider-rfc2136",
            "ddns-store-file",
            "ddns-store-sled",
        ],
    ),
    ("ddns-testbed", &[]),
    ("xtask", &[]),
];

/// All that the crates may use which are not trusted with the system: nothing here can open a socket, a file or a task.
const CAPABILITIES: &[(&str, &[&str])] = &[
    (
        "ddns-core",
        &["async-trait", "futures-util", "http", "secrecy", "serde", "serde_json", "strsim", "thiserror", "tokio"],
    ),
    ("ddns-doh", &["async-trait", "ddns-core", "futures-util", "hickory-proto"]),
    ("ddns-plug", &["async-trait", "ddns-core", "percent-encoding", "ring", "secrecy", "serde_json", "thiserror"]),
    ("ddns-provider-cloudflare", &["async-trait", "ddns-core", "secrecy", "serde", "serde_json"]),
    ("ddns-provider-dyndns2", &["async-trait", "ddns-core", "percent-encoding", "secrecy"]),
    ("ddns-provider-rfc2136", &["async-trait", "data-encoding", "ddns-core", "hickory-proto"]),
];

/// What of tokio is free of the system.
const PURE_TOKIO: [&str; 2] = ["macros", "sync"];

/// File names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["mod.rs", "utils.rs", "util.rs", "common.rs", "helpers.rs", "types.rs"];

/// A file longer than this holds two ideas.
const LONGEST: usize = 500;

/// The pages with a table that ddnsd prints of itself, by the verb that prints it. The table lies between the lines
/// `<!-- begin: ddnsd VERB -->` and `<!-- end: ddnsd VERB -->`.
const TABLES: [(&str, &str); 2] = [("docs/configuration.md", "variables"), ("docs/metrics.md", "metrics")];

/// What ddnsd itself puts into the environment of a program, and the page that says so.
const GIVEN: (&str, [&str; 5]) =
    ("docs/wireguard.md", ["DDNS_RECORD", "DDNS_TYPE", "DDNS_ADDRESS", "DDNS_ADDRESS_BEFORE", "DDNS_SOURCE"]);

/// Runs every check and reports all that they find.
pub fn run(write: bool) -> Result<()> {
    step("tidy: the project's shape");
    let metadata = metadata()?;
    let mut found = Vec::new();
    edges(&metadata, &mut found)?;
    files(&mut found)?;
    reasons(&mut found)?;
    for (page, verb) in TABLES {
        generated(page, verb, write, &mut found)?;
    }
    let variables = printed("variables")?;
    mentions(&variables, &mut found)?;
    defaults(&variables, &mut found)?;
    reliability::check(&kept_files()?, &mut found)?;
    observability::check(&mut found)?;
    ensure!(found.is_empty(), "tidy: {} finding(s)\n  {}", found.len(), found.join("\n  "));
    println!("tidy: in order");
    Ok(())
}

/// What cargo knows of the workspace.
pub fn metadata() -> Result<Value> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the output of cargo metadata")
}

fn edges(metadata: &Value, found: &mut Vec<String>) -> Result<()> {
    let packages = metadata["packages"].as_array().context("packages")?;
    let table: BTreeMap<_, _> = EDGES.iter().copied().collect();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(allowed) = table.get(name) else {
            found.push(format!("{name}: not in the table of allowed dependencies (xtask/src/tidy.rs)"));
            continue;
        };
        let capabilities = CAPABILITIES.iter().find(|(untrusted, _)| *untrusted == name).map(|(_, list)| *list);
        for dependency in package["dependencies"].as_array().context("dependencies")? {
            let on = dependency["name"].as_str().unwrap_or_default();
            if dependency["kind"] == "dev" {
                continue;
            }
            let ours = table.contains_key(on);
            if (ours && !allowed.contains(&on)) || capabilities.is_some_and(|list| !list.contains(&on)) {
                found.push(format!("{name} -> {on}: not an allowed dependency"));
            }
            let features = dependency["features"].as_array().context("features")?;
            let impure = |feature: &Value| !PURE_TOKIO.iter().any(|pure| feature == pure);
            if capabilities.is_some() && on == "tokio" && features.iter().any(impure) {
                found.push(format!("{name}: tokio with {features:?}, of which only {PURE_TOKIO:?} are pure"));
            }
        }
    }
    Ok(())
}

/// The files that git keeps, or would keep.
fn kept_files() -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .context("git ls-files")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout)?;
    Ok(listed.lines().filter(|path| root().join(path).is_file()).map(ToOwned::to_owned).collect())
}

fn files(found: &mut Vec<String>) -> Result<()> {
    for path in kept_files()?.iter().filter(|path| path.ends_with(".rs")) {
        let name = path.rsplit('/').next().unwrap_or_default();
        if EMPTY_NAMES.contains(&name) {
            found.push(format!("{path}: the name says nothing"));
        }
        let text = fs::read_to_string(root().join(path))?;
        let lines = text.lines().count();
        if lines > LONGEST {
            found.push(format!("{path}: {lines} lines; look for the second idea"));
        }
        if path != "xtask/src/tidy.rs" {
            for word in ["todo!(", "unimplemented!(", "#[ignore", "FIXME"] {
                if text.contains(word) {
                    found.push(format!("{path}: unfinished: {word}"));
                }
            }
        }
    }
    Ok(())
}

/// Every outside dependency says in one line why it is there.
fn reasons(found: &mut Vec<String>) -> Result<()> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let table = manifest.split("[workspace.dependencies]").nth(1).context("[workspace.dependencies]")?;
    let lines = table.lines().take_while(|line| !line.starts_with('['));
    for line in lines.filter(|line| line.contains('=') && !line.starts_with('#') && !line.contains("path =")) {
        if !line.contains('#') {
            found.push(format!("Cargo.toml: no reason given: {line}"));
        }
    }
    Ok(())
}

/// What ddnsd prints of itself.
fn printed(verb: &str) -> Result<String> {
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--package", "ddns-daemon", "--bin", "ddnsd", "--", verb])
        .current_dir(root())
        .output()
        .with_context(|| format!("ddnsd {verb}"))?;
    ensure!(output.status.success(), "ddnsd {verb}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// A page with a table that is generated holds that table as it is.
fn generated(page: &str, verb: &str, write: bool, found: &mut Vec<String>) -> Result<()> {
    let (path, table) = (root().join(page), printed(verb)?);
    let text = fs::read_to_string(&path).with_context(|| page.to_owned())?;
    let [begin, end] = ["begin", "end"].map(|which| format!("<!-- {which}: ddnsd {verb} -->"));
    let Some((before, rest)) = text.split_once(&begin) else { bail!("{page} lacks {begin}") };
    let Some((_, after)) = rest.split_once(&end) else { bail!("{page} lacks {end}") };
    let fresh = format!("{before}{begin}\n{table}{end}{after}");
    if text == fresh {
        return Ok(());
    }
    if write {
        fs::write(&path, fresh)?;
        println!("tidy: {page} brought up to date");
    } else {
        found.push(format!("{page} differs from `ddnsd {verb}`: run `cargo xtask tidy --write`"));
    }
    Ok(())
}

/// Every variable that a document or a deployment file names exists.
fn mentions(variables: &str, found: &mut Vec<String>) -> Result<()> {
    let known: BTreeSet<String> = names(variables).collect();
    let is_known = |name: &str| {
        let alone = name.strip_suffix("_FILE").unwrap_or(name);
        let grouped = |name: &str| ungrouped(name).iter().any(|name| known.contains(name));
        [name, alone].into_iter().any(|name| known.contains(name) || grouped(name))
    };
    let documents = |path: &&String| path.ends_with(".md") || path.starts_with("deploy/");
    for path in kept_files()?.iter().filter(documents) {
        let text = fs::read_to_string(root().join(path))?;
        let given = |name: &String| *path == GIVEN.0 && GIVEN.1.contains(&name.as_str());
        for name in names(&text).filter(|name| !is_known(name) && !given(name)) {
            found.push(format!("{path}: there is no variable {name}"));
        }
    }
    Ok(())
}

/// The file that is installed names every variable, so that nobody has to look for one; what of it exists, `mentions` knows.
fn defaults(variables: &str, found: &mut Vec<String>) -> Result<()> {
    const FILE: &str = "deploy/systemd/ddnsd.default";
    let text = fs::read_to_string(root().join(FILE))?;
    let example = |name: &str| name.replace("<N>", "1").replace("<NAME>", "OTHER");
    let offered: BTreeSet<&str> =
        text.lines().filter_map(|line| line.trim_start_matches('#').split_once('=').map(|(name, _)| name)).collect();
    for row in variables.lines().filter_map(|line| line.strip_prefix("| `")) {
        let name = example(row.split('`').next().unwrap_or_default());
        // What has no place in a file that some may read stands there as the file that holds it.
        if !offered.contains(name.as_str()) && !offered.contains(format!("{name}_FILE").as_str()) {
            found.push(format!("{FILE} lacks {name}"));
        }
    }
    Ok(())
}

/// The names in a text that look like our variables; a name that ends in `_` is a pattern of several.
fn names(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || "_<>".contains(c)));
    words.filter(|word| word.starts_with("DDNS_") && !word.ends_with('_')).map(ToOwned::to_owned)
}

/// The names under which a variable that stands in a group may be documented.
fn ungrouped(name: &str) -> Vec<String> {
    let after = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.split_once('_'));
    match (after("DDNS_RECORD_"), after("DDNS_PROVIDER_")) {
        (Some((_, rest)), _) => vec![format!("DDNS_RECORD_<N>_{rest}")],
        (None, Some((_, rest))) => ["PROVIDER", "RFC2136"].map(|of| format!("DDNS_{of}_{rest}")).into(),
        (None, None) => Vec::new(),
    }
}
