use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ddns_core::ports::{LoadError, StateStore};
use ddns_core::state::SavedState;
use ddns_store_sled::SledStore;
use tempfile::TempDir;

use crate::{sled_in, state};

/// A place with 11.0.0.1, then 11.0.0.2, both in the copy as well.
async fn two_saves() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let store = sled_in(place.path());
    store.load().await.unwrap();
    for address in ["11.0.0.1", "11.0.0.2"] {
        store.save(&state(address)).await.unwrap();
        store.settle();
    }
    place
}

async fn reload(place: &TempDir) -> Result<Option<SavedState>, LoadError> {
    let store = sled_in(place.path());
    let loaded = store.load().await;
    store.settle();
    loaded
}

/// What a worker says of the copy.
fn copy(place: &Path) -> String {
    let mut worker = Command::new(env!("CARGO_BIN_EXE_ddnsd"));
    let output = worker.args(["store-worker", "read"]).arg(place).env_clear().output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn beside(place: &TempDir, part: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.display().to_string().contains(part)).collect()
}

#[tokio::test]
async fn the_copy_follows_every_save() {
    let place = two_saves().await;
    let said = copy(place.path());
    assert!(said.contains("11.0.0.2") && said.contains("\"generation\":2"), "{said}");
}

/// FAULTS 47: whatever happens to both slots, the copy has what was acknowledged, and fills a slot again.
#[tokio::test]
async fn a_state_that_is_in_no_slot_comes_from_the_copy() {
    let harms: [fn(&Path); 2] = [|slot| fs::remove_file(slot).unwrap(), |slot| fs::write(slot, b"").unwrap()];
    for slots in [&["state.0"][..], &["state.0", "state.1"]] {
        for harm in harms {
            let place = two_saves().await;
            slots.iter().for_each(|slot| harm(&place.path().join(slot)));
            assert_eq!(reload(&place).await.unwrap(), Some(state("11.0.0.2")));
            fs::remove_dir_all(place.path().join("sled")).unwrap();
            assert_eq!(reload(&place).await.unwrap(), Some(state("11.0.0.2")), "it is in a slot again");
        }
    }
}

/// FAULTS 47: every file of sled, cut, zeroed or deleted: the slots have the state, the evidence is kept, the copy is
/// made anew. No more than three are kept.
#[tokio::test]
async fn a_damaged_copy_is_moved_aside_and_made_anew() {
    let harms: [fn(&Path); 3] = [
        |file| fs::write(file, b"").unwrap(),
        |file| fs::write(file, vec![0; fs::read(file).unwrap().len()]).unwrap(),
        |file| fs::remove_file(file).unwrap(),
    ];
    let place = two_saves().await;
    for _ in 0..2 {
        for harm in harms {
            harm(&place.path().join("sled/db"));
            assert_eq!(reload(&place).await.unwrap(), Some(state("11.0.0.2")));
            let said = copy(place.path());
            assert!(said.contains("11.0.0.2"), "{said}");
        }
    }
    assert_eq!(beside(&place, "sled.quarantine-").len(), 3);
}

