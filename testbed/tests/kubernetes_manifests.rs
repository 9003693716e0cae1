//! The manifests of `deploy/kubernetes` are what Kubernetes takes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/manifests.py");

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kubernetes")
}

fn manifests() -> Vec<PathBuf> {
    let files = fs::read_dir(directory()).expect("deploy/kubernetes");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    // Which is read by kubectl, and no object of a cluster.
    files.retain(|file| !file.ends_with("kustomization.yaml"));
    files.sort();
    files
}

fn validate(files: &[PathBuf]) -> Output {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python3");
    let output = Command::new(python).arg("-IB").arg(SCRIPT).args(files).output();
    output.expect("the schemas are missing; `cargo xtask setup --for test` installs them")
}

fn read(name: &str) -> String {
    fs::read_to_string(directory().join(name)).expect(name)
}

#[test]
fn kubernetes_takes_every_manifest() {
    let output = validate(&manifests());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let taken = String::from_utf8_lossy(&output.stdout).into_owned();
    let taken: BTreeSet<_> = taken.lines().collect();
    let wanted = ["ConfigMap ddnsd", "DaemonSet ddnsd", "Namespace ddns", "Secret ddnsd", "ServiceAccount ddnsd"];
    assert_eq!(taken, wanted.into());
}

#[test]
fn a_field_that_does_not_exist_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let wrong = directory.path().join("wrong.yaml");
    for (right, planted, said) in [
        ("readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true", "readOnlyRootFileSystem"),
        ("port: 9853", "port: [9853]", "port"),
        ("hostNetwork: true", "hostNetwork: always", "hostNetwork"),
    ] {
        let manifest = read("daemon-set.yaml");
        assert!(manifest.contains(right), "{right}");
        fs::write(&wrong, manifest.replace(right, planted)).expect("a file");
        let output = validate(std::slice::from_ref(&wrong));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(said), "{planted}: {told}");
    }
}

#[test]
fn the_kustomization_names_every_manifest_but_the_example() {
    let text = read("kustomization.yaml");
    let named: BTreeSet<_> = text.lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
    let files = manifests();
    let names = files.iter().filter_map(|file| file.file_name()?.to_str());
    assert_eq!(named, names.filter(|name| !name.contains("example")).collect());
}

#[test]
fn the_rights_are_those_of_the_unit() {
    let unit = fs::read_to_string(directory().join("../systemd/ddnsd.service")).expect("the unit");
    assert!(unit.contains("\nCapabilityBoundingSet=CAP_BPF CAP_PERFMON\n"));
    assert!(read("daemon-set.yaml").contains("drop: [ALL]\n              add: [BPF, PERFMON]\n"));
    let compose = fs::read_to_string(directory().join("../container/compose.yaml")).expect("compose.yaml");
    assert!(compose.contains("cap_drop: [ALL]\n    cap_add: [BPF, PERFMON]\n"));
}
