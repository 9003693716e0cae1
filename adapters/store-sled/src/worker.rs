//! The worker's side: a process of its own, since sled leaves threads behind that wake for ever, may panic or hang, and
//! stays broken after an error.

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ddns_slots::{Saved, Slots};

use crate::content;
use crate::database::{Database, Trouble};
use crate::place::{self, Place};
use crate::report::{Report, Task};

/// A worker that takes longer ends itself, should the daemon that would end it be gone.
const DEADLINE: Duration = Duration::from_secs(90);

/// A database that takes more, and more than [`FACTOR`] times its content, is made anew.
const LARGE: u64 = 4 << 20;
const FACTOR: u64 = 16;

/// Carries out one task with the database; for the program that [`SledStore`](crate::SledStore) is given, which passes
/// on the arguments that the store adds.
pub fn worker(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.collect();
    let [task, directory] = arguments.as_slice() else { return ExitCode::FAILURE };
    let Some(task) = Task::ALL.into_iter().find(|known| known.name() == task) else { return ExitCode::FAILURE };
    if end_at_deadline().is_err() {
        return ExitCode::FAILURE;
    }
    let report = contained(|| carry_out(task, Path::new(directory)));
    let line = serde_json::to_string(&report).unwrap_or_default();
    let mut out = io::stdout().lock();
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    // Without a return: a drop of sled's may hang or panic.
    std::process::exit(i32::from(said.is_err()))
}

fn end_at_deadline() -> io::Result<()> {
    let wait = || {
        std::thread::sleep(DEADLINE);
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    };
    std::thread::Builder::new().spawn(wait).map(|_| ())
}

/// A panic becomes a report.
fn contained(work: impl FnOnce() -> Result<Report, Trouble>) -> Report {
    let panicked = Arc::new(Mutex::new(None));
    let heard = Arc::clone(&panicked);
    std::panic::set_hook(Box::new(move |panic| {
        heard.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| panic.to_string());
    }));
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(report)) => report,
        Ok(Err(Trouble::Damaged(why))) => Report::Damaged { why },
        Ok(Err(Trouble::System(why))) => Report::Hindered { why },
        Ok(Err(Trouble::Broken(why))) => Report::Broken { why },
        Err(_) => {
            let why = panicked.lock().unwrap_or_else(PoisonError::into_inner).take();
            Report::Broken { why: why.unwrap_or_else(|| "a panic".to_owned()) }
        }
    }
}

fn carry_out(task: Task, directory: &Path) -> Result<Report, Trouble> {
    let place = Place(directory);
    let _lock = place.lock()?;
    match task {
        Task::Read => read(&place),
        Task::Keep => keep(&place),
        Task::Rebuild => {
            let saved = newest(directory)?;
            let aside = place.set_aside()?;
            fill(&place, &saved, aside)
        }
    }
}

fn read(place: &Place<'_>) -> Result<Report, Trouble> {
    if !place.is_used() {
        return Ok(Report::Nothing);
    }
    let database = Database::open(place)?;
    match database.guard {
        None => Ok(Report::Nothing),
        Some(guard) => {
            let content = content::put_together(&database.entries).map_err(Trouble::Damaged)?;
            Ok(Report::Holds { generation: guard.generation, content })
        }
    }
}

fn keep(place: &Place<'_>) -> Result<Report, Trouble> {
    let saved = newest(place.0)?;
    let report = fill(place, &saved, None)?;
    let content = saved.state.encode().len() as u64;
    if place::size(&place.database())? <= LARGE.max(FACTOR * content) {
        return Ok(report);
    }
    // All of it is in the slots, so that nothing is at stake while there is no database.
    if let Some(aside) = place.set_aside()? {
        std::fs::remove_dir_all(aside)?;
    }
    fill(place, &saved, None)
}

fn newest(directory: &Path) -> Result<Saved, Trouble> {
    let found = Slots::new(directory.to_owned()).find().map_err(|error| Trouble::System(error.to_string()))?;
    found.newest.ok_or_else(|| Trouble::System("there is no whole slot".to_owned()))
}

fn fill(place: &Place<'_>, saved: &Saved, aside: Option<PathBuf>) -> Result<Report, Trouble> {
    let database = Database::open(place)?;
    database.keep(place, saved.generation, &content::take_apart(&saved.state))?;
    place.bear_witness(saved.generation)?;
    Ok(Report::Kept { generation: saved.generation, aside })
}
