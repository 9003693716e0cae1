use std::fs;
use std::path::Path;

use ddns_core::ports::{LoadError, StateStore};
use ddns_core::state::SavedState;
use ddns_store_file::FileStore;
use tokio::runtime::{Builder, Runtime};

/// The octets that a store gives back.
pub fn saved_state(octets: &[u8]) {
    if let Ok(state) = SavedState::decode(octets) {
        let again = SavedState::decode(&state.encode()).expect("what was written is read");
        assert_eq!(again, state);
    }
}

/// A slot of the file store: in one slot as it is, in the other with length and checksum put right.
pub fn state_slots(octets: &[u8]) {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().build().expect("a runtime");
    }
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, octets: &[u8]| fs::write(directory.path().join(name), octets).expect("a slot");
    write("state.0", octets);
    write("state.1", &put_right(octets));
    RUNTIME.with(|runtime| runtime.block_on(use_store(directory.path())));
}

async fn use_store(directory: &Path) {
    let store = FileStore::new(directory.to_owned());
    match store.load().await {
        Ok(Some(_)) => {
            let state = SavedState::default();
            store.save(&state).await.expect("a store that was read can be written");
            drop(store);
            let found = FileStore::new(directory.to_owned()).load().await.expect("a state that was saved is there");
            assert_eq!(found, Some(state), "an older state came back");
        }
        Ok(None) => panic!("damaged slots were taken for an empty state"),
        Err(LoadError::Corrupt { .. } | LoadError::Newer { .. }) => {
            assert!(["state.0", "state.1"].iter().all(|slot| directory.join(slot).exists()), "evidence is gone");
        }
        Err(error @ LoadError::Inaccessible { .. }) => panic!("{error}"),
    }
}

/// The layout of a slot: magic (8), layout (4), generation (8), length (4), checksum (4), content.
fn put_right(octets: &[u8]) -> Vec<u8> {
    let mut slot = octets.to_vec();
    if let Some((head, content)) = octets.split_at_checked(28) {
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
        let head = [b"ddnsslot\0\0\0\x01".as_slice(), &head[12..20], &length].concat();
        let sum = crc32fast::hash(&[&head, content].concat()).to_be_bytes();
        slot = [&head, sum.as_slice(), content].concat();
    }
    slot
}
