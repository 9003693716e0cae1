//! The committed corpus, through every target's body.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn replay(target: &str, body: fn(&[u8])) {
    let mut replayed = 0;
    for entry in fs::read_dir(directory("corpus").join(target)).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| body(&input))).is_ok(), "{}", path.display());
        replayed += 1;
    }
    assert!(replayed > 0, "the corpus of {target} is empty");
}

macro_rules! targets {
    ($($target:ident)*) => {
        const TARGETS: &[&str] = &[$(stringify!($target)),*];
        $(
            #[test]
            fn $target() {
                replay(stringify!($target), ddns_fuzz::$target);
            }
        )*
    };
}

targets!(
    announcement cloudflare dns dynamic_update echo environment netlink plug_answer ring_record router saved_state state_slots
    stun tsig_key whoami wireguard
);

#[test]
fn every_target_has_a_corpus_and_every_corpus_a_target() {
    let names = |directory_name: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(directory(directory_name)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| (*target).to_owned()).collect();
    assert_eq!(names("corpus"), targets);
    assert_eq!(names("fuzz_targets"), targets);
}
