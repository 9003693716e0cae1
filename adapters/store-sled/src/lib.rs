//! StateStore in two slots, with a copy in sled that a worker process keeps.
//!
//! **The slots acknowledge, sled follows.** A save is durable once it is in a slot; nobody waits for sled, which is
//! brought up to the slots afterwards, entry by entry. sled is asked when the slots alone can't vouch that nothing is
//! missing: one of them is damaged or gone.
//!
//! **sled is never in this process.** A worker opens it, does one thing and ends. A panic, a hang or a crash of sled is
//! a worker without a report.

mod content;
mod database;
mod factory;
mod mirror;
mod place;
mod report;
mod worker;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use ddns_core::ports::{LoadError, SaveError, StateStore};
use ddns_core::state::SavedState;
use ddns_slots::{Found, Saved, Slots, is_newer};

pub use factory::SledStoreFactory;
pub use mirror::Program;
use mirror::{Mirror, ReadError};
pub use worker::worker;

/// Between a save and the worker: saves come in bursts, and DNS goes first.
const REST: Duration = Duration::from_secs(1);

/// The store.
pub struct SledStore {
    slots: Arc<Mutex<Slots>>,
    mirror: Arc<Mirror>,
}

impl SledStore {
    /// A store in this directory, which is made at need. `program` makes commands that run [`worker()`] with the arguments
    /// added to them.
    pub fn new(directory: PathBuf, program: Program) -> Self {
        Self::resting(directory, program, REST)
    }

    /// The same with another rest between a save and the worker.
    pub fn resting(directory: PathBuf, program: Program, rest: Duration) -> Self {
        let mirror = Arc::new(Mirror::new(program, directory.clone(), rest));
        Self { slots: Arc::new(Mutex::new(Slots::new(directory))), mirror }
    }

    /// Blocks until no worker runs and none is about to.
    pub fn settle(&self) {
        self.mirror.settle();
    }
}

#[async_trait]
impl StateStore for SledStore {
    async fn load(&self) -> Result<Option<SavedState>, LoadError> {
        let (slots, mirror) = (Arc::clone(&self.slots), Arc::clone(&self.mirror));
        let loaded = tokio::task::spawn_blocking(move || {
            let mut slots = slots.lock().unwrap_or_else(PoisonError::into_inner);
            load(&mut slots, &mirror)
        });
        loaded.await.unwrap_or_else(|cause| {
            Err(LoadError::Inaccessible { what: "reading the state broke off".to_owned(), cause: cause.into() })
        })
    }

    async fn save(&self, state: &SavedState) -> Result<(), SaveError> {
        let (slots, mirror) = (Arc::clone(&self.slots), Arc::clone(&self.mirror));
        let content = state.encode();
        let saved = tokio::task::spawn_blocking(move || {
            slots.lock().unwrap_or_else(PoisonError::into_inner).save(&content)?;
            mirror.wake();
            Ok(())
        });
        saved.await.unwrap_or_else(|cause| {
            Err(SaveError { what: "writing the state broke off".to_owned(), cause: cause.into() })
        })
    }
}

fn load(slots: &mut Slots, mirror: &Arc<Mirror>) -> Result<Option<SavedState>, LoadError> {
    slots.take()?;
    let found = slots.find()?;
    let newest = if found.is_complete() || (found.is_empty() && !mirror.is_used()) {
        found.only_whole()?
    } else {
        with_copy(slots, found, mirror)?
    };
    let Some(newest) = newest else { return Ok(None) };
    slots.go_on_from(newest.generation);
    mirror.wake();
    Ok(Some(newest.state))
}

/// A slot is damaged or gone: the newest of what is left and of what sled holds.
fn with_copy(slots: &mut Slots, found: Found, mirror: &Mirror) -> Result<Option<Saved>, LoadError> {
    let (copy, lost) = match mirror.read() {
        Ok(copy) => (copy, None),
        Err(ReadError::Newer(error)) => return Err(error),
        Err(ReadError::Lost(why)) => (None, Some(why)),
    };
    if let Some(copy) = copy
        && found.newest.as_ref().is_none_or(|slot| is_newer(copy.generation, slot.generation))
    {
        tracing::warn!(
            directory = %slots.directory().display(), generation = copy.generation, damaged = found.damage(),
            "The newest state was in no slot; its copy in sled is used"
        );
        found.set_aside_damaged();
        slots.go_on_from(copy.generation.wrapping_sub(1));
        let restored = slots.save(&copy.state.encode());
        restored.map_err(|error| LoadError::Inaccessible { what: error.what, cause: error.cause })?;
        return Ok(Some(copy));
    }
    match (found.newest.is_some(), lost) {
        (true, lost) => {
            if let Some(error) = lost {
                tracing::warn!(
                    directory = %slots.directory().display(), error,
                    "A slot is damaged or gone, and sled can't tell whether it had the newest state; the other slot is used"
                );
            }
            found.set_aside_damaged();
            found.only_whole()
        }
        (false, None) => found.only_whole(),
        (false, Some(why)) => {
            let slots_say = if found.is_empty() { "the slots are gone".to_owned() } else { found.damage() };
            let what = format!(
                "all copies of the state in {} are damaged: {slots_say}; sled ({why}); they are kept as they are: move \
                 them away to begin anew",
                slots.directory().display()
            );
            Err(LoadError::Corrupt { what })
        }
    }
}

/// Moves a database in this directory aside, for a caller who has put another state into the slots and holds the
/// directory; where it is, if there was one.
pub fn set_aside(directory: &Path) -> io::Result<Option<PathBuf>> {
    place::Place(directory).set_aside()
}
