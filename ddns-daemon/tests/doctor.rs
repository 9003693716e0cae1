//! `ddnsd doctor`: one line for each thing that the host grants or lacks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::{Command, Output};

fn doctor(environment: &[(&str, &str)]) -> (Output, String) {
    let mut ddnsd = Command::new(env!("CARGO_BIN_EXE_ddnsd"));
    let output = ddnsd.arg("doctor").env_clear().envs(environment.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

fn line<'a>(text: &'a str, what: &str) -> &'a str {
    let found = text.lines().find(|line| line.split_whitespace().nth(1) == Some(what));
    found.unwrap_or_else(|| panic!("no line on {what}: {text}"))
}

/// FAULTS 1: every rung has a line; a refused one says why, and rtnetlink needs nothing.
#[test]
fn every_rung_is_granted_or_refused_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps_Ru-AeIoB").unwrap();
    let (output, text) =
        doctor(&[("DDNS_RECORDS", "vpn.example.com"), ("DDNS_PROVIDER_API_TOKEN_FILE", token.to_str().unwrap())]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for rung in ["fentry", "kprobe", "socket-filter"] {
        let line = line(&text, rung);
        let (_, reason) = line.split_once("refused: ").unwrap_or(("", "granted"));
        assert!(line.contains("granted") != line.contains("refused: ") && reason.len() >= 7, "{line}");
    }
    assert!(line(&text, "netlink").starts_with("good  netlink        granted"), "{text}");
    assert_eq!(text.matches("`auto` takes it").count(), 1, "{text}");
    assert!(line(&text, "configuration").starts_with("good"), "{text}");
    assert!(line(&text, "clock").starts_with("good"), "{text}");
    let pings = line(&text, "pings");
    assert!(pings.starts_with("good") != pings.contains("ping_group_range="), "granted, or with its remedy: {pings}");
    assert!(text.contains("IPv4") && text.contains("IPv6"), "{text}");
}

#[test]
fn a_wrong_configuration_is_bad_and_the_rest_is_looked_at_all_the_same() {
    let (output, text) = doctor(&[("DDNS_RECORDS", "vpn")]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(line(&text, "configuration").starts_with("BAD   configuration  2 problems: see `ddnsd check`"), "{text}");
    line(&text, "netlink");
}
