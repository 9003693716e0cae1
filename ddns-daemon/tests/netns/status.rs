//! What a running daemon tells people and programs, and whom it tells nothing.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{Daemon, Fault, Scope, Signal, World};
use serde_json::{Value, json};

use crate::scene::{NAME, PATIENCE, Scene, TOKEN, ipv4, wait_line, wait_ready};

const POLL: Duration = Duration::from_millis(5);
const RECORD: (&str, &str) = ("DDNS_RECORDS", "vpn.ddns.test:A");
const DDNSD: &str = env!("CARGO_BIN_EXE_ddnsd");

fn ddnsd(socket: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut ddnsd = Command::new(DDNSD);
    ddnsd.args(arguments).env_clear().env("DDNS_ADMIN_SOCKET", socket).envs(environment.iter().copied());
    ddnsd
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// The status as soon as it is as `wanted`.
fn wait_status(daemon: &Daemon, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let begun = Instant::now();
    loop {
        // It may not listen yet.
        let document = daemon.get("/v1/status").map(|(_, body)| serde_json::from_str(&body).unwrap_or_default());
        if let Ok(document) = &document
            && wanted(document)
        {
            return Ok(document.clone());
        }
        ensure!(begun.elapsed() < PATIENCE, "the status stays {document:?}: {}", daemon.tail());
        thread::sleep(POLL);
    }
}

#[test]
fn the_status_is_told_to_people_and_to_programs() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[RECORD])?;
    wait_ready(&daemon)?;
    let socket = scene.path("ddnsd.sock");

    let (code, page, errors) = said(&ddnsd(&socket, &["status"], &[]).output()?);
    ensure!(code == Some(0) && errors.is_empty(), "{code:?} {errors}");
    for part in [NAME, &HOST_IPV4.to_string(), "resolvers, ", "audit in ", "ready since ", "kernel by ", "durable"] {
        ensure!(page.contains(part), "{part:?} in\n{page}");
    }
    ensure!(!page.contains('\u{1b}'), "colours without a terminal: {page:?}");
    let (_, narrow, _) = said(&ddnsd(&socket, &["status"], &[("COLUMNS", "40")]).output()?);
    ensure!(narrow.lines().all(|line| line.chars().count() <= 40) && narrow.contains('…'), "{narrow}");

    let (code, json, _) = said(&ddnsd(&socket, &["status", "--json"], &[]).output()?);
    let document: Value = serde_json::from_str(&json)?;
    let record = &document["records"][0];
    ensure!(code == Some(0) && document["ready"] == true && document["store"]["durable"] == true, "{document:#}");
    ensure!(record["verified"] == HOST_IPV4.to_string() && record["verified_by"] == "resolvers", "{document:#}");
    ensure!(record["verified_at_ms"].as_u64() >= document["started_ms"].as_u64(), "{document:#}");
    ensure!(record["next"]["what"] == "audit" && record["state"] == "rest", "{document:#}");

    let mut watching = ddnsd(&socket, &["status", "--watch", "--interval", "1"], &[]).stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(watching.stdout.take().context("its output")?).lines();
    let blocks = lines.map_while(Result::ok).filter(|line| line.starts_with("RECORD")).take(2).count();
    watching.kill()?;
    watching.wait()?;
    ensure!(blocks == 2, "{blocks} blocks");

    scene.double.set_propagation(false)?;
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    let waiting = wait_status(&daemon, |status| status["records"][0]["next"]["what"] == "verify-by-name-servers")?;
    ensure!(waiting["converged"] == false && waiting["ready"] == false, "{waiting:#}");
    let (code, page, _) = said(&ddnsd(&socket, &["status"], &[]).output()?);
    ensure!(code == Some(2) && page.contains("not all records verified"), "{code:?}\n{page}");
    scene.end(daemon)
}