/// FAULTS 48.
#[tokio::test]
async fn a_copy_that_is_gone_with_the_slots_is_not_an_empty_state() {
    for gone in [&["sled"][..], &["sled", "state.0"], &["sled", "state.0", "state.1"]] {
        let place = two_saves().await;
        for name in gone {
            let path = place.path().join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        let loaded = reload(&place).await;
        match gone.len() {
            1 => assert_eq!(loaded.unwrap(), Some(state("11.0.0.2"))),
            2 => assert_eq!(loaded.unwrap(), Some(state("11.0.0.1")), "one slot is left, and one copy lost more"),
            _ => {
                assert!(matches!(loaded, Err(LoadError::Corrupt { what }) if what.contains("the slots are gone")));
                assert!(!place.path().join("sled").exists(), "to look is not to make");
            }
        }
    }
}

/// A copy that fell back to an older state opens without a complaint; what it had kept is written down beside it.
#[tokio::test]
async fn a_copy_that_fell_back_is_found_out() {
    let place = two_saves().await;
    let old = tempfile::tempdir().unwrap();
    let older = old.path().join("sled");
    Command::new("cp").arg("-r").arg(place.path().join("sled")).arg(&older).status().unwrap();
    let store = sled_in(place.path());
    store.load().await.unwrap();
    store.save(&state("11.0.0.3")).await.unwrap();
    store.settle();
    drop(store);
    fs::remove_dir_all(place.path().join("sled")).unwrap();
    fs::rename(&older, place.path().join("sled")).unwrap();
    assert!(copy(place.path()).contains("fell back to generation 2, and had kept 3"), "{}", copy(place.path()));
    assert_eq!(reload(&place).await.unwrap(), Some(state("11.0.0.3")));
    assert_eq!(beside(&place, "sled.quarantine-").len(), 1);
    assert!(copy(place.path()).contains("11.0.0.3"));
}

/// FAULTS 54: what a kill leaves while sled writes a snapshot; the newest of its snapshots, on which sled fails.
#[tokio::test]
async fn a_broken_snapshot_is_removed_and_nothing_else() {
    let place = two_saves().await;
    let whole = fs::read_dir(place.path().join("sled")).unwrap().map(|entry| entry.unwrap().path());
    let whole = whole.into_iter().find(|path| path.display().to_string().contains("snap.")).unwrap();
    for snapshot in [whole.with_added_extension("generating"), whole.with_file_name("snap.FFFFFFFFFFFFFFFF.generating")]
    {
        for content in [&b""[..], b"half"] {
            fs::write(&snapshot, content).unwrap();
            assert_eq!(reload(&place).await.unwrap(), Some(state("11.0.0.2")));
            assert!(!snapshot.exists());
            assert!(copy(place.path()).contains("11.0.0.2"));
            assert_eq!(beside(&place, "sled.quarantine-"), Vec::<PathBuf>::new());
        }
    }
}

/// FAULTS 10 and 47: a worker that dies, says nonsense, hangs or can't be started costs the copy, never the state.
#[tokio::test]
async fn a_worker_of_no_use_costs_only_the_copy() {
    let programs: [fn() -> Command; 4] = [
        || Command::new("false"),
        || Command::new("echo"),
        || Command::new("/nonexistent"),
        || {
            let mut command = Command::new("sh");
            command.args(["-c", "exec sleep 1000"]);
            command
        },
    ];
    for (nth, program) in programs.into_iter().enumerate() {
        let place = two_saves().await;
        let open = || SledStore::resting(place.path().to_owned(), Arc::new(program), Duration::ZERO);
        let store = open();
        assert_eq!(store.load().await.unwrap(), Some(state("11.0.0.2")));
        store.save(&state("11.0.0.3")).await.unwrap();
        if nth < 3 {
            store.settle();
        }
        // The lock goes with the store, its thread may stay until its worker's time is over.
        drop(store);
        fs::write(place.path().join("state.1"), b"").unwrap();
        assert_eq!(open().load().await.unwrap(), Some(state("11.0.0.2")), "the other slot, program {nth}");
        // A worker that works brings the copy up to the slots, and nothing had to be moved aside.
        fs::write(place.path().join("state.1"), b"").unwrap();
        assert_eq!(reload(&place).await.unwrap(), Some(state("11.0.0.2")));
        assert_eq!(beside(&place, "sled.quarantine-"), Vec::<PathBuf>::new());
    }
}

#[tokio::test]
async fn a_copy_that_grew_out_of_proportion_is_made_anew() {
    let place = two_saves().await;
    let filler = place.path().join("sled/filler");
    fs::write(&filler, vec![0; 5 << 20]).unwrap();
    assert_eq!(reload(&place).await.unwrap(), Some(state("11.0.0.2")));
    assert!(!filler.exists());
    assert!(copy(place.path()).contains("11.0.0.2"));
    assert_eq!(beside(&place, "sled.quarantine-"), Vec::<PathBuf>::new());
}
