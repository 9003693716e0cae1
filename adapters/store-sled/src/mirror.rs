//! The daemon's side: starts workers, bounds them, and tells what became of the database.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ddns_core::ports::LoadError;
use ddns_core::state::{DecodeError, STATE_FORMAT, SavedState};
use ddns_slots::Saved;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::place::Place;
use crate::report::{Report, Task};

/// How long a worker may take with nobody waiting for it.
const KEEP: Duration = Duration::from_secs(60);
/// How long one may take that a start waits for, well below [`ddns_core::driver::LOAD`].
const READ: Duration = Duration::from_secs(5);
/// A longer report is none of ours.
const MAX_REPORT: u64 = 256 << 20;

/// The program that is a worker when given further arguments.
pub type Program = Arc<dyn Fn() -> Command + Send + Sync>;

/// Keeps the database equal to the slots, in a thread and a process that are there only while something is to be done.
pub(crate) struct Mirror {
    program: Program,
    directory: PathBuf,
    rest: Duration,
    progress: Mutex<Progress>,
    idle: Condvar,
}

#[derive(Default)]
struct Progress {
    runs: bool,
    behind: bool,
    /// The trouble that was told last, for as long as it lasts.
    told: Option<String>,
}

impl Mirror {
    pub(crate) fn new(program: Program, directory: PathBuf, rest: Duration) -> Self {
        Self { program, directory, rest, progress: Mutex::default(), idle: Condvar::new() }
    }

    pub(crate) fn is_used(&self) -> bool {
        Place(&self.directory).is_used()
    }

    /// What the database holds, if that is what it was given.
    pub(crate) fn read(&self) -> Result<Option<Saved>, ReadError> {
        let damaged = |why: String| Err(ReadError::Lost(why));
        match self.work(Task::Read, READ) {
            Report::Nothing => Ok(None),
            Report::Holds { generation, content } => match SavedState::decode(content.to_string().as_bytes()) {
                Ok(state) => Ok(Some(Saved { generation, state })),
                Err(DecodeError::Newer(found)) => {
                    let what = Place(&self.directory).database().display().to_string();
                    Err(ReadError::Newer(LoadError::Newer { what, found, known: STATE_FORMAT }))
                }
                Err(error @ DecodeError::Malformed(_)) => damaged(ddns_core::error_chain(&error)),
            },
            Report::Damaged { why } | Report::Hindered { why } | Report::Broken { why } => damaged(why),
            Report::Kept { .. } => damaged("the worker gave another answer".to_owned()),
        }
    }

    /// Something new is in the slots.
    pub(crate) fn wake(self: &Arc<Self>) {
        let mut progress = self.progress();
        progress.behind = true;
        if progress.runs {
            return;
        }
        let mirror = Arc::clone(self);
        match std::thread::Builder::new().name("mirror".to_owned()).spawn(move || mirror.run()) {
            Ok(_) => progress.runs = true,
            Err(error) => self.tell(&mut progress, error.to_string()),
        }
    }

    /// Until the database is equal to the slots, or can't be made so.
    fn run(&self) {
        loop {
            std::thread::sleep(self.rest);
            self.progress().behind = false;
            let outcome = self.keep();
            let mut progress = self.progress();
            match outcome {
                Ok(()) if progress.told.take().is_some() => {
                    tracing::info!("The copy of the state in sled is kept again")
                }
                Ok(()) => {}
                Err(why) => self.tell(&mut progress, why),
            }
            if !progress.behind {
                progress.runs = false;
                self.idle.notify_all();
                return;
            }
        }
    }

    pub(crate) fn settle(&self) {
        let mut progress = self.progress();
        while progress.runs {
            progress = self.idle.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, progress: &mut Progress, why: String) {
        if progress.told.as_ref() != Some(&why) {
            tracing::warn!(
                directory = %self.directory.display(), error = %why,
                "The copy of the state in sled can't be kept; the slots are, and it is tried again with the next change"
            );
            progress.told = Some(why);
        }
    }

    /// What is damaged is made anew at once, what broke twice as well: all of it is in the slots.
    fn keep(&self) -> Result<(), String> {
        let mut report = self.work(Task::Keep, KEEP);
        if matches!(report, Report::Broken { .. }) {
            report = self.work(Task::Keep, KEEP);
        }
        if let Report::Damaged { why } | Report::Broken { why } = &report {
            let rebuilt = self.work(Task::Rebuild, KEEP);
            if let Report::Kept { generation, aside } = &rebuilt {
                let evidence = aside.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
                tracing::warn!(
                    %evidence, generation, error = %why,
                    "The copy of the state in sled was damaged; it was made anew from the slots"
                );
            }
            report = rebuilt;
        }
        match report {
            Report::Kept { generation, .. } => {
                tracing::debug!(generation, "The copy of the state in sled is up to date");
                Ok(())
            }
            Report::Damaged { why } | Report::Hindered { why } | Report::Broken { why } => Err(why),
            Report::Holds { .. } | Report::Nothing => Err("the worker gave another answer".to_owned()),
        }
    }

    fn work(&self, task: Task, limit: Duration) -> Report {
        let mut command = (self.program)();
        command.arg(task.name()).arg(&self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => hear(child, limit),
            Err(error) => Report::Hindered { why: format!("no worker could be started: {error}") },
        }
    }
}

/// Why the database gave no state.
pub(crate) enum ReadError {
    /// It is damaged, or can't be read.
    Lost(String),
    /// It holds a newer format.
    Newer(LoadError),
}

/// Waits for the report and for the end.
fn hear(mut child: Child, limit: Duration) -> Report {
    let said = match child.stdout.take() {
        Some(mut out) => read_until(&mut out, Instant::now() + limit),
        None => Err(io::ErrorKind::BrokenPipe.into()),
    };
    let killed = child.kill();
    let ended = child.wait();
    match said {
        Ok(octets) => serde_json::from_slice(&octets).unwrap_or_else(|_| {
            let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
            Report::Broken { why: format!("the worker said nothing of use ({how})") }
        }),
        Err(error) => {
            Report::Broken { why: format!("the worker: {error}{}", if killed.is_ok() { "; killed" } else { "" }) }
        }
    }
}

fn read_until(out: &mut (impl Read + std::os::fd::AsFd), until: Instant) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let mut part = [0; 64 << 10];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&*out, PollFlags::IN)], Some(&left)) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long")),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        match out.read(&mut part)? {
            0 => return Ok(octets),
            n if (octets.len() + n) as u64 > MAX_REPORT => return Err(io::ErrorKind::FileTooLarge.into()),
            n => octets.extend_from_slice(&part[..n]),
        }
    }
}
