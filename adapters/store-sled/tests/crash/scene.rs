use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

/// What takes longer hangs.
pub const LIMIT: Duration = Duration::from_secs(60);

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The output of a program that ends by itself within the limit, else `None`.
pub fn ended(command: &mut Command, limit: Duration) -> Result<Option<(String, String)>> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let until = Instant::now() + limit;
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output()?;
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    Ok(Some((text(output.stdout), text(output.stderr))))
}

/// What a worker said, `None` if it hung.
pub fn worker(task: &str, directory: &Path) -> Result<Option<String>> {
    let mut command = Command::new(std::env::current_exe()?);
    Ok(ended(command.args(["worker", task]).arg(directory), LIMIT)?.map(|(said, _)| said))
}

/// A writer in a process group of its own, with its workers.
pub struct Writer {
    child: Child,
    heard: String,
}

impl Writer {
    /// Begins to save; `through` stands before the command, `numbers` are how many and the pause.
    pub fn start(through: &[&str], directory: &Path, numbers: &[u32]) -> Result<Self> {
        let me = std::env::current_exe()?;
        let mut command = match through.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(me);
                command
            }
            None => Command::new(me),
        };
        command.arg("write").arg(directory).args(numbers.iter().map(u32::to_string));
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        Ok(Self { child: child.context("a writer")?, heard: String::new() })
    }

    /// The last state acknowledged so far.
    pub fn acknowledged(&mut self) -> Result<u32> {
        let out = self.child.stdout.as_mut().context("the writer's output")?;
        let mut part = [0; 16 << 10];
        loop {
            let ready = rustix::event::poll(
                &mut [rustix::event::PollFd::new(&*out, rustix::event::PollFlags::IN)],
                Some(&rustix::event::Timespec::default()),
            )?;
            let read = if ready == 0 { 0 } else { out.read(&mut part)? };
            if read == 0 {
                return Ok(self.last().unwrap_or(0));
            }
            self.heard.push_str(str::from_utf8(&part[..read])?);
        }
    }

    /// Kills it and its workers; the last state that it acknowledged.
    pub fn kill(mut self) -> Result<Option<u32>> {
        let group = Pid::from_child(&self.child);
        rustix::process::kill_process_group(group, Signal::KILL)?;
        self.child.wait()?;
        self.hear()?;
        Ok(self.last())
    }

    /// Waits until it has ended by itself; the last state that it acknowledged, and how many it was refused.
    pub fn end(mut self) -> Result<(Option<u32>, usize)> {
        self.hear()?;
        self.child.wait()?;
        let refused = self.heard.lines().filter(|line| line.starts_with("refused ")).count();
        Ok((self.last(), refused))
    }

    fn hear(&mut self) -> io::Result<()> {
        if let Some(mut out) = self.child.stdout.take() {
            out.read_to_string(&mut self.heard)?;
        }
        Ok(())
    }

    /// Of whole lines only.
    fn last(&self) -> Option<u32> {
        let whole = self.heard.rfind('\n').map_or("", |end| &self.heard[..end]);
        whole.lines().rev().find_map(|line| line.strip_prefix("acknowledged ")?.parse().ok())
    }
}

/// A directory with the state after so many saves, its copy up to date.
pub fn saved(many: u32) -> Result<(TempDir, u32)> {
    let directory = tempfile::tempdir()?;
    let (last, refused) = Writer::start(&[], directory.path(), &[many])?.end()?;
    ensure!(last == Some(many) && refused == 0, "the writer ended at {last:?}, refused {refused}");
    Ok((directory, many))
}

/// Every file below.
pub fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { all.extend(files(&path)?) } else { all.push(path) }
    }
    all.sort();
    Ok(all)
}

/// A copy of a directory.
pub fn copy(directory: &Path) -> Result<TempDir> {
    let to = tempfile::tempdir()?;
    for file in files(directory)? {
        let path = to.path().join(file.strip_prefix(directory)?);
        fs::create_dir_all(path.parent().context("a parent")?)?;
        fs::copy(file, path)?;
    }
    Ok(to)
}

/// Runs a tool that has to succeed.
pub fn tool(line: &str, paths: &[&Path]) -> Result<()> {
    let mut words = line.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    let output = command.args(words).args(paths).output().with_context(|| line.to_owned())?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A file system that is mounted as long as this value lives.
pub struct Mount(pub PathBuf);

impl Mount {
    pub fn new(line: &str, what: &Path, at: PathBuf) -> Result<Self> {
        fs::create_dir_all(&at)?;
        tool(line, &[what, &at])?;
        Ok(Self(at))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let until = Instant::now() + LIMIT;
        // A worker that was killed may still be on its way out.
        while let Err(error) = tool("umount", &[&self.0]) {
            if Instant::now() > until {
                eprintln!("crash: {error:#}");
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
