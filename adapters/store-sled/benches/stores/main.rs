//! What a durable save costs in each store, how large the stores become in ten years, and what each way to run sled
//! leaves behind in the process.

#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

mod design;
mod grown;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ddns_core::memory_store::MemoryStore;
use ddns_core::ports::StateStore;
use ddns_store_file::FileStore;
use ddns_store_sled::{Program, SledStore};
use grown::{RECORDS, grown, young};
use tokio::runtime::Runtime;

const SAVES: u32 = 1000;
const YEARS: u32 = 10;
/// After a change of an address: begun, acknowledged, proven.
const SAVES_A_DAY: u32 = 3;
/// What the directory of a store may take, whatever its age.
const BOUND: u64 = 8 << 20;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_deref().and_then(|first| first.to_str()) {
        Some("worker") => return ddns_store_sled::worker(arguments),
        Some("design") => return design::run(arguments),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    saves(&runtime);
    years(&runtime);
    design::all();
    ExitCode::SUCCESS
}

fn program() -> Program {
    let me = std::env::current_exe().unwrap();
    Arc::new(move || {
        let mut command = Command::new(&me);
        command.arg("worker");
        command
    })
}

/// Median and 99th percentile.
fn quantiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

/// A directory on the disk that the workspace is on; the one for temporary files may be in memory.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn saves(runtime: &Runtime) {
    println!("| a durable save, {RECORDS} records | median | p99 |\n| --- | --- | --- |");
    let measure = |name: &str, store: &dyn StateStore, days: u32| {
        runtime.block_on(store.load()).unwrap();
        let times = (1..=SAVES).map(|serial| {
            let state = grown(serial, days);
            let begin = Instant::now();
            runtime.block_on(store.save(&state)).unwrap();
            begin.elapsed()
        });
        let (median, p99) = quantiles(times.collect());
        println!("| {name} | {median:.1?} | {p99:.1?} |");
    };
    measure("memory", &MemoryStore::default(), 0);
    let (file, sled) = (directory(), directory());
    let store = FileStore::new(file.path().to_owned());
    measure("file", &store, 0);
    measure("file, with the history of ten years", &store, YEARS * 365);
    let store = SledStore::new(sled.path().to_owned(), program());
    measure("sled: the slot, which is what a save waits for", &store, 0);
    store.settle();
    drop(store);
    let store = SledStore::resting(sled.path().to_owned(), program(), Duration::ZERO);
    runtime.block_on(store.load()).unwrap();
    store.settle();
    let times = (1..=SAVES / 5).map(|serial| {
        runtime.block_on(store.save(&young(SAVES + serial))).unwrap();
        let begin = Instant::now();
        store.settle();
        begin.elapsed()
    });
    let (median, p99) = quantiles(times.collect());
    println!("| sled: the copy, from the start of the worker to its end | {median:.1?} | {p99:.1?} |\n");
}

fn size(path: &Path) -> u64 {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    if !metadata.is_dir() {
        return metadata.len();
    }
    std::fs::read_dir(path).unwrap().map(|entry| size(&entry.unwrap().path())).sum()
}

fn years(runtime: &Runtime) {
    println!("| octets after years of a change and an outage a day | file | sled |\n| --- | --- | --- |");
    let (in_file, in_sled) = (directory(), directory());
    let file = FileStore::new(in_file.path().to_owned());
    let sled = SledStore::resting(in_sled.path().to_owned(), program(), Duration::ZERO);
    runtime.block_on(file.load()).unwrap();
    runtime.block_on(sled.load()).unwrap();
    let mut largest = 0;
    for day in 0..YEARS * 365 {
        for save in 1..=SAVES_A_DAY {
            let state = grown(day * SAVES_A_DAY + save, day);
            runtime.block_on(file.save(&state)).unwrap();
            runtime.block_on(sled.save(&state)).unwrap();
        }
        sled.settle();
        largest = largest.max(size(in_sled.path()));
        if day % 365 == 364 {
            println!("| {} | {} | {} |", (day + 1) / 365, size(in_file.path()), size(in_sled.path()));
        }
    }
    println!("| at most | {} | {largest} |\n", size(in_file.path()));
    assert!(largest < BOUND, "the sled store grew to {largest} octets");
}
