//! A child process whose standard error is kept line by line, and which ends with its owner.

use std::{
    io::{BufRead, BufReader, Read},
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, kill_process_group, pidfd_open, pidfd_send_signal},
};

pub use rustix::process::Signal;

/// How many lines of a process's output an error message quotes.
const QUOTED_LINES: usize = 20;

#[derive(Default)]
struct Log {
    lines: Vec<String>,
    closed: bool,
}

#[derive(Default)]
struct SharedLog {
    log: Mutex<Log>,
    grown: Condvar,
}

impl SharedLog {
    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A started child. It is killed, by its own handle, when this value is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    handle: ProcessHandle,
    log: Arc<SharedLog>,
    reaped: bool,
}

/// A handle for signals that can be kept elsewhere; it never reaches another process, not even after the id is reused.
#[derive(Clone)]
pub struct ProcessHandle(Arc<OwnedFd>);

impl ProcessHandle {
    /// Sends `signal`; a process that has ended already counts as reached.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        match pidfd_send_signal(&*self.0, signal) {
            Err(rustix::io::Errno::SRCH) | Ok(()) => Ok(()),
            Err(error) => Err(error).context("sending a signal"),
        }
    }
}

impl Process {
    /// Starts `command` in its own process group, so that Ctrl-C on the terminal reaches the owner alone.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().with_context(|| format!("starting {name}: {command:?}"))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process id that does not fit")?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).with_context(|| format!("opening a handle of {name}"));
        let (handle, stderr) = match (pidfd, child.stderr.take()) {
            (Ok(pidfd), Some(stderr)) => (ProcessHandle(Arc::new(pidfd)), stderr),
            (pidfd, _) => {
                child.kill().and_then(|()| child.wait()).with_context(|| format!("stopping {name}"))?;
                return Err(pidfd.err().unwrap_or_else(|| anyhow!("{name} has no standard error")));
            }
        };
        let log = Arc::new(SharedLog::default());
        std::thread::Builder::new()
            .name(format!("{name} log"))
            .spawn({
                let log = Arc::clone(&log);
                move || keep_lines(stderr, &log)
            })
            .context("starting the thread that reads a log")?;
        Ok(Self { name: name.to_owned(), child, handle, log, reaped: false })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn handle(&self) -> ProcessHandle {
        self.handle.clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.lock().lines.clone()
    }

    pub(crate) fn line_count(&self) -> usize {
        self.log.lock().lines.len()
    }

    /// The first line from number `start` on for which `pick` yields a value, with its number; waits at most `timeout`.
    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        start: usize,
        timeout: Duration,
        mut pick: impl FnMut(&str) -> Option<T>,
    ) -> Result<(usize, T)> {
        let deadline = Instant::now() + timeout;
        let mut next = start;
        let mut log = self.log.lock();
        loop {
            while let Some(line) = log.lines.get(next) {
                if let Some(value) = pick(line) {
                    return Ok((next, value));
                }
                next += 1;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let reason = match (log.closed, left.is_zero()) {
                (true, _) => "it ended first".to_owned(),
                (false, true) => format!("nothing in {timeout:?}"),
                (false, false) => {
                    log = self.log.grown.wait_timeout(log, left).unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
            };
            drop(log);
            bail!("waited for {what} of {}: {reason}; its last lines:\n{}", self.name, self.tail());
        }
    }

    /// Waits until the process has ended, at most `timeout`.
    pub(crate) fn wait_exit(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let limit = Timespec::try_from(left).context("a time-out that does not fit")?;
            let mut handles = [PollFd::new(&*self.handle.0, PollFlags::IN)];
            match poll(&mut handles, Some(&limit)) {
                Ok(0) => bail!("{} still runs after {timeout:?}; its last lines:\n{}", self.name, self.tail()),
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).with_context(|| format!("waiting for the end of {}", self.name)),
            }
        }
        self.reap()
    }

    /// Ends the child, if it still runs, with all that it started, and takes its status. Until then its id, which is also
    /// that of its group, belongs to no one else.
    fn reap(&mut self) -> Result<ExitStatus> {
        if !std::mem::replace(&mut self.reaped, true) {
            let group = i32::try_from(self.child.id())
                .ok()
                .and_then(Pid::from_raw)
                .context("a process id that does not fit")?;
            match kill_process_group(group, Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error).with_context(|| format!("ending {} (process {group:?})", self.name)),
            }
        }
        self.child.wait().with_context(|| format!("reading the exit status of {}", self.name))
    }

    pub(crate) fn tail(&self) -> String {
        let log = self.log.lock();
        let first = log.lines.len().saturating_sub(QUOTED_LINES);
        let quoted: Vec<_> = log.lines.iter().skip(first).map(|line| format!("  | {line}")).collect();
        if quoted.is_empty() { "  | (no output)".to_owned() } else { quoted.join("\n") }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.reap() {
            eprintln!("testbed: {error:#}");
        }
    }
}

fn keep_lines(stderr: impl Read, shared: &SharedLog) {
    let mut reader = BufReader::new(stderr);
    let mut line = Vec::new();
    while let Ok(length) = reader.read_until(b'\n', &mut line) {
        if length == 0 {
            break;
        }
        shared.lock().lines.push(String::from_utf8_lossy(&line).trim_end().to_owned());
        shared.grown.notify_all();
        line.clear();
    }
    shared.lock().closed = true;
    shared.grown.notify_all();
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Process {
        Process::start("sh", Command::new("sh").args(["-c", script])).expect("sh starts")
    }

    #[test]
    fn a_line_is_found_and_the_exit_status_is_told() {
        let mut process = shell("echo one >&2; echo two >&2; exit 3");
        let (number, line) = process
            .wait_for("line two", 0, PATIENCE, |line| (line == "two").then(|| line.to_owned()))
            .expect("the line comes");
        assert_eq!((number, line.as_str()), (1, "two"));
        assert_eq!(process.wait_exit(PATIENCE).expect("it ends").code(), Some(3));
    }

    #[test]
    fn waiting_for_a_line_ends_when_the_process_ends_and_quotes_its_output() {
        let process = shell("echo broken >&2");
        let error =
            process.wait_for("a line", 0, PATIENCE, |line| (line == "never").then_some(())).expect_err("no line");
        assert!(error.to_string().contains("it ended first") && error.to_string().contains("| broken"), "{error}");
    }

    #[test]
    fn what_a_child_started_ends_with_it_even_if_the_child_ended_first() {
        let mut process = shell("sleep 600 >&2 & echo $! >&2; exit 0");
        let (_, pid) =
            process.wait_for("an id", 0, PATIENCE, |line| line.parse().ok().and_then(Pid::from_raw)).expect("id");
        let grandchild = pidfd_open(pid, PidfdFlags::empty()).expect("it runs");
        process.wait_exit(PATIENCE).expect("it ends");
        let limit = Timespec::try_from(PATIENCE).expect("fits");
        let ended = poll(&mut [PollFd::new(&grandchild, PollFlags::IN)], Some(&limit)).expect("polled");
        assert_eq!(ended, 1, "the grandchild still runs");
    }

    #[test]
    fn a_signal_reaches_the_process_and_later_ones_are_harmless() {
        let mut process = shell("echo up >&2; exec sleep 600");
        process.wait_for("start", 0, PATIENCE, |line| (line == "up").then_some(())).expect("it starts");
        process.handle().signal(Signal::TERM).expect("sent");
        assert!(!process.wait_exit(PATIENCE).expect("it ends").success());
        process.handle().signal(Signal::TERM).expect("harmless");
    }
}