/// The terminal is that of script(1).
#[test]
fn colours_are_for_terminals_that_want_them() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[RECORD])?;
    wait_ready(&daemon)?;
    let socket = scene.path("ddnsd.sock");
    let on_a_terminal = |verb: &str, environment: &[(&str, &str)]| -> Result<String> {
        let mut script = Command::new("/usr/bin/script");
        script.args(["--quiet", "--return", "--command", &format!("stty cols 60; exec {DDNSD} {verb}"), "/dev/null"]);
        script.env_clear().env("PATH", "/usr/bin:/bin").env("DDNS_ADMIN_SOCKET", &socket);
        let output = script.envs(environment.iter().copied()).stdin(Stdio::null()).output()?;
        ensure!(output.status.code() == Some(0), "{output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let page = on_a_terminal("status", &[])?;
    ensure!(page.contains("\u{1b}[32m") && page.contains("\u{1b}[1mRECORD"), "{page:?}");
    let plain = on_a_terminal("status", &[("NO_COLOR", "1")])?;
    ensure!(!plain.contains('\u{1b}'), "{plain:?}");
    ensure!(plain.lines().all(|line| line.trim_end().chars().count() <= 60), "as wide as the terminal: {plain}");
    scene.end(daemon)
}

#[test]
fn the_history_can_be_cut_off_at_a_moment() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[RECORD])?;
    wait_ready(&daemon)?;
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, 0, "DNS record verified", &[("address", "11.22.40.1")])?;
    let socket = scene.path("ddnsd.sock");
    let changes = |since: &str| -> Result<usize> {
        let (code, json, errors) = said(&ddnsd(&socket, &["history", "--json", "--since", since], &[]).output()?);
        ensure!(code == Some(0), "{errors}");
        let document: Value = serde_json::from_str(&json)?;
        ensure!(document["uptime"]["24h"]["known_secs"].is_number(), "{document:#}");
        Ok(document["changes"].as_array().context("changes")?.len())
    };
    let all = changes("1h")?;
    ensure!(all > 0 && changes("2020-01-01")? == all, "the changes are there");
    ensure!(changes("0s")? == 0 && changes("2200-01-01T00:00:00Z")? == 0, "they are older");
    let (_, text, _) = said(&ddnsd(&socket, &["history", "--since", "2200-01-01"], &[]).output()?);
    ensure!(text.contains("Changes since 2200-01-01 00:00:00Z") && !text.contains(NAME), "{text}");
    let (code, _, errors) = said(&ddnsd(&socket, &["history", "--since", "yesterday"], &[]).output()?);
    ensure!(code == Some(1) && errors.contains("neither a length"), "{code:?} {errors}");
    scene.end(daemon)
}

/// FAULTS 73: what a server says in an error has power over no terminal, neither in the log as text nor in the status.
#[test]
fn what_a_server_says_reaches_neither_log_nor_terminal_raw() -> Result<()> {
    const HOSTILE: &str = "gone\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}2J\r\nERROR ddnsd: all is well";
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let body =
        json!({ "success": false, "errors": [{ "code": 1004, "message": HOSTILE }], "messages": [], "result": null });
    for method in ["GET", "POST", "PATCH"] {
        let fault = Fault::Status { code: 400, retry_after: None, body: Some(body.clone()) };
        scene.double.faults().push_for(Scope::method(method).times(100), fault);
    }
    let daemon = scene.start(&[RECORD, ("DDNS_LOG_FORMAT", "text")])?;
    let failing = wait_status(&daemon, |status| status["records"][0]["error"].is_string())?;
    ensure!(failing["records"][0]["error"].as_str().is_some_and(|error| error.contains("all is well")), "{failing:#}");
    let socket = scene.path("ddnsd.sock");
    let (code, page, _) = said(&ddnsd(&socket, &["status"], &[]).output()?);
    ensure!(code == Some(2) && page.contains("all is well"), "{page}");
    let (_, json, _) = said(&ddnsd(&socket, &["status", "--json"], &[]).output()?);
    let log = daemon.raw_lines();
    ensure!(log.iter().any(|line| line.contains("all is well")), "{log:#?}");
    for line in log.iter().map(String::as_str).chain(page.lines()).chain(json.lines()) {
        ensure!(!line.chars().any(char::is_control), "{line:?}");
        ensure!(!line.starts_with("ERROR ddnsd: all is well"), "{line:?}");
    }
    drop(daemon);
    Ok(())
}

