//! No secret comes out: not by the log at its most talkative, not by any path or verb, not by what is kept.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{Daemon, World};

use crate::scene::{SECOND_TOKEN, Scene, TOKEN, ipv4, is, wait_line, wait_ready};

const PLUG_PASSWORD: &str = "Plug7Kd2Wq9Zx4";
const HOOK: &str = "https://192.0.2.20:8443/hook/Jt5Rn8Vb3Lm6";
const SECRETS: [&str; 4] = [TOKEN, SECOND_TOKEN, PLUG_PASSWORD, "Jt5Rn8Vb3Lm6"];
const PATHS: [&str; 8] =
    ["/healthz", "/readyz", "/metrics", "/v1/status", "/v1/history", "/v1/recovery", "/wireguard", "/nothing"];
const VERBS: [&[&str]; 11] = [
    &["check"],
    &["check", "--online"],
    &["doctor"],
    &["status"],
    &["status", "--json"],
    &["history"],
    &["history", "--json"],
    &["recover", "--dry-run"],
    &["state", "export"],
    &["once", "--timeout", "1"],
    &["variables"],
];

/// Everything below a directory that is a file, as text.
fn kept(directory: &Path) -> Result<String> {
    let mut text = String::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            text.push_str(&kept(&path)?);
        } else if path.is_file() {
            text.push_str(&String::from_utf8_lossy(&fs::read(&path)?));
        }
    }
    Ok(text)
}

#[test]
fn no_output_of_any_kind_holds_a_secret() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let secret = |name: &str, value: &str| -> Result<String> {
        fs::write(scene.path(name), value)?;
        Ok(scene.path(name))
    };
    let (otlp, plug, hook) = (secret("otlp", SECOND_TOKEN)?, secret("plug", PLUG_PASSWORD)?, secret("hook", HOOK)?);
    let state = scene.path("state");
    // Nobody answers for plug, collector and hook: their errors are told, and the records are kept all the same.
    let environment = scene.environment(&[
        ("DDNS_RECORDS", "vpn.ddns.test:A"),
        ("DDNS_LOG_LEVEL", "trace"),
        ("DDNS_METRICS", "true"),
        ("DDNS_OTLP_ENDPOINT", "http://192.0.2.53:4318"),
        ("DDNS_OTLP_INTERVAL_SECS", "1"),
        ("DDNS_OTLP_TOKEN_FILE", &otlp),
        ("DDNS_PLUG_KIND", "shelly2"),
        ("DDNS_PLUG_HOST", "192.0.2.20"),
        ("DDNS_PLUG_PASSWORD_FILE", &plug),
        ("DDNS_ON_CHANGE_URL_FILE", &hook),
        ("DDNS_STATE_STORE_PATH", &state),
    ]);
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let ddnsd = Path::new(env!("CARGO_BIN_EXE_ddnsd"));
    let daemon = Daemon::start(Some(&world.host), ddnsd, &environment)?;
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.1")])?;
    wait_line(&daemon, mark, "A verified change could not be told", &[])?;
    wait_line(&daemon, 0, "The OTLP collector takes no telemetry; trying again", &[])?;

    let mut said = vec![("its arguments".to_owned(), fs::read_to_string(format!("/proc/{}/cmdline", daemon.pid()))?)];
    for path in PATHS {
        said.push((path.to_owned(), daemon.get(path)?.1));
    }
    for verb in VERBS {
        let output = world.host.command(ddnsd).args(verb).env_clear().envs(environment.iter().copied()).output()?;
        let text = [output.stdout, output.stderr].map(|octets| String::from_utf8_lossy(&octets).into_owned()).concat();
        ensure!(!text.is_empty(), "{verb:?} says nothing");
        said.push((verb.join(" "), text));
    }
    said.push(("what is kept".to_owned(), kept(Path::new(&state))?));
    said.push(("the log".to_owned(), daemon.raw_lines().join("\n")));
    for (whence, text) in &said {
        let told = SECRETS.iter().find(|secret| text.contains(**secret));
        ensure!(told.is_none(), "{whence} tells {told:?}: {text}");
    }
    daemon.expect_error(|line| is(line, "The plug can't be relied on", &[]));
    scene.end(daemon)
}

/// The same look would find a secret that is told.
#[test]
fn what_is_kept_is_looked_through() -> Result<()> {
    let directory = tempfile::tempdir()?;
    fs::create_dir(directory.path().join("deep"))?;
    fs::write(directory.path().join("deep/file"), [&[0xff, 0x00], TOKEN.as_bytes()].concat())?;
    ensure!(kept(directory.path())?.contains(TOKEN));
    ensure!(Command::new(env!("CARGO_BIN_EXE_ddnsd")).arg("variables").output()?.status.success());
    Ok(())
}
