//! Metrics and traces of the real ddnsd: read by whoever may, exported to a real collector.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_testbed::world::HOST_IPV4;
use ddns_testbed::{Daemon, World};

use serde_json::Value;

use crate::scene::{PATIENCE, SECOND_TOKEN, Scene, TOKEN, ipv4, is, wait_line, wait_ready};

const RECORDS: (&str, &str) = ("DDNS_RECORDS", "vpn.ddns.test:A");
const LISTEN: &str = "127.0.0.1:9853";
/// Many more than are served at a time.
const READERS: usize = 64;
/// Where the collector answers.
const COLLECTOR: &str = "http://192.0.2.53:4318";

/// `GET path` over TCP from within the host: the whole answer, head and body.
fn get(world: &World, path: &str) -> Result<String> {
    world.host.enter(|| {
        let mut client = TcpStream::connect(LISTEN)?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        client.read_to_string(&mut answer)?;
        Ok(answer)
    })?
}

/// The value of a series, by its name and labels as they are printed.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// The real collector in the internet's namespace, which prints all that it is sent.
fn collector(world: &World) -> Result<Daemon> {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/lib");
    let agent =
        std::fs::read_dir(&packages)?.flatten().map(|found| found.path().join("site-packages/rotel/rotel-agent"));
    let agent: PathBuf = agent.into_iter().find(|agent| agent.is_file()).context("rotel: run `cargo xtask setup`")?;
    let script = format!(
        "exec {} start --otlp-http-endpoint 192.0.2.53:4318 --otlp-grpc-endpoint 192.0.2.53:4317 --exporter blackhole \
         --debug-log traces --debug-log metrics --debug-log-verbosity detailed --disable-batching 1>&2",
        agent.display()
    );
    let collector = Daemon::start_with_arguments(Some(&world.internet), Path::new("/bin/sh"), &["-c", &script], &[])?;
    wait_text(&collector, "Starting Rotel")?;
    Ok(collector)
}

/// Waits until the output holds `wanted`, and returns all of it.
fn wait_text(daemon: &Daemon, wanted: &str) -> Result<String> {
    let begun = Instant::now();
    loop {
        let text = daemon.raw_lines().join("\n");
        if text.contains(wanted) {
            return Ok(text);
        }
        ensure!(begun.elapsed() < PATIENCE, "no {wanted:?} in {text}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A span as the collector prints it.
struct Span {
    name: String,
    id: String,
    parent: String,
    start: u64,
    end: u64,
    text: String,
}

fn spans(text: &str) -> Vec<Span> {
    let span = |text: &str| {
        let field = |name: &str| {
            let line =
                text.lines().find_map(|line| line.trim_start().strip_prefix(name)?.trim_start().strip_prefix(':'));
            line.unwrap_or_default().trim().to_owned()
        };
        let (start, end) = (field("Start time").parse().unwrap_or(0), field("End time").parse().unwrap_or(0));
        Span { name: field("Name"), id: field("ID"), parent: field("Parent ID"), start, end, text: text.to_owned() }
    };
    text.split("Span #").skip(1).map(span).collect()
}

#[test]
fn what_happened_is_counted_and_read_over_tcp_where_nothing_else_is() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[RECORDS, ("DDNS_METRICS_LISTEN", LISTEN)])?;
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(1))?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.1")])?;

    let answer = get(&world, "/metrics")?;
    let (head, text) = answer.split_once("\r\n\r\n").context("a head")?;
    ensure!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let verified = "ddns_record_verified_timestamp_seconds{record=\"vpn.ddns.test\",type=\"A\"}";
    let written =
        "ddns_provider_call_duration_seconds_count{call=\"update\",outcome=\"changed\",provider=\"cloudflare\"}";
    let stages = ["heard", "decided", "written", "acknowledged", "served", "verified"];
    let mut before = 0.0;
    for stage in stages {
        let sum = value(text, &format!("ddns_convergence_seconds_sum{{stage=\"{stage}\",type=\"A\"}}"));
        let sum = sum.with_context(|| format!("no {stage} in {text}"))?;
        ensure!(sum >= before, "{stage} was reached before the stage before it: {text}");
        before = sum;
    }
    ensure!(value(text, "ddns_ready") == Some(1.0), "{text}");
    ensure!(value(text, written) == Some(1.0), "{text}");
    ensure!(value(text, verified).is_some_and(|at| at > 1.6e9), "{text}");
    ensure!(value(text, "ddns_votes_total{outcome=\"answer\",whom=\"resolvers\"}").is_some_and(|votes| votes >= 2.0));
    ensure!(value(text, "ddns_store_operation_duration_seconds_count{operation=\"save\",outcome=\"ok\"}") >= Some(1.0));
    ensure!(value(text, "ddns_probe_target_up{target=\"192.0.2.53:8443\"}") == Some(1.0), "{text}");
    ensure!(value(text, "tokio_task_polls_total{task=\"engine\"}") >= Some(10.0), "{text}");
    ensure!(daemon.get("/metrics")?.1.contains("ddns_ready 1"), "the admin socket tells the same");

    ensure!(
        get(&world, "/healthz")?.starts_with("HTTP/1.1 200 ") && get(&world, "/readyz")?.starts_with("HTTP/1.1 200 ")
    );
    for path in ["/v1/status", "/v1/history", "/v1/recovery", "/wireguard", "/"] {
        ensure!(get(&world, path)?.starts_with("HTTP/1.1 404 "), "{path} over TCP");
    }
    for secret in [TOKEN, SECOND_TOKEN] {
        ensure!(!answer.contains(secret) && !daemon.raw_lines().join("\n").contains(secret), "a secret is told");
    }
    scene.end(daemon)
}

