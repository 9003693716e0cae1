//! StateStore in two alternating checksummed slots.
//!
//! **At every moment one slot is whole.** A save goes into the older slot by write, fsync, rename and fsync of the
//! directory; a crash at any point leaves the newer one as it was. A damaged slot is kept as evidence and the other one
//! is used; two damaged slots are never taken for an empty state.

mod factory;
mod slot;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use ddns_core::ports::{LoadError, SaveError, StateStore};
use ddns_core::state::{DecodeError, STATE_FORMAT, SavedState};

pub use factory::{FileStoreFactory, STATE_STORE_PATH};
use slot::{Slot, SlotError};

const SLOTS: [&str; 2] = ["state.0", "state.1"];
/// A slot longer than this is none of ours.
const MAX_LEN: u64 = 64 << 20;

const LOCK: &str = "lock";

/// The store.
pub struct FileStore {
    directory: Arc<PathBuf>,
    held: Arc<Mutex<Held>>,
}

/// What a store holds from its first load on.
#[derive(Default)]
struct Held {
    generation: u64,
    /// Keeps every other process out; the kernel lets go of it when this one ends, however it ends.
    lock: Option<File>,
}

impl FileStore {
    /// A store in this directory, which is made at need.
    pub fn new(directory: PathBuf) -> Self {
        Self { directory: Arc::new(directory), held: Arc::default() }
    }
}

#[async_trait]
impl StateStore for FileStore {
    async fn load(&self) -> Result<Option<SavedState>, LoadError> {
        let (directory, held) = (Arc::clone(&self.directory), Arc::clone(&self.held));
        let loaded = tokio::task::spawn_blocking(move || {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            let (newest, state) = load(&directory, &mut held.lock)?;
            held.generation = newest;
            Ok(state)
        });
        loaded.await.unwrap_or_else(|cause| {
            Err(LoadError::Inaccessible { what: "reading the state broke off".to_owned(), cause: cause.into() })
        })
    }

    async fn save(&self, state: &SavedState) -> Result<(), SaveError> {
        let (directory, held) = (Arc::clone(&self.directory), Arc::clone(&self.held));
        let content = state.encode();
        let saved = tokio::task::spawn_blocking(move || {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            let next = held.generation.wrapping_add(1);
            save(&directory, next, content)
                .map_err(|error| SaveError { what: in_words("write", &directory, &error), cause: error.into() })?;
            held.generation = next;
            Ok(())
        });
        saved.await.unwrap_or_else(|cause| {
            Err(SaveError { what: "writing the state broke off".to_owned(), cause: cause.into() })
        })
    }
}

fn slot_path(directory: &Path, generation: u64) -> PathBuf {
    directory.join(SLOTS[usize::from(generation % 2 == 1)])
}

fn load(directory: &Path, lock: &mut Option<File>) -> Result<(u64, Option<SavedState>), LoadError> {
    let inaccessible = |path: &Path, error: io::Error| LoadError::Inaccessible {
        what: in_words("use", path, &error),
        cause: error.into(),
    };
    make_directory(directory).map_err(|error| inaccessible(directory, error))?;
    check_writable(directory).map_err(|error| inaccessible(directory, error))?;
    take_lock(directory, lock)?;
    let mut good: Vec<(u64, SavedState)> = Vec::new();
    let mut damaged: Vec<(PathBuf, SlotError)> = Vec::new();
    for name in SLOTS {
        let path = directory.join(name);
        let Some(octets) = read(&path).map_err(|error| inaccessible(&path, error))? else { continue };
        match Slot::parse(&octets).map(|slot| (slot.generation, SavedState::decode(slot.content))) {
            Ok((generation, Ok(state))) => good.push((generation, state)),
            Ok((_, Err(DecodeError::Newer(found)))) => {
                return Err(LoadError::Newer { what: path.display().to_string(), found, known: STATE_FORMAT });
            }
            Ok((_, Err(DecodeError::Malformed(_)))) => damaged.push((path, SlotError::Content)),
            Err(error) => damaged.push((path, error)),
        }
    }
    if good.is_empty() && !damaged.is_empty() {
        let each: Vec<_> = damaged.iter().map(|(path, error)| format!("{} ({error})", path.display())).collect();
        let what = format!(
            "all copies of the state are damaged: {}; they are kept as they are: move them away to begin anew",
            each.join(", ")
        );
        return Err(LoadError::Corrupt { what });
    }
    for (path, error) in damaged {
        set_aside(&path, &error);
    }
    let newest = good.into_iter().reduce(|one, other| if is_newer(other.0, one.0) { other } else { one });
    Ok(newest.map_or((0, None), |(generation, state)| (generation, Some(state))))
}

