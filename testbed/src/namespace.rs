//! A network namespace of our own.

use std::{
    ffi::OsStr,
    fs::File,
    io::Write,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::JoinHandle,
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

const DIRECTORY: &str = "/run/netns";
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Fails, saying what needs root and how to get it, unless the process runs as root.
pub fn require_root() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    bail!(
        "network namespaces (ip netns, CAP_SYS_ADMIN and CAP_NET_ADMIN) and loading BPF programs (CAP_BPF) need root; \
         run the same command with sudo"
    )
}

/// A network namespace with `lo` up, made by `ip netns add` and deleted on drop.
///
/// Its name is `ddns-<process id>-<n>-<role>`. Namespaces of that form whose process has died are removed first: a
/// process that is killed cannot clean up after itself.
pub struct Namespace {
    name: String,
    file: Arc<File>,
}

impl Namespace {
    /// Makes a namespace; `role` is the last part of its name. Needs root and the `ip` tool (package iproute2).
    pub fn create(role: &str) -> Result<Self> {
        require_root()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        if number == 0 {
            remove_orphans();
        }
        let name = format!("ddns-{}-{number}-{role}", std::process::id());
        run_ip(&["netns", "add", &name], None)?;
        let path = Path::new(DIRECTORY).join(&name);
        let file = match File::open(&path) {
            Ok(file) => Arc::new(file),
            Err(error) => {
                run_ip(&["netns", "delete", &name], None)?;
                return Err(error).with_context(|| format!("opening {}", path.display()));
            }
        };
        let namespace = Self { name, file };
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// The name, as `ip netns` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs `program` inside. It keeps its process id: `ip netns exec` replaces itself by the program.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(ip_tool());
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs `ip` inside and returns what it printed.
    pub fn ip(&self, arguments: &[&str]) -> Result<String> {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend_from_slice(arguments);
        run_ip(&all, None)
    }

    /// Runs many `ip` commands, one to a line, in one process and in order; stops at the first that fails.
    pub fn ip_batch(&self, commands: &str) -> Result<()> {
        run_ip(&["-n", &self.name, "-batch", "-"], Some(commands)).map(drop)
    }

    /// Sets a network sysctl inside, for example `net/ipv6/conf/wan0/accept_dad`.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys").join(key);
        self.enter(|| std::fs::write(&path, value))?.with_context(|| format!("writing {value} to {}", path.display()))
    }

    /// Runs `work` on a thread of its own inside and waits for it; sockets that it opens stay in the namespace.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let entered = std::thread::scope(|scope| {
            let thread = scope.spawn(|| join(&self.file).map(|()| work()));
            thread.join()
        });
        entered.map_err(|_| anyhow!("a thread in namespace {} panicked", self.name))?
    }

    /// Starts `work` on a thread of its own inside.
    pub fn spawn_thread<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        spawn_thread(Some(self), name, work)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = run_ip(&["netns", "delete", &self.name], None) {
            eprintln!("testbed: {error:#}");
        }
    }
}

/// Starts `work` on a new thread inside `namespace`, or in the namespace of the caller when there is none.
pub(crate) fn spawn_thread<T: Send + 'static>(
    namespace: Option<&Namespace>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<Result<T>>> {
    let file = namespace.map(|namespace| Arc::clone(&namespace.file));
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            if let Some(file) = file {
                join(&file)?;
            }
            Ok(work())
        })
        .with_context(|| format!("starting the thread {name}"))
}

fn join(file: &File) -> Result<()> {
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).context("entering a network namespace")
}

/// Absolute, since a command with a cleared environment has no search path.
fn ip_tool() -> PathBuf {
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|directory| directory.join("ip"))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| PathBuf::from("ip"))
}

fn run_ip(arguments: &[&str], input: Option<&str>) -> Result<String> {
    let attempt = || format!("ip {}", arguments.join(" "));
    let mut child = Command::new(ip_tool())
        .args(arguments)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| {
            format!("starting `{}`; the ip tool is in the package iproute2 (cargo xtask setup)", attempt())
        })?;
    let written = child.stdin.take().zip(input).map_or(Ok(()), |(mut stdin, text)| stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().with_context(attempt)?;
    if !output.status.success() {
        bail!("`{}` failed ({}): {}", attempt(), output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    written.with_context(|| format!("feeding `{}`", attempt()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn remove_orphans() {
    let Ok(entries) = std::fs::read_dir(DIRECTORY) else { return };
    for name in entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()) {
        if owner(&name).is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists()) {
            // Another testbed may remove it at the same moment; either way it is gone.
            drop(run_ip(&["netns", "delete", &name], None));
        }
    }
}

/// The process that made the namespace, if the name has our form exactly.
fn owner(name: &str) -> Option<u32> {
    let mut parts = name.strip_prefix("ddns-")?.splitn(3, '-');
    let (pid, number, role) = (parts.next()?, parts.next()?, parts.next()?);
    number.parse::<u32>().ok().filter(|_| !role.is_empty())?;
    pid.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_our_form_have_an_owner() {
        assert_eq!(owner("ddns-123-0-host"), Some(123));
        for foreign in ["ddns-123-0", "ddns-123-0-", "ddns-123-host-0", "ddns-x-0-host", "other-123-0-host"] {
            assert_eq!(owner(foreign), None, "{foreign}");
        }
    }
}
