//! What is left of a save in the process: alone in its program, since it counts the program's threads.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ddns_core::ports::StateStore;
use ddns_core::state::SavedState;
use ddns_store_sled::SledStore;

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn processes() -> String {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let children = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok());
    children.collect()
}

/// sled's own threads would wake several times a second from the first write on.
#[test]
fn a_save_leaves_no_thread_and_no_process_behind() {
    let before = threads();
    let runtime =
        tokio::runtime::Builder::new_current_thread().thread_keep_alive(Duration::from_millis(10)).build().unwrap();
    let place = tempfile::tempdir().unwrap();
    let program = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ddnsd"));
        command.arg("store-worker");
        command
    };
    let store = SledStore::resting(place.path().to_owned(), Arc::new(program), Duration::ZERO);
    runtime.block_on(store.load()).unwrap();
    runtime.block_on(store.save(&SavedState::default())).unwrap();
    store.settle();
    let until = Instant::now() + Duration::from_secs(20);
    while (threads(), processes().as_str()) != (before, "") {
        assert!(Instant::now() < until, "{} threads, {before} before; processes {:?}", threads(), processes());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(place.path().join("sled/db").exists(), "the copy was made");
}