/// FAULTS 10: a loop that hangs gets no watchdog, and whoever asks is told within a limit; afterwards it goes on.
#[test]
fn a_loop_that_hangs_is_told_to_systemd_and_to_whoever_asks() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let path = scene.path("notify");
    let notified = UnixDatagram::bind(&path)?;
    notified.set_read_timeout(Some(PATIENCE))?;
    let hear = || -> Result<String> {
        let mut octets = [0; 4096];
        let length = notified.recv(&mut octets)?;
        Ok(String::from_utf8_lossy(&octets[..length]).into_owned())
    };
    let daemon = scene.start(&[RECORD, ("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "1000000")])?;
    wait_ready(&daemon)?;
    while hear()? != "WATCHDOG=1\n" {}

    daemon.signal(Signal::STOP)?;
    stopped(daemon.pid())?;
    // What was sent before it stopped.
    notified.set_nonblocking(true)?;
    while hear().is_ok() {}
    let (code, page, errors) = said(&ddnsd(&scene.path("ddnsd.sock"), &["status"], &[]).output()?);
    ensure!(code == Some(2) && page.is_empty() && errors.contains("its loop hangs"), "{code:?} {page} {errors}");
    ensure!(daemon.get("/healthz").is_err(), "a loop that hangs is no healthy one");
    let heard = hear();
    ensure!(heard.is_err(), "all that time a loop that hangs says {heard:?}");

    daemon.signal(Signal::CONT)?;
    notified.set_nonblocking(false)?;
    while hear()? != "WATCHDOG=1\n" {}
    wait_status(&daemon, |status| status["ready"] == true)?;
    ensure!(daemon.get("/healthz")?.0 == 200);
    scene.end(daemon)
}

/// Waits until the kernel says that the process stands still.
fn stopped(pid: u32) -> Result<()> {
    let begun = Instant::now();
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        if stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T')) {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "it does not stop: {stat}");
        thread::sleep(POLL);
    }
}

/// FAULTS 71: the kernel keeps everybody out who is neither owner nor in the group, and who is kept out is told the group;
/// no answer holds a secret.
#[test]
fn only_owner_and_group_are_answered_and_nobody_is_told_a_secret() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let open = tempfile::tempdir()?;
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755))?;
    let copy = open.path().join("ddnsd");
    fs::copy(DDNSD, &copy)?;
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755))?;
    let socket = open.path().join("ddnsd.sock").display().to_string();
    let daemon = scene.start(&[RECORD, ("DDNS_ADMIN_SOCKET", &socket)])?;
    wait_ready(&daemon)?;
    ensure!(fs::metadata(&socket)?.permissions().mode() & 0o777 == 0o660, "the socket's mode");

    let as_nobody = |group: &str| -> Result<_> {
        let mut setpriv = Command::new("/usr/bin/setpriv");
        setpriv.args(["--reuid=65534", &format!("--regid={group}"), "--clear-groups", "--inh-caps=-all"]);
        Ok(said(&setpriv.arg(&copy).arg("status").env_clear().env("DDNS_ADMIN_SOCKET", &socket).output()?))
    };
    let (code, page, errors) = as_nobody("65534")?;
    ensure!(code == Some(2) && page.is_empty(), "{code:?} {page}");
    ensure!(errors.contains("as root, or as a member of the group root"), "{errors}");
    let (code, page, errors) = as_nobody("0")?;
    ensure!(code == Some(0) && page.contains(NAME), "in the group: {code:?} {page} {errors}");

    for path in ["/healthz", "/readyz", "/metrics", "/v1/status", "/v1/history", "/v1/recovery", "/wireguard", "/none"]
    {
        let (_, body) = daemon.get(path)?;
        ensure!(!body.contains(TOKEN) && !body.is_empty(), "{path}: {body}");
    }
    scene.end(daemon)
}

#[test]
fn without_a_daemon_there_is_a_remedy_and_exit_code_2() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("none.sock").display().to_string();
    for verb in ["status", "history"] {
        let (code, page, errors) = said(&ddnsd(&socket, &[verb], &[]).output()?);
        ensure!(code == Some(2) && page.is_empty(), "{code:?} {page}");
        ensure!(errors.contains(&socket) && errors.contains("systemctl start ddnsd"), "{errors}");
    }
    Ok(())
}