/// FAULTS 77: readers without end have a bounded share of the daemon, and the engine has its turn.
#[test]
fn a_flood_of_scrapes_keeps_neither_a_reader_nor_the_engine_from_its_turn() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let daemon = scene.start(&[RECORDS, ("DDNS_METRICS_LISTEN", LISTEN)])?;
    wait_ready(&daemon)?;
    let open = || std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).map(Iterator::count);
    let before = open()?;
    let mark = daemon.mark();
    let over = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|threads| {
        let flood: Vec<_> = (0..READERS)
            .map(|_| {
                threads.spawn(|| {
                    let (mut answered, begun) = (0, Instant::now());
                    let wants = |answered| answered == 0 && begun.elapsed() < PATIENCE;
                    while !over.load(std::sync::atomic::Ordering::Relaxed) || wants(answered) {
                        answered += u32::from(get(&world, "/metrics").is_ok_and(|text| text.contains("ddns_ready")));
                    }
                    answered
                })
            })
            .collect();
        let during = (|| {
            world.swap_ipv4(HOST_IPV4, ipv4(2))?;
            wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.2")])?;
            ensure!(daemon.get("/healthz")?.0 == 200, "the admin socket has its own share");
            // Eight readers at a time, and what the engine needs for a change.
            for _ in 0..200 {
                let now = open()?;
                ensure!(now <= before + READERS / 2, "{now} descriptors after {before}");
            }
            Ok(())
        })();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        let answered: Vec<_> = flood.into_iter().map(|reader| reader.join().unwrap_or_default()).collect();
        during?;
        ensure!(answered.iter().all(|answered| *answered > 0), "each reader had its turn: {answered:?}");
        Ok(())
    })?;
    scene.end(daemon)
}

#[test]
fn a_real_collector_receives_the_metrics_and_a_trace_of_each_change() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let collector = collector(&world)?;
    let token = scene.path("otlp-token");
    std::fs::write(&token, SECOND_TOKEN)?;
    let daemon = scene.start(&[
        RECORDS,
        ("DDNS_OTLP_ENDPOINT", COLLECTOR),
        ("DDNS_OTLP_INTERVAL_SECS", "1"),
        ("DDNS_OTLP_TOKEN_FILE", &token),
    ])?;
    wait_ready(&daemon)?;
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(3))?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.3")])?;
    let change = |line: &&Value| is(line, "IP change detected", &[("to", "11.22.40.3")]);
    let proof = |line: &&Value| is(line, "DNS record verified", &[("address", "11.22.40.3")]);
    let lines = daemon.lines();
    let (change, proof) =
        (lines.iter().find(change).context("the change")?, lines.iter().find(proof).context("the proof")?);
    let at = |line: &Value, field: &str| line[field].as_u64().with_context(|| format!("{field} in {line}"));
    let took = at(proof, "at_ns")? - at(change, "kernel_ns").or_else(|_| at(change, "received_ns"))?;
    let text = wait_text(&collector, "ddns.address: Str(11.22.40.3)")?;
    let spans = spans(&text);
    let whole = spans.iter().find(|span| span.text.contains("ddns.address: Str(11.22.40.3)")).context("its span")?;
    ensure!(whole.name == "convergence" && whole.end - whole.start == took, "{took} ns: {}", whole.text);
    for part in ["ddns.record: Str(vpn.ddns.test)", "ddns.address.before: Str(11.22.33.44)", "ddns.rung: Str("] {
        ensure!(whole.text.contains(part), "no {part} in {}", whole.text);
    }
    let beneath: Vec<_> = spans.iter().filter(|span| span.parent == whole.id).collect();
    let names: Vec<_> = beneath.iter().map(|span| span.name.as_str()).collect();
    ensure!(names == ["hear", "decide", "write", "name servers", "prove"], "{names:?}");
    ensure!(beneath.iter().all(|span| whole.start <= span.start && span.start <= span.end && span.end <= whole.end));
    wait_text(&collector, "ddns.record.verified.timestamp")?;
    wait_text(&collector, "service.instance.id")?;
    ensure!(daemon.get("/metrics")?.0 == 200, "what is counted can be read as well");
    let told = format!("{}\n{}", daemon.raw_lines().join("\n"), collector.raw_lines().join("\n"));
    ensure!(!told.contains(TOKEN) && !told.contains(SECOND_TOKEN), "a secret is told");
    scene.end(daemon)
}

