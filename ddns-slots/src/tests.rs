use std::os::unix::fs::PermissionsExt;

use ddns_core::ports::LoadError;
use ddns_core::state::SavedState;
use tempfile::TempDir;

use super::*;

fn state(address: &str) -> SavedState {
    let json = format!(r#"{{"format":1,"records":{{"vpn.example.com A":{{"confirmed":"{address}"}}}}}}"#);
    SavedState::decode(json.as_bytes()).unwrap()
}

fn slots_in(directory: &TempDir) -> Slots {
    Slots::new(directory.path().to_owned())
}

fn reload(directory: &TempDir) -> Result<Option<SavedState>, LoadError> {
    slots_in(directory).load()
}

/// A directory after two saves: 11.0.0.1 in one slot, then 11.0.0.2 in the other.
fn two_saves() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut slots = slots_in(&directory);
    assert_eq!(slots.load().unwrap(), None);
    slots.save(&state("11.0.0.1").encode()).unwrap();
    slots.save(&state("11.0.0.2").encode()).unwrap();
    directory
}

fn newest_slot(directory: &TempDir) -> PathBuf {
    slot_path(directory.path(), 2)
}

/// FAULTS 52.
#[test]
fn a_second_process_is_kept_out_until_the_first_has_ended() {
    let directory = two_saves();
    let mut first = slots_in(&directory);
    first.load().unwrap();
    let error = reload(&directory).unwrap_err();
    assert!(matches!(error, LoadError::Inaccessible { .. }), "{error:?}");
    assert!(error.to_string().starts_with("another process uses the state in "), "{error}");
    first.load().unwrap();
    drop(first);
    assert_eq!(reload(&directory).unwrap(), Some(state("11.0.0.2")));
}

#[test]
fn the_newest_state_comes_back_and_saving_goes_on_from_there() {
    let directory = two_saves();
    let mut slots = slots_in(&directory);
    assert_eq!(slots.load().unwrap(), Some(state("11.0.0.2")));
    slots.save(&state("11.0.0.3").encode()).unwrap();
    drop(slots);
    assert_eq!(reload(&directory).unwrap(), Some(state("11.0.0.3")));
    let mode = fs::metadata(newest_slot(&directory)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

/// Every octet of the newest slot, damaged in turn: the state saved before comes back, and the evidence is kept.
#[test]
fn a_damaged_slot_is_kept_as_evidence_and_the_other_one_is_used() {
    let whole = fs::read(newest_slot(&two_saves())).unwrap();
    for at in 0..whole.len() {
        let directory = two_saves();
        let mut octets = whole.clone();
        octets[at] ^= 0x10;
        fs::write(newest_slot(&directory), octets).unwrap();
        assert_eq!(reload(&directory).unwrap(), Some(state("11.0.0.1")), "octet {at}");
        let evidence = fs::read_dir(directory.path()).unwrap().filter(|entry| {
            entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().contains(".corrupt-"))
        });
        assert_eq!(evidence.count(), 1);
    }
    for length in 0..whole.len() {
        let directory = two_saves();
        fs::write(newest_slot(&directory), &whole[..length]).unwrap();
        assert_eq!(reload(&directory).unwrap(), Some(state("11.0.0.1")), "{length} octets");
    }
}

#[test]
fn two_damaged_slots_are_not_an_empty_state() {
    let directory = two_saves();
    for name in SLOTS {
        fs::write(directory.path().join(name), b"").unwrap();
    }
    assert!(matches!(reload(&directory), Err(LoadError::Corrupt { what }) if what.contains("state.0")));
    assert!(SLOTS.iter().all(|name| directory.path().join(name).exists()));
}

/// What a crash leaves behind: a temporary file, whole or not, is no state.
#[test]
fn a_save_that_broke_off_leaves_the_state_before() {
    let directory = two_saves();
    fs::write(slot_path(directory.path(), 3).with_added_extension("tmp"), b"half").unwrap();
    assert_eq!(reload(&directory).unwrap(), Some(state("11.0.0.2")));
}

#[test]
fn a_newer_format_is_refused_and_kept() {
    let directory = two_saves();
    let newer = Slot::encode(3, br#"{"format":3,"records":{}}"#);
    fs::write(slot_path(directory.path(), 3), &newer).unwrap();
    assert!(matches!(reload(&directory), Err(LoadError::Newer { found: 3, known: 2, .. })));
    assert_eq!(fs::read(slot_path(directory.path(), 3)).unwrap(), newer);
}

/// FAULTS 51: path, user and remedy are named.
#[test]
fn a_place_that_cannot_be_written_is_named_with_user_and_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Slots::new(file.join("below")).load().unwrap_err();
    let said = ddns_core::error_chain(&error);
    let uid = rustix::process::geteuid().as_raw();
    assert!(said.contains(&format!("user {uid} cannot use {}", file.join("below").display())), "{said}");
    assert!(said.contains("DDNS_STATE_STORE_PATH"), "{said}");
}

#[test]
fn after_the_greatest_generation_comes_the_least_and_it_is_the_newer_one() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(slot_path(directory.path(), u64::MAX), Slot::encode(u64::MAX, &state("11.0.0.1").encode())).unwrap();
    let mut slots = slots_in(&directory);
    assert_eq!(slots.load().unwrap(), Some(state("11.0.0.1")));
    slots.save(&state("11.0.0.2").encode()).unwrap();
    drop(slots);
    assert_eq!(reload(&directory).unwrap(), Some(state("11.0.0.2")));
}
