//! What helps people with the arguments is made from the arguments themselves.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const VERBS: [&str; 10] =
    ["run", "check", "doctor", "once", "status", "history", "recover", "variables", "completions", "state"];

fn ddnsd(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ddnsd")).args(arguments).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Whether the shell takes the script, where there is that shell.
fn parses(shell: &str, script: &str) {
    if !["/bin", "/usr/bin"].iter().any(|directory| Path::new(directory).join(shell).exists()) {
        eprintln!("NOT RUN: there is no {shell} to parse its completions");
        return;
    }
    let mut parser = Command::new(shell).arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    parser.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(parser.wait().unwrap().success(), "{shell} refuses its completions");
}

#[test]
fn every_shell_gets_every_verb() {
    for shell in ["bash", "zsh", "fish"] {
        let script = ddnsd(&["completions", shell]);
        for verb in VERBS {
            assert!(script.contains(verb), "{shell}: {verb}");
        }
        assert!(script.contains("interval"), "{shell}: options of a verb");
        assert!(!script.contains("panicked"), "{shell}");
        parses(shell, &script);
    }
}

#[test]
fn the_man_pages_are_those_of_the_verbs() {
    let page = ddnsd(&["man"]);
    assert!(page.contains(".TH ddnsd 1"), "{page}");
    for part in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH SUBCOMMANDS", "Exit codes: 0 done"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    for verb in VERBS {
        assert!(page.contains(&format!("ddnsd\\-{verb}(1)")), "{verb} in {page}");
    }
    assert!(!page.contains("worker") && !page.contains("ddnsd\\-man"), "what is hidden is not told: {page}");

    let directory = tempfile::tempdir().unwrap();
    ddnsd(&["man", directory.path().to_str().unwrap()]);
    let written =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let written: BTreeSet<_> = written.collect();
    for verb in VERBS {
        assert!(written.contains(&format!("ddnsd-{verb}.1")), "{written:?}");
    }
    assert!(written.contains("ddnsd.1") && !written.iter().any(|name| name.contains("store-worker")), "{written:?}");
    let status = fs::read_to_string(directory.path().join("ddnsd-status.1")).unwrap();
    assert!(status.contains("\\-\\-watch") && status.contains("0 it is ready, 2 it is not"), "{status}");
}
