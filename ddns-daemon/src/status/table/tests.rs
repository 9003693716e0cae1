use serde_json::{Value, json};

use super::{Page, length};

const HOSTILE: &str = "502 \u{1b}[31mgone\u{1b}[0m\r\nddnsd: all is well\u{9b}2J";

fn document() -> Value {
    let right = json!({
        "name": "vpn.example.com", "type": "A", "desired": "11.0.0.1", "confirmed": "11.0.0.1", "verified": "11.0.0.1",
        "verified_at_ms": 1_000, "verified_by": "resolvers", "converged": true, "proxied": false, "state": "rest",
        "step": null, "next": { "what": "audit", "in_secs": 423.9, "why": null }, "error": null, "failures": 0,
    });
    let wrong = json!({
        "name": "a-name-that-is-longer-than-others.and-in-a-deeper-zone.example.com", "type": "AAAA",
        "desired": "2a00:1234:5678:7::44", "confirmed": null, "verified": null, "verified_at_ms": null,
        "verified_by": null, "converged": false, "proxied": false, "state": "due", "step": "write",
        "next": { "what": "write", "in_secs": 40.2, "why": "unavailable" }, "error": HOSTILE, "failures": 3,
    });
    json!({
        "version": "0.1.0", "now_ms": 200_000, "started_ms": 0, "ready": false, "readiness": "ready",
        "readiness_since_ms": 100_000, "converged": false, "records": [right, wrong],
        "wan": { "line": "open", "router_answers": null, "in_words": "the line is open" },
        "sources": [{
            "kind": "kernel", "rung": "socket-filter", "error": null, "elections": [],
            "nat": { "class": "direct", "evidence": HOSTILE, "remedy": null },
        }],
        "recovery": { "allowed": false, "phase": "watching", "why_not": null, "plug_fails": HOSTILE, "power_is_owed": false },
        "store": { "durable": true, "error": null },
        "uptime": { "24h": { "availability": 0.5 }, "30d": { "availability": null } },
        "folded_events": 0, "wireguard": null,
    })
}

fn page(colour: bool, width: Option<usize>) -> String {
    Page { colour, width }.of(&document())
}

#[test]
fn a_page_says_what_is_and_what_comes_next() {
    let page = page(false, None);
    for part in [
        "vpn.example.com",
        "resolvers, 3m 19s ago  audit in 7m 3s",
        "write in 40s (unavailable)",
        "readiness  ready since 1970-01-01 00:01:40Z (1m 40s); not all records verified",
        "source     kernel by socket-filter",
        "nat        direct: ",
        "wan        the line is open",
        "store      durable",
        "uptime     50.0000 % of 24 h, unknown of 30 d",
        "ddnsd      0.1.0, for 3m 20s",
    ] {
        assert!(page.contains(part), "{part:?} in\n{page}");
    }
    assert!(!page.contains('\u{1b}'), "{page}");
}

/// FAULTS 73.
#[test]
fn what_a_server_said_has_no_power_over_the_terminal() {
    let plain = page(false, None);
    assert!(plain.contains(r"502 \u{1b}[31mgone\u{1b}[0m\r\nddnsd: all is well\u{9b}2J (3 in a row)"), "{plain}");
    assert!(!plain.lines().any(|line| line.starts_with("ddnsd:")), "{plain}");
    let coloured = page(true, None);
    let ours = ["1", "32", "33", "31", "0"].map(|code| format!("\u{1b}[{code}m"));
    let rest = ours.iter().fold(coloured.clone(), |text, code| text.replace(code, ""));
    assert_eq!(rest, plain);
    assert!(coloured.contains("\u{1b}[32mresolvers"), "{coloured}");
}

#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    for width in [20, 40, 60, 80, 100, 132, 400] {
        let page = page(false, Some(width));
        assert!(page.lines().all(|line| length(line) <= width), "{width}:\n{page}");
        assert_eq!(page.lines().count(), self::page(false, None).lines().count(), "{width}: nothing is wrapped");
    }
    assert!(page(false, Some(100)).contains("…"), "a long name is shortened");
    assert!(!page(false, Some(400)).contains("…"));
}

#[test]
fn a_page_of_a_strange_document_is_a_page() {
    let page = Page { colour: false, width: Some(80) }.of(&json!({ "records": [{}, null], "sources": [[]] }));
    assert!(page.contains("RECORD"), "{page}");
}
