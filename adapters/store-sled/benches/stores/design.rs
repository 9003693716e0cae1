//! The ways to run sled, each in a process of its own that saves and is then idle.

use std::ffi::OsString;
use std::fs;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use ddns_core::ports::StateStore;
use ddns_store_sled::SledStore;

use crate::grown::young;
use crate::{directory, program, quantiles};

const SAVES: u32 = 50;
const IDLE: Duration = Duration::from_secs(10);

const DESIGNS: [(&str, &str); 3] = [
    ("open", "in the process, open for good"),
    ("drop", "in the process, opened and dropped for each save"),
    ("worker", "in a worker process for each save"),
];

pub fn all() {
    println!("| sled | a save | threads left | wake-ups/s when idle |\n| --- | --- | --- | --- |");
    for (design, meaning) in DESIGNS {
        let me = std::env::current_exe().unwrap();
        let output = Command::new(me).args(["design", design]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        println!("| {meaning} | {} |", String::from_utf8_lossy(&output.stdout).trim_end());
    }
}

pub fn run(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let design = arguments.next().unwrap_or_default();
    let directory = directory();
    let open = || {
        let config = sled::Config::default().path(directory.path().join("sled")).cache_capacity(1 << 20);
        config.segment_size(64 << 10).flush_every_ms(None).open().unwrap()
    };
    let save = |db: &sled::Db, serial: u32| {
        db.insert("state", young(serial).encode()).unwrap();
        db.flush().unwrap();
        fs::File::open(directory.path().join("sled/db")).unwrap().sync_all().unwrap();
    };
    let mut times = Vec::new();
    let mut kept = None;
    let timed = |times: &mut Vec<Duration>, work: &mut dyn FnMut(u32)| {
        for serial in 1..=SAVES {
            let begin = Instant::now();
            work(serial);
            times.push(begin.elapsed());
        }
    };
    match design.to_str() {
        Some("open") => {
            let db = open();
            timed(&mut times, &mut |serial| save(&db, serial));
            kept = Some(db);
        }
        Some("drop") => timed(&mut times, &mut |serial| save(&open(), serial)),
        Some("worker") => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .thread_keep_alive(Duration::from_millis(100))
                .build()
                .unwrap();
            let store = SledStore::resting(directory.path().to_owned(), program(), Duration::ZERO);
            runtime.block_on(store.load()).unwrap();
            timed(&mut times, &mut |serial| {
                runtime.block_on(store.save(&young(serial))).unwrap();
                store.settle();
            });
        }
        _ => return ExitCode::FAILURE,
    }
    std::thread::sleep(Duration::from_secs(1));
    let before = switches();
    std::thread::sleep(IDLE);
    // The one of this sleep is not theirs.
    let woken = switches().saturating_sub(before + 1);
    let threads = fs::read_dir("/proc/self/task").unwrap().count() - 1;
    let (median, p99) = quantiles(times);
    println!("{median:.1?} (p99 {p99:.1?}) | {threads} | {:.1}", f64::from(woken) / IDLE.as_secs_f64());
    drop(kept);
    ExitCode::SUCCESS
}

/// Voluntary context switches of all threads.
fn switches() -> u32 {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let of = |status: String| {
        let mut counts = status.lines().filter_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        counts.find_map(|count| count.trim().parse::<u32>().ok()).unwrap_or(0)
    };
    let each = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    each.map(of).sum()
}
