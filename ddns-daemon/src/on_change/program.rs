use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::time::timeout;
use tracing::debug;

use super::Notice;
use super::output::Output;

/// All that the program finds in its environment beside the notice: nothing of ddnsd's own.
const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The most that is read of its output at a time.
const CHUNK: usize = 4096;
/// The most chunks that are read once it has ended.
const LAST_CHUNKS: usize = 16;

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("it can't be started")]
    Start(#[source] io::Error),
    #[error("it can't be waited for, and was killed")]
    Wait(#[source] io::Error),
    #[error("it had not ended after {} seconds and was killed", .0.as_secs())]
    Late(Duration),
    #[error("it ended with exit code {0}")]
    Code(i32),
    #[error("it was ended by signal {0}")]
    Signal(i32),
}

/// Runs a program to its end, or kills it after `limit`. Its process group ends with it, in any case.
pub(crate) async fn run(program: &Path, notice: &Notice, limit: Duration) -> Result<(), ProgramError> {
    let mut command = Command::new(program);
    let variables = notice.told().map(|(name, value)| (format!("DDNS_{name}"), value));
    command.env_clear().env("PATH", SEARCH_PATH).envs(variables).current_dir("/").process_group(0);
    timeout(limit, run_command(command)).await.unwrap_or(Err(ProgramError::Late(limit)))
}

async fn run_command(command: Command) -> Result<(), ProgramError> {
    // A file system that hangs keeps one thread waiting, and nobody else.
    let started = tokio::task::spawn_blocking(|| start(command)).await;
    let (group, output) = started.map_err(io::Error::other).flatten().map_err(ProgramError::Start)?;
    let output = pipe::Receiver::from_owned_fd(output).map_err(ProgramError::Wait)?;
    group.follow(output).await.map_err(ProgramError::Wait)?;
    match group.reap().map_err(ProgramError::Wait)? {
        status if status.success() => Ok(()),
        status => Err(status
            .signal()
            .map_or_else(|| ProgramError::Code(status.code().unwrap_or_default()), ProgramError::Signal)),
    }
}

/// The write ends of the output are closed here with the command, so that the output's end is seen.
fn start(mut command: Command) -> io::Result<(Group, OwnedFd)> {
    let (output, write_end) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(write_end.try_clone()?).stderr(write_end);
    Ok((Group(Some(command.spawn()?)), output.into()))
}

/// A process group whose leader is not reaped yet, so that its id is nobody else's. It is killed when dropped.
struct Group(Option<Child>);

impl Group {
    /// Logs what the program prints until it has ended.
    async fn follow(&self, output: pipe::Receiver) -> io::Result<()> {
        let exited = pidfd_open(self.id()?, PidfdFlags::empty())?;
        #[expect(
            deprecated,
            reason = "the successor is unsafe for types that change their descriptor; an OwnedFd doesn't"
        )]
        let exited = AsyncFd::with_interest(exited, Interest::READABLE)?;
        let (mut lines, mut open) = (Output::default(), true);
        loop {
            tokio::select! {
                biased;
                ready = exited.readable() => {
                    drop(ready?);
                    break;
                }
                ready = output.readable(), if open => {
                    ready?;
                    open = read(&output, &mut lines)?;
                }
            }
        }
        // What came with the end. A process that was left behind may hold the pipe open for ever.
        for _ in 0..LAST_CHUNKS {
            tokio::select! {
                biased;
                ready = output.readable(), if open => {
                    ready?;
                    open = read(&output, &mut lines)?;
                }
                () = tokio::task::yield_now() => {}
            }
        }
        lines.finish().iter().for_each(log);
        Ok(())
    }

    fn id(&self) -> io::Result<Pid> {
        let id = self.0.as_ref().and_then(|child| i32::try_from(child.id()).ok());
        id.and_then(Pid::from_raw).ok_or_else(|| Errno::SRCH.into())
    }

    /// Kills what the program, which has ended, left behind, and takes its status.
    fn reap(mut self) -> io::Result<ExitStatus> {
        self.kill();
        let status = self.0.as_mut().map(Child::try_wait).transpose()?.flatten();
        if status.is_some() {
            self.0 = None;
        }
        status.ok_or_else(|| Errno::CHILD.into())
    }

    fn kill(&self) {
        // The leader is a zombie at worst: the id is still its own.
        if let Err(error) = self.id().and_then(|id| Ok(kill_process_group(id, Signal::KILL)?)) {
            debug!(%error, "The program of DDNS_ON_CHANGE can't be killed");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.0.is_some() {
            self.kill();
        }
        // Killed is not ended yet, and who waits in the kernel may take its time.
        if let Some(mut child) = self.0.take() {
            let _ = std::thread::Builder::new().name("reaper".to_owned()).spawn(move || child.wait());
        }
    }
}

/// Whether more may come.
fn read(output: &pipe::Receiver, lines: &mut Output) -> io::Result<bool> {
    let mut chunk = [0; CHUNK];
    match output.try_read(&mut chunk) {
        Ok(0) => Ok(false),
        Ok(length) => {
            lines.take(chunk.get(..length).unwrap_or_default()).iter().for_each(log);
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
        Err(error) => Err(error),
    }
}

fn log(line: &String) {
    debug!(output = line, "DDNS_ON_CHANGE printed");
}