/// Whether a generation comes after another one, also past the greatest number (RFC 1982 §3.2).
const fn is_newer(one: u64, other: u64) -> bool {
    one != other && one.wrapping_sub(other) < 1 << 63
}

/// Keeps a damaged slot as evidence.
fn set_aside(path: &Path, error: &SlotError) {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let evidence = path.with_added_extension(format!("corrupt-{seconds}"));
    match fs::rename(path, &evidence) {
        Ok(()) => tracing::warn!(
            slot = %path.display(), evidence = %evidence.display(), %error,
            "A copy of the state is damaged; the other one is used"
        ),
        Err(rename) => tracing::warn!(
            slot = %path.display(), %error, %rename,
            "A copy of the state is damaged and can't be set aside; the other one is used"
        ),
    }
}

fn make_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(directory)
}

/// FAULTS 52: two processes in one place would each undo what the other one saved.
fn take_lock(directory: &Path, lock: &mut Option<File>) -> Result<(), LoadError> {
    if lock.is_some() {
        return Ok(());
    }
    let path = directory.join(LOCK);
    let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(&path);
    let taken = open().map_err(TryLockError::Error).and_then(|file| file.try_lock().map(|()| file));
    match taken {
        Ok(file) => *lock = Some(file),
        Err(TryLockError::WouldBlock) => {
            let what = format!(
                "another process uses the state in {}: stop it, or set DDNS_STATE_STORE_PATH elsewhere",
                directory.display()
            );
            return Err(LoadError::Inaccessible { what, cause: io::Error::from(io::ErrorKind::WouldBlock).into() });
        }
        Err(TryLockError::Error(error)) => {
            return Err(LoadError::Inaccessible { what: in_words("lock", &path, &error), cause: error.into() });
        }
    }
    Ok(())
}

/// Finds at start what a later save would stumble over.
fn check_writable(directory: &Path) -> io::Result<()> {
    let probe = directory.join("writable");
    File::create(&probe)?;
    fs::remove_file(probe)
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match File::open(path) {
        Ok(file) => {
            let mut octets = Vec::new();
            file.take(MAX_LEN).read_to_end(&mut octets)?;
            Ok(Some(octets))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn save(directory: &Path, generation: u64, content: Vec<u8>) -> io::Result<()> {
    let slot = slot_path(directory, generation);
    let temporary = slot.with_added_extension("tmp");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary)?;
    file.write_all(&Slot::encode(generation, &content))?;
    file.sync_all()?;
    fs::rename(&temporary, &slot)?;
    File::open(directory)?.sync_all()
}

fn in_words(verb: &str, path: &Path, error: &io::Error) -> String {
    let uid = rustix::process::geteuid().as_raw();
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => format!("chown the directory to user {uid}"),
        io::ErrorKind::ReadOnlyFilesystem => "mount it writable or set DDNS_STATE_STORE_PATH elsewhere".to_owned(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room".to_owned(),
        _ => "correct DDNS_STATE_STORE_PATH".to_owned(),
    };
    format!("user {uid} cannot {verb} {}: {remedy}", path.display())
}

#[cfg(test)]
mod tests;
