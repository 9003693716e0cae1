//! What it costs to look at ddnsd: a scrape of all metrics (time, processor, memory that stays), `ddnsd status`, and how often
//! the daemon wakes while nobody looks, with each exporter on and off. Needs root.

#[path = "../tests/netns/scene.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod scene;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_testbed::{Daemon, World};
use scene::{Scene, wait_ready};

const SCRAPES: usize = 500;
const STATUSES: usize = 50;
/// What a scrape and `ddnsd status` may take.
const GOALS: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(20)];
const IDLE: Duration = Duration::from_secs(60);

/// Kilobytes resident.
fn resident(daemon: &Daemon) -> Result<u64> {
    number(&fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?, "VmRSS:")
}

/// Times at which the kernel gave it the processor because something had woken it.
fn wakes(daemon: &Daemon) -> Result<u64> {
    let mut wakes = 0;
    for task in fs::read_dir(format!("/proc/{}/task", daemon.pid()))? {
        wakes += number(&fs::read_to_string(task?.path().join("status"))?, "voluntary_ctxt_switches:")?;
    }
    Ok(wakes)
}

fn number(text: &str, name: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| name.to_owned())?;
    line.split_whitespace().next().and_then(|number| number.parse().ok()).context("a number")
}

/// Nanoseconds on a processor, all threads together.
fn processor(daemon: &Daemon) -> Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{}/task", daemon.pid()))? {
        let stat = fs::read_to_string(task?.path().join("schedstat"))?;
        sum += stat.split(' ').next().and_then(|spent| spent.parse::<u64>().ok()).context("schedstat")?;
    }
    Ok(sum)
}

fn timed(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn scrapes(daemon: &Daemon) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..SCRAPES {
        let begun = Instant::now();
        let (status, text) = daemon.get("/metrics")?;
        times.push(begun.elapsed());
        ensure!(status == 200 && text.contains("ddns_ready"), "{status} {text}");
    }
    Ok(times)
}

fn looking(scene: &Scene<'_>) -> Result<()> {
    let daemon = scene.start(&[("DDNS_METRICS", "true"), ("DDNS_LOG_LEVEL", "info")])?;
    wait_ready(&daemon)?;
    scrapes(&daemon)?;
    let (memory, spent) = (resident(&daemon)?, processor(&daemon)?);
    let (median, p99) = timed(scrapes(&daemon)?);
    let on_processor = Duration::from_nanos((processor(&daemon)? - spent) / u64::try_from(SCRAPES)?);
    let octets = daemon.get("/metrics")?.1.len();
    println!(
        "scrape: median {median:.2?}, p99 {p99:.2?}, {on_processor:.2?} of the daemon's processor, {octets} octets"
    );
    println!("memory: {memory} kB after {SCRAPES} scrapes, {} kB after {SCRAPES} more", resident(&daemon)?);
    ensure!(median < GOALS[0], "a scrape shall take less than {:?}", GOALS[0]);

    let mut times = Vec::new();
    for _ in 0..STATUSES {
        let begun = Instant::now();
        let status = Command::new(Path::new(env!("CARGO_BIN_EXE_ddnsd")))
            .arg("status")
            .env_clear()
            .env("DDNS_ADMIN_SOCKET", scene.path("ddnsd.sock"))
            .stdout(Stdio::null())
            .status()?;
        times.push(begun.elapsed());
        ensure!(status.success(), "ddnsd status: {status}");
    }
    let (median, p99) = timed(times);
    println!("ddnsd status, the whole process: median {median:.2?}, p99 {p99:.2?}");
    ensure!(median < GOALS[1], "it shall take less than {:?}", GOALS[1]);
    scene.end(daemon)
}

fn idle(scene: &Scene<'_>) -> Result<()> {
    // Nobody listens there: each export is refused.
    let collector = ("DDNS_OTLP_ENDPOINT", "http://192.0.2.53:4318");
    let kinds: [(&str, &[(&str, &str)]); 4] = [
        ("all off", &[]),
        ("on the admin socket", &[("DDNS_METRICS", "true")]),
        ("over TCP", &[("DDNS_METRICS_LISTEN", "127.0.0.1:9853")]),
        ("by OTLP every 30 s", &[collector, ("DDNS_OTLP_INTERVAL_SECS", "30")]),
    ];
    for (number, (name, changes)) in kinds.into_iter().enumerate() {
        let (state, socket) = (scene.path(&format!("state-{number}")), scene.path(&format!("{number}.sock")));
        let mut environment = vec![
            ("DDNS_LOG_LEVEL", "info"),
            ("DDNS_PROBE_INTERVAL_SECS", "0"),
            ("DDNS_AUDIT_INTERVAL_SECS", "0"),
            ("DDNS_STATE_STORE_PATH", &state),
            ("DDNS_ADMIN_SOCKET", &socket),
        ];
        environment.extend(changes);
        let daemon = scene.start(&environment)?;
        wait_ready(&daemon)?;
        // What the start began comes to rest.
        thread::sleep(Duration::from_secs(10));
        let before = wakes(&daemon)?;
        thread::sleep(IDLE);
        println!(
            "wakes in {IDLE:?} while nothing happens, metrics {name}: {}; {} kB",
            wakes(&daemon)? - before,
            resident(&daemon)?
        );
    }
    Ok(())
}

fn main() -> Result<()> {
    let world = World::new()?;
    let scene = Scene::new(&world)?;
    looking(&scene)?;
    idle(&scene)
}
