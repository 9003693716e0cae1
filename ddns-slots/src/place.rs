use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ddns_core::config::{Kind, Settings, Variable};
use ddns_core::ports::LoadError;

/// The directory of the stores that keep the state on a disk.
pub const STATE_STORE_PATH: Variable = Variable {
    name: "DDNS_STATE_STORE_PATH",
    kind: Kind::Text { format: "path of a directory", default: "/var/lib/ddnsd" },
    help: "Where the `sled` and the `file` store keep the state. The directory is made at need.",
};

const LOCK: &str = "lock";
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// The directory that the settings name.
pub fn directory(settings: &mut Settings<'_>) -> Option<PathBuf> {
    settings.parsed(&STATE_STORE_PATH, |text| {
        let path = PathBuf::from(text);
        if path.is_absolute() { Ok(path) } else { Err("not an absolute path".to_owned()) }
    })
}

/// Makes the directory at need, for its owner and to be read by the group.
pub fn make(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o750).create(directory)
}

/// Moves a file or directory to a name beside it that is free, `<name>.<why>-<time>`; the new path.
pub fn set_aside(path: &Path, why: &str) -> io::Result<PathBuf> {
    let free = free_name(path, why);
    fs::rename(path, &free)?;
    Ok(free)
}

pub(crate) fn free_name(path: &Path, why: &str) -> PathBuf {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let name = |further: u64| path.with_added_extension(format!("{why}-{}", seconds + further));
    (0..).map(name).find(|name| !name.exists()).unwrap_or_else(|| name(0))
}

/// Makes what root put into somebody else's directory that one's own, who could not use it otherwise.
pub(crate) fn hand_over(path: &Path, directory: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let (mine, theirs) = (fs::metadata(path)?, fs::metadata(directory)?);
    if (mine.uid(), mine.gid()) == (theirs.uid(), theirs.gid()) {
        return Ok(());
    }
    chown(path, Some(theirs.uid()), Some(theirs.gid()))
}

/// Finds at start what a later save would stumble over, and keeps every other process out; the kernel lets go of the
/// lock when this one ends, however it ends (FAULTS 52: two processes in one place would each undo what the other one
/// saved).
pub(crate) fn take(directory: &Path) -> Result<File, LoadError> {
    make(directory).and_then(|()| check_writable(directory)).map_err(|error| inaccessible("use", directory, error))?;
    let path = directory.join(LOCK);
    let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(&path);
    let taken = open().map_err(TryLockError::Error).and_then(|file| patiently(&file).map(|()| file));
    match taken.and_then(|file| hand_over(&path, directory).map(|()| file).map_err(TryLockError::Error)) {
        Ok(file) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let what = format!(
                "another process uses the state in {}: stop it, or set DDNS_STATE_STORE_PATH elsewhere",
                directory.display()
            );
            Err(LoadError::Inaccessible { what, cause: io::Error::from(io::ErrorKind::WouldBlock).into() })
        }
        Err(TryLockError::Error(error)) => Err(inaccessible("lock", &path, error)),
    }
}

/// A process that was being started when the one before ended has the lock until it runs its own program.
fn patiently(file: &File) -> Result<(), TryLockError> {
    for _ in 0..TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            other => return other,
        }
    }
    file.try_lock()
}

fn check_writable(directory: &Path) -> io::Result<()> {
    let probe = directory.join("writable");
    File::create(&probe)?;
    fs::remove_file(probe)
}

pub(crate) fn inaccessible(verb: &str, path: &Path, error: io::Error) -> LoadError {
    LoadError::Inaccessible { what: in_words(verb, path, &error), cause: error.into() }
}

pub(crate) fn in_words(verb: &str, path: &Path, error: &io::Error) -> String {
    let uid = rustix::process::geteuid().as_raw();
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => format!("chown the directory to user {uid}"),
        io::ErrorKind::ReadOnlyFilesystem => "mount it writable or set DDNS_STATE_STORE_PATH elsewhere".to_owned(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room".to_owned(),
        _ => "correct DDNS_STATE_STORE_PATH".to_owned(),
    };
    format!("user {uid} cannot {verb} {}: {remedy}", path.display())
}
