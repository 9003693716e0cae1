use std::fs;
use std::path::Path;
use std::sync::Arc;

use ddns_core::memory_store::MemoryStore;
use ddns_core::ports::{LoadError, StateStore};
use ddns_core::state::SavedState;
use ddns_store_file::FileStore;

use crate::{decoded, sled_in, state};

/// Opens the store of a place anew.
type Open<'a> = &'a dyn Fn() -> Arc<dyn StateStore>;

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    let places = || {
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
        move || Arc::clone(&store)
    };
    for check in CHECKS {
        check(&places()).await;
    }
}

#[tokio::test]
async fn the_file_store_keeps_the_contract() {
    on_a_disk(|path| Arc::new(FileStore::new(path.to_owned()))).await;
}

#[tokio::test]
async fn the_sled_store_keeps_the_contract() {
    on_a_disk(|path| Arc::new(sled_in(path))).await;
}

async fn on_a_disk(open: fn(&Path) -> Arc<dyn StateStore>) {
    for check in CHECKS {
        let place = tempfile::tempdir().unwrap();
        check(&|| open(&place.path().join("made/at/need"))).await;
    }
    one_process_at_a_time(open).await;
    a_newer_format_is_left_alone(open).await;
    a_place_in_the_way_is_named(open).await;
    neither_slot_nor_silence(open).await;
}

type Check = fn(Open<'_>) -> std::pin::Pin<Box<dyn Future<Output = ()> + '_>>;

const CHECKS: [Check; 4] = [
    |open| Box::pin(nothing_is_there_at_first(open)),
    |open| Box::pin(the_last_save_comes_back(open)),
    |open| Box::pin(every_kind_of_state_comes_back(open)),
    |open| Box::pin(saves_at_once_leave_one_of_them(open)),
];

async fn nothing_is_there_at_first(open: Open<'_>) {
    let store = open();
    assert_eq!(store.load().await.unwrap(), None);
    assert_eq!(store.load().await.unwrap(), None);
    drop(store);
    assert_eq!(open().load().await.unwrap(), None);
}

async fn the_last_save_comes_back(open: Open<'_>) {
    let mut expected = None;
    for round in 0..5 {
        let store = open();
        assert_eq!(store.load().await.unwrap(), expected);
        for save in 0..=round {
            let saved = state(&format!("11.0.{round}.{save}"));
            store.save(&saved).await.unwrap();
            expected = Some(saved);
        }
        assert_eq!(store.load().await.unwrap(), expected, "asked again in the same process");
    }
}

async fn every_kind_of_state_comes_back(open: Open<'_>) {
    let many: Vec<_> = (0..10_000).map(|n| format!(r#""host-{n}.example.com AAAA":{{"written_at":{n}}}"#)).collect();
    let full = r#"{"format":1,"records":{"a/b~c \u0000\u00fc A":{"confirmed":"11.0.0.1","pending":"11.0.0.2",
        "written_at":18446744073709551615,"asked_until":0,"proxied":true,"handle":"z/r"}}}"#;
    let all = [
        SavedState::default(),
        decoded(full),
        decoded(&format!(r#"{{"format":1,"records":{{{}}}}}"#, many.join(","))),
        SavedState::default(),
    ];
    for saved in all {
        let store = open();
        store.load().await.unwrap();
        store.save(&saved).await.unwrap();
        drop(store);
        assert_eq!(open().load().await.unwrap(), Some(saved), "an empty state is one, too");
    }
}

async fn saves_at_once_leave_one_of_them(open: Open<'_>) {
    let store = open();
    store.load().await.unwrap();
    let states: Vec<_> = (0..20).map(|n| state(&format!("11.0.0.{n}"))).collect();
    for saved in futures_util::future::join_all(states.iter().map(|state| store.save(state))).await {
        saved.unwrap();
    }
    drop(store);
    assert!(states.contains(&open().load().await.unwrap().unwrap()));
}

/// FAULTS 52.
async fn one_process_at_a_time(open: fn(&Path) -> Arc<dyn StateStore>) {
    let place = tempfile::tempdir().unwrap();
    let first = open(place.path());
    first.load().await.unwrap();
    let error = open(place.path()).load().await.unwrap_err();
    let said = ddns_core::error_chain(&error);
    assert!(matches!(error, LoadError::Inaccessible { .. }), "{said}");
    for part in ["another process uses the state in ", &place.path().display().to_string(), "DDNS_STATE_STORE_PATH"] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    drop(first);
    open(place.path()).load().await.unwrap();
}

/// FAULTS 53: also after a downgrade nothing is written over, in the slots or beside them.
async fn a_newer_format_is_left_alone(open: fn(&Path) -> Arc<dyn StateStore>) {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    store.load().await.unwrap();
    store.save(&state("11.0.0.1")).await.unwrap();
    drop(store);
    let slot = place.path().join("state.1");
    // The layout of a slot: magic (8), layout (4), generation (8), length (4), checksum (4), content.
    let content = br#"{"format":4294967295,"anything":true}"#;
    let mut octets = fs::read(&slot).unwrap()[..20].to_vec();
    octets.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
    let sum = crc32(&[&octets, content.as_slice()].concat());
    octets.extend(sum.to_be_bytes());
    octets.extend(content);
    fs::write(&slot, &octets).unwrap();
    let error = open(place.path()).load().await.unwrap_err();
    assert!(matches!(error, LoadError::Newer { found: u32::MAX, .. }), "{error:?}");
    assert!(error.to_string().contains("run the newer version"), "{error}");
    assert_eq!(fs::read(&slot).unwrap(), octets);
}

/// CRC-32 as in ITU-T V.42.
fn crc32(octets: &[u8]) -> u32 {
    let step = |sum: u32, octet: &u8| {
        (0..8).fold(sum ^ u32::from(*octet), |sum, _| (sum >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(sum & 1)))
    };
    !octets.iter().fold(!0, step)
}

/// FAULTS 51.
async fn a_place_in_the_way_is_named(open: fn(&Path) -> Arc<dyn StateStore>) {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, b"in the way").unwrap();
    let said = ddns_core::error_chain(&open(&file.join("below")).load().await.unwrap_err());
    for part in [&*file.display().to_string(), "user ", "DDNS_STATE_STORE_PATH"] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
}

/// FAULTS 48: with every copy damaged there is an error, and all is left as it is.
/// Waits for workers that still write there.
fn workers_end(place: &Path) {
    let place = place.as_os_str().as_encoded_bytes();
    let works = |entry: fs::DirEntry| {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        arguments.windows(place.len()).any(|part| part == place)
    };
    while fs::read_dir("/proc").unwrap().flatten().any(works) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

async fn neither_slot_nor_silence(open: fn(&Path) -> Arc<dyn StateStore>) {
    let place = tempfile::tempdir().unwrap();
    let store = open(place.path());
    store.load().await.unwrap();
    store.save(&state("11.0.0.1")).await.unwrap();
    store.save(&state("11.0.0.2")).await.unwrap();
    drop(store);
    workers_end(place.path());
    for name in ["state.0", "state.1", "sled/db", "sled/conf"] {
        let path = place.path().join(name);
        if path.exists() {
            fs::write(path, b"nonsense").unwrap();
        }
    }
    for _ in 0..2 {
        let error = open(place.path()).load().await.unwrap_err();
        let LoadError::Corrupt { what } = &error else { panic!("{error:?}") };
        assert!(what.contains("state.0") && what.contains("state.1") && what.contains("move them away"), "{what}");
        assert_eq!(fs::read(place.path().join("state.1")).unwrap(), b"nonsense");
    }
}
