//! Who is told of verified changes: a program and a URL, and what becomes of those that hang or fail.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{EchoMode, EchoServer, Signal, World};
use serde_json::{Value, json};

use crate::scene::{NAME, PATIENCE, Scene, TOKEN, ipv4, wait_line, wait_ready};

const RECORDS: (&str, &str) = ("DDNS_RECORDS", "vpn.ddns.test:A");
const TOLD: &str = "A verified change was told";
const NOT_TOLD: &str = "A verified change could not be told";

/// A program of these lines, which find the scene's directory in `$there`.
fn program(scene: &Scene<'_>, lines: &str) -> Result<String> {
    let path = scene.path("on-change");
    fs::write(&path, format!("#!/bin/sh\nthere='{}'\n{lines}\n", scene.path("")))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// Appends all of its environment, as ddnsd gave it, to `$there/runs`.
const RECORDER: &str = r#"{ tr '\0' '\n' < /proc/$$/environ; echo; } >> "$there/runs""#;

/// Run by run: the environment.
fn runs(scene: &Scene<'_>) -> Result<Vec<BTreeMap<String, String>>> {
    let text = fs::read_to_string(scene.path("runs")).unwrap_or_default();
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let run = |run: &str| run.lines().map(|line| pair(line).with_context(|| line.to_owned())).collect();
    text.split("\n\n").filter(|run| !run.trim().is_empty()).map(run).collect()
}

fn environment(before: &str, address: &str) -> BTreeMap<String, String> {
    let variables = [
        ("DDNS_ADDRESS", address),
        ("DDNS_ADDRESS_BEFORE", before),
        ("DDNS_RECORD", NAME),
        ("DDNS_SOURCE", "kernel"),
        ("DDNS_TYPE", "A"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Waits until a file of the scene can be read as a process id, and that process is gone.
fn wait_gone(path: &str) -> Result<()> {
    let begun = Instant::now();
    let gone = || {
        let pid = fs::read_to_string(path).ok()?.trim().parse::<u32>().ok()?;
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Whoever has to reap it takes its time.
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    };
    while gone().is_none() {
        ensure!(begun.elapsed() < PATIENCE, "{path} still runs");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Once for each change, none for a start that finds DNS right; no secret, no standard input, no variable of ddnsd's own.
#[test]
fn a_program_runs_once_for_each_verified_change_in_a_clean_environment() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let lines = format!("{RECORDER}\nreadlink /proc/$$/fd/0\nhead -c 5\necho to the log >&2");
    let program = program(&scene, &lines)?;
    let changes = [
        RECORDS,
        ("DDNS_ON_CHANGE", &program),
        ("DDNS_PROVIDER_API_TOKEN_FILE", ""),
        ("DDNS_PROVIDER_API_TOKEN", TOKEN),
    ];
    let daemon = scene.start(&changes)?;
    wait_line(&daemon, 0, TOLD, &[("address", "11.22.33.44"), ("listener", "DDNS_ON_CHANGE")])?;
    for printed in ["/dev/null", "to the log"] {
        wait_line(&daemon, 0, "DDNS_ON_CHANGE printed", &[("level", "DEBUG"), ("output", printed)])?;
    }
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, 0, TOLD, &[("record", NAME), ("type", "A"), ("address", "11.22.40.7")])?;
    let mut expected = vec![environment("", "11.22.33.44"), environment("11.22.33.44", "11.22.40.7")];
    assert_eq!(runs(&scene)?, expected);
    scene.end(daemon)?;

    let daemon = scene.start(&changes)?;
    wait_ready(&daemon)?;
    world.swap_ipv4(ipv4(7), ipv4(8))?;
    wait_line(&daemon, 0, TOLD, &[("address", "11.22.40.8")])?;
    expected.push(environment("11.22.40.7", "11.22.40.8"));
    assert_eq!(runs(&scene)?, expected, "the restart itself was no change");
    scene.end(daemon)
}

/// While one runs, changes wait; the latest is told, from where the last one told led.
#[test]
fn changes_during_a_run_are_told_as_one() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let program = program(&scene, &format!(r#"{RECORDER}; while [ ! -e "$there/go" ]; do sleep 0.05; done"#))?;
    let daemon = scene.start(&[RECORDS, ("DDNS_ON_CHANGE", &program), ("DDNS_ON_CHANGE_TIMEOUT_SECS", "600")])?;
    wait_ready(&daemon)?;
    for (from, to) in [(HOST_IPV4, ipv4(7)), (ipv4(7), ipv4(8)), (ipv4(8), ipv4(9))] {
        world.swap_ipv4(from, to)?;
        wait_line(&daemon, 0, "DNS record verified", &[("address", &to.to_string())])?;
    }
    fs::write(scene.path("go"), "")?;
    wait_line(&daemon, 0, TOLD, &[("address", "11.22.40.9")])?;
    assert_eq!(runs(&scene)?, [environment("", "11.22.33.44"), environment("11.22.33.44", "11.22.40.9")]);
    scene.end(daemon)
}

/// With all that it started; the next change is told again.
#[test]
fn a_program_that_hangs_is_killed_and_the_next_change_is_told() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    fs::write(scene.path("hang"), "")?;
    let hang = r#"[ -e "$there/hang" ] || exit 0; trap '' TERM; sleep 600 & echo $! > "$there/child"; echo $$ > "$there/itself"; wait"#;
    let program = program(&scene, hang)?;
    let daemon = scene.start(&[RECORDS, ("DDNS_ON_CHANGE", &program), ("DDNS_ON_CHANGE_TIMEOUT_SECS", "1")])?;
    let (mark, line) = wait_line(&daemon, 0, NOT_TOLD, &[("address", "11.22.33.44"), ("level", "WARN")])?;
    ensure!(line["error"].as_str().is_some_and(|error| error.contains("killed")), "{line}");
    wait_gone(&scene.path("child"))?;
    wait_gone(&scene.path("itself"))?;
    wait_ready(&daemon)?;
    fs::remove_file(scene.path("hang"))?;
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    wait_line(&daemon, mark, TOLD, &[("address", "11.22.40.7")])?;
    scene.end(daemon)
}

/// A program that fails, floods the log, leaves something behind or is gone: one WARN each at most, and DNS goes on.
#[test]
fn a_program_that_fails_harms_nothing() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let path = program(&scene, "head -c 3000000 /dev/zero | tr '\\0' 'x'; exit 3")?;
    let daemon = scene.start(&[RECORDS, ("DDNS_ON_CHANGE", &path)])?;
    let (mark, _) = wait_line(&daemon, 0, NOT_TOLD, &[("level", "WARN"), ("error", "it ended with exit code 3")])?;
    let printed = daemon.lines().iter().filter(|line| line["message"] == "DDNS_ON_CHANGE printed").count();
    ensure!((1..=101).contains(&printed), "{printed} lines");
    wait_ready(&daemon)?;

    program(&scene, r#"sleep 600 & echo $! > "$there/child""#)?;
    world.swap_ipv4(HOST_IPV4, ipv4(7))?;
    let (mark, _) = wait_line(&daemon, mark, TOLD, &[("address", "11.22.40.7")])?;
    wait_gone(&scene.path("child"))?;

    fs::remove_file(&path)?;
    world.swap_ipv4(ipv4(7), ipv4(8))?;
    let (mark, line) = wait_line(&daemon, mark, NOT_TOLD, &[("address", "11.22.40.8")])?;
    ensure!(line["error"].as_str().is_some_and(|error| error.starts_with("it can't be started")), "{line}");
    world.swap_ipv4(ipv4(8), ipv4(9))?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.9")])?;
    ensure!(daemon.get("/readyz")?.0 == 200, "ready all the same");
    scene.end(daemon)
}

/// A shutdown waits for the drain's time and no longer, and leaves nothing running.
#[test]
fn a_shutdown_doesnt_wait_for_a_program_that_hangs() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let program = program(&scene, r#"echo $$ > "$there/itself"; exec sleep 600"#)?;
    let daemon = scene.start(&[RECORDS, ("DDNS_ON_CHANGE", &program), ("DDNS_ON_CHANGE_TIMEOUT_SECS", "600")])?;
    wait_ready(&daemon)?;
    let begun = Instant::now();
    while !fs::read_to_string(scene.path("itself")).is_ok_and(|text| text.ends_with('\n')) {
        ensure!(begun.elapsed() < PATIENCE, "the program was never run");
        sleep(Duration::from_millis(20));
    }
    daemon.signal(Signal::TERM)?;
    wait_line(&daemon, 0, "Who is told of verified changes takes too long for a shutdown, and is given up", &[])?;
    scene.end(daemon)?;
    wait_gone(&scene.path("itself"))?;
    ensure!(Path::new(&scene.path("itself")).exists());
    Ok(())
}

/// JSON over real TLS, with nothing of the URL but its host in the log; what the service answers harms nothing.
#[test]
fn a_url_is_told_in_json_and_its_failure_harms_nothing() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    world.internet.ip(&["addr", "add", "192.0.2.20/32", "dev", "lo"])?;
    let webhook = EchoServer::start(&world.internet, &["192.0.2.20".parse()?], scene.identity.server_config()?)?;
    fs::write(scene.path("url"), "https://192.0.2.20/hooks/Zs7Lk2Mv9Qx4\n")?;
    let url = scene.path("url");
    let daemon = scene.start(&[RECORDS, ("DDNS_ON_CHANGE_URL_FILE", &url), ("DDNS_ON_CHANGE_TIMEOUT_SECS", "2")])?;
    let (mark, _) = wait_line(&daemon, 0, TOLD, &[("listener", "DDNS_ON_CHANGE_URL"), ("address", "11.22.33.44")])?;
    for (mode, error, number) in [
        (EchoMode::Status(500), "status 500", 7),
        (EchoMode::Hang, "within 2 seconds", 8),
        (EchoMode::Redirect("https://192.0.2.20/".into()), "no redirect", 9),
    ] {
        webhook.set(mode);
        world.swap_ipv4(if number == 7 { HOST_IPV4 } else { ipv4(number - 1) }, ipv4(number))?;
        let address = ipv4(number).to_string();
        let (_, line) = wait_line(&daemon, mark, NOT_TOLD, &[("level", "WARN"), ("address", &address)])?;
        ensure!(line["error"].as_str().is_some_and(|told| told.contains(error)), "{line}");
    }
    let told = |before: Value, address: &str| json!({"record": NAME, "type": "A", "address": address, "address_before": before, "source": "kernel"});
    let bodies: Vec<Value> =
        webhook.bodies().iter().map(|body| serde_json::from_slice(body)).collect::<Result<_, _>>()?;
    let expected = [
        told(Value::Null, "11.22.33.44"),
        told("11.22.33.44".into(), "11.22.40.7"),
        told("11.22.40.7".into(), "11.22.40.8"),
        told("11.22.40.8".into(), "11.22.40.9"),
    ];
    assert_eq!(bodies, expected, "each is told once, whatever the answer");
    ensure!(!daemon.raw_lines().iter().any(|line| line.contains("Zs7Lk2Mv9Qx4")), "the log holds the URL");
    ensure!(daemon.get("/readyz")?.0 == 200, "ready all the same");
    scene.end(daemon)
}
