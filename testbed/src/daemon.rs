//! The real `ddnsd` as a child process: its environment, its log, its admin socket.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{
    Namespace,
    process::{Process, ProcessHandle, Signal},
};

mod admin;

/// The variable that names the admin socket.
pub const ADMIN_SOCKET: &str = "DDNS_ADMIN_SOCKET";

type Expectation = Box<dyn Fn(&Value) -> bool + Send>;

/// A running `ddnsd` (or any program that logs JSON lines on standard error). It is killed when dropped.
pub struct Daemon {
    process: Process,
    admin_socket: Option<PathBuf>,
    expected: Mutex<Vec<Expectation>>,
}

impl Daemon {
    /// Starts `binary` with `environment` and nothing else in its environment, inside `namespace` if there is one.
    pub fn start(namespace: Option<&Namespace>, binary: &Path, environment: &[(&str, &str)]) -> Result<Self> {
        Self::start_with_arguments(namespace, binary, &[], environment)
    }

    /// Like [`Daemon::start`], with arguments.
    pub fn start_with_arguments(
        namespace: Option<&Namespace>,
        binary: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let binary = binary
            .canonicalize()
            .with_context(|| format!("the program {}; `cargo build -p ddns-daemon` makes ddnsd", binary.display()))?;
        let mut command = match namespace {
            Some(namespace) => namespace.command(&binary),
            None => Command::new(&binary),
        };
        command.args(arguments).env_clear().envs(environment.iter().copied());
        let name = binary.file_name().unwrap_or(binary.as_os_str()).to_string_lossy().into_owned();
        let admin_socket =
            environment.iter().find(|(key, _)| *key == ADMIN_SOCKET).map(|(_, path)| PathBuf::from(path));
        Ok(Self { process: Process::start(&name, &mut command)?, admin_socket, expected: Mutex::default() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// A handle for signals that outlives the borrow of this value.
    pub fn handle(&self) -> ProcessHandle {
        self.process.handle()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.handle().signal(signal)
    }

    /// Waits until it has ended, at most `timeout`.
    pub fn wait_exit(&mut self, timeout: Duration) -> Result<ExitStatus> {
        self.process.wait_exit(timeout)
    }

    /// All that it wrote on standard error so far, line by line.
    pub fn raw_lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// The lines so far that are JSON objects.
    pub fn lines(&self) -> Vec<Value> {
        self.process.lines().iter().filter_map(|line| parsed(line)).collect()
    }

    /// A place in the log: the end of what was written so far. For [`Daemon::wait_for_line_since`].
    pub fn mark(&self) -> usize {
        self.process.line_count()
    }

    /// The first line, from the start of the log on, that `matches`; waits at most `timeout`.
    pub fn wait_for_line(&self, what: &str, timeout: Duration, matches: impl Fn(&Value) -> bool) -> Result<Value> {
        self.wait_for_line_since(0, what, timeout, matches).map(|(_, line)| line)
    }

    /// The first line from `mark` on that `matches`, with the mark behind it; waits at most `timeout`.
    pub fn wait_for_line_since(
        &self,
        mark: usize,
        what: &str,
        timeout: Duration,
        matches: impl Fn(&Value) -> bool,
    ) -> Result<(usize, Value)> {
        let (number, line) =
            self.process.wait_for(what, mark, timeout, |line| parsed(line).filter(|line| matches(line)))?;
        Ok((number + 1, line))
    }

    /// Declares that ERROR lines which `matches` are part of the test.
    pub fn expect_error(&self, matches: impl Fn(&Value) -> bool + Send + 'static) {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(matches));
    }

    /// The ERROR lines that nobody expected, and any panic message; a test ends with the assertion that there are none.
    pub fn errors(&self) -> Vec<String> {
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let unexpected = |line: &str| match parsed(line) {
            Some(line) => line["level"] == "ERROR" && !expected.iter().any(|matches| matches(&line)),
            None => line.contains("panicked at"),
        };
        self.process.lines().into_iter().filter(|line| unexpected(line)).collect()
    }

    /// `GET path` on the admin socket: the status and the body.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        let socket =
            self.admin_socket.as_deref().with_context(|| format!("{ADMIN_SOCKET} was not set for the daemon"))?;
        admin::get(socket, path)
    }

    /// Its last lines, for a message.
    pub fn tail(&self) -> String {
        self.process.tail()
    }
}

fn parsed(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Daemon {
        Daemon::start_with_arguments(None, Path::new("/bin/sh"), &["-c", script], &[("GREETING", "hello")]).expect("sh")
    }

    #[test]
    fn the_environment_is_cleared_except_for_what_was_given() {
        let daemon = shell(r#"echo "{\"message\":\"$GREETING\",\"home\":\"$HOME\"}" >&2"#);
        let line = daemon.wait_for_line("greeting", PATIENCE, |line| line["message"] == "hello").expect("the line");
        assert_eq!(line["home"], "");
    }

    #[test]
    fn an_error_line_and_a_panic_count_unless_expected() {
        let mut daemon = shell(
            r#"echo '{"level":"ERROR","message":"one"}' >&2; echo '{"level":"ERROR","message":"two"}' >&2
               echo "thread 'main' panicked at src/main.rs" >&2; echo '{"level":"WARN","message":"three"}' >&2"#,
        );
        daemon.wait_exit(PATIENCE).expect("it ends");
        daemon.wait_for_line("the last line", PATIENCE, |line| line["message"] == "three").expect("the line");
        daemon.expect_error(|line| line["message"] == "one");
        let errors = daemon.errors();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0].contains("two") && errors[1].contains("panicked"));
    }

    #[test]
    fn a_mark_hides_what_came_before_it() {
        let daemon = shell(r#"for n in 1 2; do echo "{\"message\":\"same\",\"n\":$n}" >&2; done"#);
        let same = |line: &Value| line["message"] == "same";
        let (mark, first) = daemon.wait_for_line_since(0, "the first", PATIENCE, same).expect("first");
        let (_, second) = daemon.wait_for_line_since(mark, "the second", PATIENCE, same).expect("second");
        assert_eq!((&first["n"], &second["n"]), (&Value::from(1), &Value::from(2)));
    }
}