/// FAULTS 76: one that takes the request and never answers.
#[test]
fn a_collector_that_hangs_or_is_not_there_costs_one_line_and_its_data() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let silent = world.internet.enter(|| TcpListener::bind("192.0.2.53:4318"))??;
    let swallowing = thread::spawn(move || -> std::io::Result<Vec<TcpStream>> {
        // The first connection ends the listening: whoever comes later is refused.
        silent.accept().map(|(kept, _)| vec![kept])
    });
    let daemon = scene.start(&[RECORDS, ("DDNS_OTLP_ENDPOINT", COLLECTOR), ("DDNS_OTLP_INTERVAL_SECS", "1")])?;
    wait_ready(&daemon)?;
    let kept = swallowing.join().map_err(|_| anyhow::anyhow!("the listener panicked"))??;
    let mark = daemon.mark();
    world.swap_ipv4(HOST_IPV4, ipv4(4))?;
    wait_line(&daemon, mark, "DNS record verified", &[("address", "11.22.40.4")])?;
    let told = "The OTLP collector takes no telemetry; trying again";
    wait_line(&daemon, 0, told, &[("signal", "metrics")])?;
    let failed = "ddns_telemetry_exports_total{outcome=\"failed\",signal=\"metrics\"}";
    let begun = Instant::now();
    while value(&daemon.get("/metrics")?.1, failed) < Some(3.0) {
        ensure!(begun.elapsed() < PATIENCE, "{}", daemon.tail());
        thread::sleep(Duration::from_millis(50));
    }
    let lines = daemon.lines().iter().filter(|line| is(line, told, &[("signal", "metrics")])).count();
    ensure!(lines == 1 && daemon.get("/readyz")?.0 == 200, "{}", daemon.tail());
    drop(kept);
    scene.end(daemon)
}

/// The daemon in a mount namespace of its own, in which the journal's socket is ours.
#[test]
fn with_a_journal_each_line_is_an_entry_with_its_fields_and_without_one_nothing_starts() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    let directory = scene.path("journal");
    std::fs::create_dir(&directory)?;
    let journal = UnixDatagram::bind(Path::new(&directory).join("socket"))?;
    journal.set_read_timeout(Some(PATIENCE))?;
    let ddnsd = env!("CARGO_BIN_EXE_ddnsd");
    let start = |journal: &str| {
        let environment = scene.environment(&[RECORDS, ("DDNS_LOG_FORMAT", "journald"), ("PATH", "/usr/bin:/bin")]);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let script = format!(
            "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd && ln -s {journal} /run/systemd/journal && exec {ddnsd}"
        );
        let arguments = ["--mount", "--", "/bin/sh", "-c", &script];
        Daemon::start_with_arguments(Some(&world.host), Path::new("/usr/bin/unshare"), &arguments, &environment)
    };
    let mut refused = start("/nowhere")?;
    ensure!(refused.wait_exit(PATIENCE)?.code() == Some(2));
    let said = wait_text(&refused, "DDNS_LOG_FORMAT=journald: the journal can't be reached; use text or json")?;
    ensure!(!said.contains(TOKEN));

    let daemon = start(&directory)?;
    let mut entry = vec![0; 65_536];
    let begun = Instant::now();
    let verified = loop {
        let length = journal.recv(&mut entry)?;
        let text = String::from_utf8_lossy(&entry[..length]).into_owned();
        ensure!(!text.contains(TOKEN), "a secret is told");
        if text.contains("DNS record verified") {
            break text;
        }
        ensure!(begun.elapsed() < PATIENCE, "{}", daemon.tail());
    };
    // A field is NAME=value, or NAME, its length in eight octets, and the value.
    for field in ["MESSAGE", "PRIORITY", "DDNS_RECORD", "DDNS_ADDRESS", "DDNS_STAGE", "SYSLOG_IDENTIFIER"] {
        ensure!(verified.contains(field), "no {field} in {verified:?}");
    }
    ensure!(daemon.raw_lines().is_empty(), "standard error stays empty: {}", daemon.tail());
    scene.end(daemon)
}
