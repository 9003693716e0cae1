//! Two alternating checksummed slots, in which stores on a disk acknowledge the state.
//!
//! **At every moment one slot is whole.** A save goes into the older slot by write, fsync, rename and fsync of the
//! directory; a crash at any point leaves the newer one as it was. A damaged slot is kept as evidence and the other one
//! is used; two damaged slots are never taken for an empty state.

mod place;
mod slot;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ddns_core::ports::{LoadError, SaveError};
use ddns_core::state::{DecodeError, STATE_FORMAT, SavedState};

pub use place::{STATE_STORE_PATH, directory, make, set_aside};
use slot::{Slot, SlotError};

const SLOTS: [&str; 2] = ["state.0", "state.1"];
/// A slot longer than this is none of ours.
const MAX_LEN: u64 = 64 << 20;

/// The slots of a directory.
pub struct Slots {
    directory: PathBuf,
    generation: u64,
    lock: Option<File>,
}

/// A state with the number of the save that wrote it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    /// Each save has the number after that of the one before.
    pub generation: u64,
    /// What was saved.
    pub state: SavedState,
}

/// What lies in the slots.
#[derive(Debug)]
pub struct Found {
    /// The newest whole state.
    pub newest: Option<Saved>,
    whole: usize,
    damaged: Vec<(PathBuf, SlotError)>,
}

impl Found {
    /// Both slots are whole: nothing that was acknowledged is missing.
    pub const fn is_complete(&self) -> bool {
        self.whole == SLOTS.len()
    }

    /// Nothing was ever saved here, or all of it has been taken away.
    pub const fn is_empty(&self) -> bool {
        self.newest.is_none() && self.damaged.is_empty()
    }

    /// The damaged slots, each with what is wrong with it.
    pub fn damage(&self) -> String {
        let each: Vec<_> = self.damaged.iter().map(|(path, error)| format!("{} ({error})", path.display())).collect();
        each.join(", ")
    }

    /// The newest state; an error if there are slots and none of them is whole.
    pub fn only_whole(self) -> Result<Option<Saved>, LoadError> {
        if self.newest.is_none() && !self.damaged.is_empty() {
            let what = format!(
                "all copies of the state are damaged: {}; they are kept as they are: move them away to begin anew",
                self.damage()
            );
            return Err(LoadError::Corrupt { what });
        }
        Ok(self.newest)
    }

    /// Keeps damaged slots as evidence.
    pub fn set_aside_damaged(&self) {
        for (path, error) in &self.damaged {
            match set_aside(path, "corrupt") {
                Ok(evidence) => tracing::warn!(
                    slot = %path.display(), evidence = %evidence.display(), %error,
                    "A copy of the state is damaged; another one is used"
                ),
                Err(rename) => tracing::warn!(
                    slot = %path.display(), %error, %rename,
                    "A copy of the state is damaged and can't be set aside; another one is used"
                ),
            }
        }
    }
}

impl Slots {
    /// The slots in this directory; touches nothing yet.
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory, generation: 0, lock: None }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Makes the directory at need, finds out whether it can be written, and keeps every other process out as long as
    /// this value lives.
    pub fn take(&mut self) -> Result<(), LoadError> {
        if self.lock.is_none() {
            self.lock = Some(place::take(&self.directory)?);
        }
        Ok(())
    }

    /// The newest state, for a store that has the slots alone; saves go on from there.
    pub fn load(&mut self) -> Result<Option<SavedState>, LoadError> {
        self.take()?;
        let found = self.find()?;
        if found.newest.is_some() {
            found.set_aside_damaged();
        }
        let newest = found.only_whole()?;
        self.go_on_from(newest.as_ref().map_or(0, |newest| newest.generation));
        Ok(newest.map(|newest| newest.state))
    }

    /// What lies in the slots. Changes nothing and needs no lock: a slot is replaced by another one, never written over.
    pub fn find(&self) -> Result<Found, LoadError> {
        let (mut good, mut damaged) = (Vec::new(), Vec::new());
        for name in SLOTS {
            let path = self.directory.join(name);
            let octets = read(&path).map_err(|error| place::inaccessible("use", &path, error))?;
            let Some(octets) = octets else { continue };
            match Slot::parse(&octets).map(|slot| (slot.generation, SavedState::decode(slot.content))) {
                Ok((generation, Ok(state))) => good.push(Saved { generation, state }),
                Ok((_, Err(DecodeError::Newer(found)))) => {
                    return Err(LoadError::Newer { what: path.display().to_string(), found, known: STATE_FORMAT });
                }
                Ok((_, Err(DecodeError::Malformed(_)))) => damaged.push((path, SlotError::Content)),
                Err(error) => damaged.push((path, error)),
            }
        }
        let whole = good.len();
        let later = |one: Saved, other: Saved| if is_newer(other.generation, one.generation) { other } else { one };
        Ok(Found { newest: good.into_iter().reduce(later), whole, damaged })
    }

    /// Saves go on after this generation.
    pub const fn go_on_from(&mut self, generation: u64) {
        self.generation = generation;
    }

    /// Saves a state durably in the older slot; its generation.
    pub fn save(&mut self, content: &[u8]) -> Result<u64, SaveError> {
        let next = self.generation.wrapping_add(1);
        self.write(next, content).map_err(|error| SaveError {
            what: place::in_words("write", &self.directory, &error),
            cause: error.into(),
        })?;
        self.generation = next;
        Ok(next)
    }

    /// Saves another state over whatever is there, which is kept beside; the paths where it is kept. The caller holds the
    /// directory ([`Self::take`]).
    pub fn replace(&mut self, state: &SavedState) -> Result<Vec<PathBuf>, ReplaceError> {
        let generation = self.find()?.newest.map_or(0, |newest| newest.generation);
        let mut kept = Vec::new();
        for name in SLOTS {
            let path = self.directory.join(name);
            let copy = place::free_name(&path, "replaced");
            match fs::copy(&path, &copy)
                .and_then(|_| place::hand_over(&copy, &self.directory))
                .and_then(|()| File::open(&copy)?.sync_all())
            {
                Ok(()) => kept.push(copy),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(place::inaccessible("keep", &path, error).into()),
            }
        }
        self.go_on_from(generation);
        self.save(&state.encode())?;
        Ok(kept)
    }

    fn write(&self, generation: u64, content: &[u8]) -> io::Result<()> {
        let slot = slot_path(&self.directory, generation);
        let temporary = slot.with_added_extension("tmp");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&temporary)?;
        file.write_all(&Slot::encode(generation, content))?;
        file.sync_all()?;
        place::hand_over(&temporary, &self.directory)?;
        fs::rename(&temporary, &slot)?;
        File::open(&self.directory)?.sync_all()
    }
}

/// Why a state was not put in the place of another one, which then is as it was.
#[derive(Debug)]
pub enum ReplaceError {
    /// What is there can't be read or kept.
    Load(LoadError),
    /// The other one can't be written.
    Save(SaveError),
}

impl From<LoadError> for ReplaceError {
    fn from(error: LoadError) -> Self {
        Self::Load(error)
    }
}

impl From<SaveError> for ReplaceError {
    fn from(error: SaveError) -> Self {
        Self::Save(error)
    }
}

/// Whether a generation comes after another one, also past the greatest number (RFC 1982 §3.2).
pub const fn is_newer(one: u64, other: u64) -> bool {
    one != other && one.wrapping_sub(other) < 1 << 63
}

fn slot_path(directory: &Path, generation: u64) -> PathBuf {
    directory.join(SLOTS[usize::from(generation % 2 == 1)])
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

#[cfg(test)]
mod tests;
