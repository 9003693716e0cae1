//! `ddnsd doctor`: one line for each thing that the host grants or lacks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::process::{Command, Output};

use ddns_testbed::{PlainPlug, PlugFault, PlugSetup, ShellyGen1};

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

/// FAULTS 58 and 60: what the plug says of itself, before it is needed.
#[test]
fn the_plug_has_a_line_with_its_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "q8Vn2Lr5Tz7Wc3Xb6Yd9Fg1Hj4Km0Ps_Ru-AeIoB").unwrap();
    let place = || (None, SocketAddr::from(([127, 0, 0, 1], 0)));
    let shelly = ShellyGen1::start(place(), PlugSetup::default()).unwrap();
    let plain = PlainPlug::start(place(), PlugSetup::default()).unwrap();
    let own = [("DDNS_RECORDS", "vpn.example.com"), ("DDNS_PROVIDER_API_TOKEN_FILE", token.to_str().unwrap())];
    let told = |allowed: &str, changes: &[(&str, &str)]| {
        let all = [&own[..], &[("DDNS_ALLOW_PHYSICAL_RECOVERY", allowed)], changes].concat();
        let (output, text) = doctor(&all);
        (output.status.code(), line(&text, "plug").to_owned())
    };
    let (code, none) = told("false", &[]);
    assert!(code == Some(0) && none.contains("note  plug           none is configured: set DDNS_PLUG_KIND"), "{none}");

    let host = shelly.address().to_string();
    let shelly1 = [("DDNS_PLUG_KIND", "shelly1"), ("DDNS_PLUG_HOST", host.as_str()), ("DDNS_PLUG_FEEDS", "router")];
    let (code, on) = told("true", &shelly1);
    assert_eq!((code, on), (Some(0), format!("good  plug           shelly1 at http://{host}: a8032ab12345, on")));
    shelly.press(false);
    let (code, off) = told("true", &shelly1);
    assert!(code == Some(2) && off.starts_with("BAD") && off.contains("a8032ab12345, off"), "{off}");
    shelly.set(PlugFault::Status(500));
    let (code, fails) = told("false", &shelly1);
    assert!(code == Some(2) && fails.contains("500") && fails.contains("DDNS_PLUG_HOST"), "{fails}");

    let host = plain.address().to_string();
    let without_timer = [
        ("DDNS_PLUG_KIND", "http"),
        ("DDNS_PLUG_HOST", host.as_str()),
        ("DDNS_PLUG_FEEDS", "router"),
        ("DDNS_PLUG_ON_PATH", "/on"),
        ("DDNS_PLUG_OFF_PATH", "/off"),
        ("DDNS_PLUG_STATE_PATH", "/state"),
        ("DDNS_PLUG_STATE_ON", "/relay/on=true"),
        ("DDNS_PLUG_STATE_OFF", "/relay/on=false"),
        ("DDNS_PLUG_REACHABLE_WITHOUT_ROUTER", "true"),
    ];
    let (code, alone) = told("true", &without_timer);
    assert!(code == Some(0) && alone.starts_with("note") && alone.contains("{seconds}"), "{alone}");
    let (code, unused) = told("false", &without_timer);
    assert!(code == Some(0) && unused.starts_with("good") && unused.ends_with(", on"), "{unused}");
    assert!(plain.history().is_empty(), "doctor switches nothing");
}

#[test]
fn a_wrong_configuration_is_bad_and_the_rest_is_looked_at_all_the_same() {
    let (output, text) = doctor(&[("DDNS_RECORDS", "vpn")]);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(line(&text, "configuration").starts_with("BAD   configuration  2 problems: see `ddnsd check`"), "{text}");
    line(&text, "netlink");
}
