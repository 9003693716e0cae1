use std::io;

use rustix::io::Errno;
use sled::{Batch, Db, Mode};

use crate::content::{Entries, GUARD, Guard};
use crate::place::Place;

const CACHE: u64 = 1 << 20;
const SEGMENT: usize = 64 << 10;

/// Why sled did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// What it holds is not what it was given.
    #[error("{0}")]
    Damaged(String),
    /// The system refuses: no room, no right, no memory. The data are not to blame.
    #[error("{0}")]
    System(String),
    /// Whatever else; a disk that has errors in the file, for one.
    #[error("{0}")]
    Broken(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let innocent = [
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::ROFS,
            Errno::ACCESS,
            Errno::PERM,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
        ];
        match Errno::from_io_error(&error) {
            Some(errno) if innocent.contains(&errno) => Self::System(error.to_string()),
            Some(_) => Self::Broken(error.to_string()),
            None => Self::Damaged(error.to_string()),
        }
    }
}

impl From<sled::Error> for Trouble {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) => error.into(),
            error @ sled::Error::Corruption { .. } => Self::Damaged(error.to_string()),
            error @ (sled::Error::CollectionNotFound(_)
            | sled::Error::Unsupported(_)
            | sled::Error::ReportableBug(_)) => Self::Broken(error.to_string()),
        }
    }
}

/// The database, open and read whole. It is never closed in order: its process just ends.
pub(crate) struct Database {
    db: Db,
    pub(crate) entries: Entries,
    /// `None`: a new one.
    pub(crate) guard: Option<Guard>,
}

impl Database {
    /// Opens it and looks at every entry.
    pub(crate) fn open(place: &Place<'_>) -> Result<Self, Trouble> {
        let witnessed = place.witnessed();
        if let Some(generation) = witnessed.filter(|_| !place.database().exists()) {
            return Err(Trouble::Damaged(format!("it is gone, and had kept generation {generation}")));
        }
        place.remove_broken_snapshots()?;
        let config = sled::Config::default()
            .path(place.database())
            .cache_capacity(CACHE)
            .segment_size(SEGMENT)
            .flush_every_ms(None)
            .mode(Mode::LowSpace);
        let db = config.open()?;
        let (mut entries, mut guard) = (Entries::new(), None);
        for entry in db.iter() {
            let (key, value) = entry?;
            if key == GUARD {
                guard = Some(value);
            } else {
                entries.insert(key.to_vec(), value.to_vec());
            }
        }
        let Some(octets) = guard else {
            if let Some(generation) = witnessed {
                return Err(Trouble::Damaged(format!("it came up empty, and had kept generation {generation}")));
            }
            if !entries.is_empty() {
                return Err(Trouble::Damaged("it has entries and no guard".to_owned()));
            }
            return Ok(Self { db, entries, guard: None });
        };
        let guard = Guard::check(&octets, &entries).map_err(Trouble::Damaged)?;
        if let Some(kept) = witnessed.filter(|kept| ddns_slots::is_newer(*kept, guard.generation)) {
            let what = format!("it fell back to generation {}, and had kept {kept}", guard.generation);
            return Err(Trouble::Damaged(what));
        }
        Ok(Self { db, entries, guard: Some(guard) })
    }

    /// Makes it hold these entries, durably; whether that was a change.
    pub(crate) fn keep(&self, place: &Place<'_>, generation: u64, wanted: &Entries) -> Result<bool, Trouble> {
        let guard = Guard::new(generation, wanted);
        if self.guard == Some(guard) {
            return Ok(false);
        }
        let mut batch = Batch::default();
        for key in self.entries.keys().filter(|key| !wanted.contains_key(*key)) {
            batch.remove(key.as_slice());
        }
        for (key, value) in wanted.iter().filter(|(key, value)| self.entries.get(*key) != Some(*value)) {
            batch.insert(key.as_slice(), value.as_slice());
        }
        batch.insert(GUARD, guard.encode());
        self.db.apply_batch(batch)?;
        self.db.flush()?;
        place.sync()?;
        Ok(true)
    }
}
