//! What the engine relies on of every store, held against each of them; and what the `sled` store promises beyond, with
//! the real ddnsd as its worker.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod contract;
mod sled_copy;
mod verbs;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ddns_core::state::SavedState;
use ddns_store_sled::{Program, SledStore};

fn state(address: &str) -> SavedState {
    decoded(&format!(r#"{{"format":1,"records":{{"vpn.example.com A":{{"confirmed":"{address}"}}}}}}"#))
}

fn decoded(json: &str) -> SavedState {
    SavedState::decode(json.as_bytes()).unwrap()
}

/// A store whose workers are the real ones, and begin at once.
fn sled_in(directory: &Path) -> SledStore {
    let program: Program = Arc::new(|| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ddnsd"));
        command.env_clear().arg("store-worker");
        command
    });
    SledStore::resting(directory.to_owned(), program, Duration::ZERO)
}
