use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ddns_core::ports::StateStore;
use ddns_store_file::FileStore;
use tempfile::TempDir;

use crate::{sled_in, state};

fn ddnsd(place: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddnsd"));
    command.arg("state").args(arguments).env_clear().env("DDNS_STATE_STORE_PATH", place).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn saved(address: &str) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let store = sled_in(place.path());
    store.load().await.unwrap();
    store.save(&state(address)).await.unwrap();
    store.settle();
    place
}

#[tokio::test]
async fn an_export_prints_the_state_beside_a_running_store() {
    let place = saved("11.0.0.1").await;
    let store = sled_in(place.path());
    store.load().await.unwrap();
    store.save(&state("11.0.0.2")).await.unwrap();
    let output = ddnsd(place.path(), &["export"]);
    assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
    assert_eq!(output.stdout.trim_ascii(), state("11.0.0.2").encode());
    fs::write(place.path().join("state.0"), b"").unwrap();
    let output = ddnsd(place.path(), &["export"]);
    assert_eq!(output.stdout.trim_ascii(), state("11.0.0.1").encode());
    assert!(said(&output).contains("may not be the newest"), "{}", said(&output));
}

#[test]
fn without_a_state_there_is_no_export_and_the_reason_is_told() {
    let place = tempfile::tempdir().unwrap();
    let output = ddnsd(place.path(), &["export"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("no state is saved in "), "{}", said(&output));
    let mut command = Command::new(env!("CARGO_BIN_EXE_ddnsd"));
    let output = command.args(["state", "export"]).env_clear().env("DDNS_STATE_STORE_TYPE", "memory").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("this store keeps no state"), "{}", said(&output));
}

/// What is restored is what any store finds, also where every copy was damaged; what was there is kept.
#[tokio::test]
async fn a_restored_state_is_the_newest_and_the_one_before_is_kept() {
    let harms: [fn(&Path); 3] = [
        |_| {},
        |place| fs::write(place.join("state.1"), b"").unwrap(),
        |place| {
            fs::write(place.join("state.1"), b"").unwrap();
            fs::write(place.join("sled/db"), b"").unwrap();
        },
    ];
    for harm in harms {
        let (place, other) = (saved("11.0.0.1").await, saved("11.0.0.9").await);
        harm(place.path());
        let before = fs::read(place.path().join("state.1")).unwrap();
        let file = other.path().join("export.json");
        fs::write(&file, ddnsd(other.path(), &["export"]).stdout).unwrap();
        let output = ddnsd(place.path(), &["restore", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let told = String::from_utf8(output.stdout).unwrap();
        let kept: Vec<_> = told.lines().filter_map(|line| line.strip_prefix("kept: ")).collect();
        assert_eq!(kept.len(), 2, "{told}");
        assert!(kept.iter().any(|path| fs::read(path).is_ok_and(|octets| octets == before)), "{told}");
        for _ in 0..2 {
            let store = sled_in(place.path());
            assert_eq!(store.load().await.unwrap(), Some(state("11.0.0.9")));
            store.settle();
            drop(store);
            assert_eq!(FileStore::new(place.path().to_owned()).load().await.unwrap(), Some(state("11.0.0.9")));
        }
    }
}

#[tokio::test]
async fn a_restore_refuses_nonsense_a_newer_format_and_a_place_in_use() {
    let place = saved("11.0.0.1").await;
    let file = place.path().join("import.json");
    for (content, reason) in [
        (&b"nonsense"[..], "is no state to restore: not a saved state"),
        (br#"{"format":999,"records":{}}"#, "format 999 is newer than"),
    ] {
        fs::write(&file, content).unwrap();
        let output = ddnsd(place.path(), &["restore", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(reason), "{}", said(&output));
    }
    let output = ddnsd(place.path(), &["restore", "/nonexistent"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("cannot read /nonexistent"), "{}", said(&output));

    fs::write(&file, state("11.0.0.9").encode()).unwrap();
    let store = sled_in(place.path());
    store.load().await.unwrap();
    let output = ddnsd(place.path(), &["restore", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("another process uses the state in "), "{}", said(&output));
    drop(store);
    assert_eq!(sled_in(place.path()).load().await.unwrap(), Some(state("11.0.0.1")));
}
