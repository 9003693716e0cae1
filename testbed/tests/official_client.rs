//! Cloudflare's own Python client against the double: what that parses into its models, and raises as its own errors, is
//! what the real API would have answered.

use std::path::{Path, PathBuf};
use std::process::Command;

use ddns_testbed::cloudflare::TokenState;
use ddns_testbed::{Authority, CloudflareDouble, Fault, Record};

const TOKEN: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCD";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/official_client.py");

/// Where `cargo xtask setup` puts the client.
fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python3")
}

fn double() -> (Authority, CloudflareDouble) {
    let authority = Authority::new().expect("an authority");
    let tls = authority.issue(&["127.0.0.1"]).and_then(|identity| identity.server_config()).expect("TLS");
    let mut builder = CloudflareDouble::builder(tls, TOKEN).zone("example.com");
    for number in 1..12 {
        builder = builder.zone(&format!("example{number}.net"));
    }
    let double = builder.start().expect("double");
    let record = Record::new("A", "vpn.example.com", "11.22.33.9").ttl(120).comment("by hand").tags(&["team:net"]);
    double.put_record(record).expect("a record");
    double.put_record(Record::new("AAAA", "vpn.example.com", "2a00::9")).expect("a record");
    (authority, double)
}

fn run_as(token: &str, case: &str, prepare: impl FnOnce(&CloudflareDouble)) {
    let (authority, double) = double();
    let list = double.put_list();
    prepare(&double);
    let directory = tempfile::tempdir().expect("a directory");
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).expect("the authority's file");
    let output = Command::new(python())
        .arg("-IB")
        .arg(SCRIPT)
        .args([case, &double.url()])
        .arg(&ca)
        .arg(token)
        .args(case.starts_with("lists").then_some(list))
        .output()
        .expect("the client is missing; `cargo xtask setup --for test` installs it");
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{case}: {}\n{said}{failed}", output.status);
    assert_eq!(said.trim_end(), format!("official client: {case} is as it should be"));
    assert_eq!(double.faults().pending(), 0, "every fault was met");
}

fn run(case: &str) {
    run_as(TOKEN, case, |_| ());
}

#[test]
fn the_official_client_verifies_a_token() {
    run("token");
}

#[test]
fn the_official_client_reads_every_page_of_the_zones() {
    run("zones");
}

#[test]
fn the_official_client_lists_filters_and_gets_records() {
    run("records");
}

#[test]
fn the_official_client_creates_edits_updates_and_deletes() {
    run("writes");
}

#[test]
fn the_official_client_is_told_of_duplicates() {
    run("duplicates");
}

#[test]
fn the_official_client_raises_its_own_errors() {
    run("refusals");
    run_as("wRoNgq8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0PsRuAe", "stranger", |_| ());
    run_as(TOKEN, "stranger", |double| double.set_token_state(TokenState::Revoked));
    run_as(TOKEN, "narrowed", |double| double.set_token_state(TokenState::WithoutPermission));
    run_as(TOKEN, "unavailable", |double| double.faults().push(Fault::status(503)));
}

#[test]
fn the_official_client_is_limited_and_obeys_retry_after() {
    run("quota");
    for case in ["limited", "obeys"] {
        run_as(TOKEN, case, |double| double.faults().push(Fault::too_many_requests(Some("7"))));
    }
}

#[test]
fn the_official_client_changes_a_list_by_operations_one_at_a_time() {
    run_as(TOKEN, "lists", |double| {
        double.set_list_looks(2);
        double.set_list_page_limit(2);
    });
    run_as(TOKEN, "lists_fail", |double| double.fail_list_operations(Some("the list is full")));
}
