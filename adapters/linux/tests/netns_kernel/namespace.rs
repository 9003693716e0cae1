use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{self, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace of its own, gone when dropped.
pub struct Namespace {
    name: String,
}

impl Namespace {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests create network namespaces: run them as root (`sudo -E cargo test`)"
        );
        let name = format!("ddns-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        succeed(Command::new("ip").args(["netns", "add", &name]).output());
        Self { name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` in the namespace.
    pub fn ip(&self, arguments: &str) {
        succeed(self.command().args(arguments.split(' ')).output());
    }

    /// Waits until so many links are up in the kernel's eyes, which it announces a while after their cable is in.
    pub fn wait_for_links(&self, count: usize, bound: Duration) {
        let began = Instant::now();
        let up = || {
            let output = self.command().args(["-oneline", "link", "show"]).output().expect("ip starts");
            String::from_utf8_lossy(&output.stdout).matches(" state UP ").count()
        };
        while up() < count {
            assert!(began.elapsed() < bound, "the links stay down");
        }
    }

    /// Runs many `ip` commands in the namespace, at once.
    pub fn batch(&self, lines: &str) {
        let mut ip = self.command().args(["-batch", "-"]).stdin(Stdio::piped()).spawn().expect("ip starts");
        ip.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(ip.wait().unwrap().success(), "a batch of ip commands fails");
    }

    /// Sets a parameter of the namespace's network.
    pub fn sysctl(&self, name: &str, value: &str) {
        let set = || {
            self.enter();
            std::fs::write(format!("/proc/sys/{name}"), value).unwrap();
        };
        std::thread::scope(|scope| scope.spawn(set).join()).unwrap();
    }

    /// Moves the calling thread into the namespace, for good.
    pub fn enter(&self) {
        let namespace = File::open(format!("/run/netns/{}", self.name)).unwrap();
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
    }

    fn command(&self) -> Command {
        let mut ip = Command::new("ip");
        ip.args(["-n", &self.name]);
        ip
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

fn succeed(output: std::io::Result<Output>) {
    let output = output.expect("iproute2 is installed: `cargo xtask setup`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
