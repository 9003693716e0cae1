use std::fs;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ddns_core::address::IpChangeEvent;
use ddns_core::ports::IpSource;
use ddns_linux::{BootClock, Hook, KernelOptions, KernelSource};
use futures_util::StreamExt;
use tokio::sync::oneshot;

use crate::namespace::Namespace;

const BOUND: Duration = Duration::from_secs(10);

/// A source that is watched on a thread of its own, as in a daemon.
pub struct Listener {
    events: Receiver<IpChangeEvent>,
    thread: Option<JoinHandle<()>>,
    number: i32,
    end: Option<oneshot::Sender<()>>,
}

/// Nanoseconds since boot.
pub struct Heard {
    pub received: i64,
    pub stamp: Option<i64>,
}

impl Listener {
    /// Ready once the first snapshot is there; or the reason why the host doesn't grant this rung.
    pub fn start(namespace: &Arc<Namespace>, hook: Hook) -> Result<Self, String> {
        let (sender, events) = channel();
        let (say, said) = channel();
        let (end, ended) = oneshot::channel();
        let namespace = Arc::clone(namespace);
        let thread = thread::spawn(move || {
            namespace.enter();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let options = KernelOptions { hook, ..KernelOptions::default() };
                let mut watch = KernelSource::new(options, Arc::new(BootClock)).watch();
                match watch.next().await.unwrap() {
                    Ok(_) => say.send(Ok(rustix::thread::gettid().as_raw_nonzero().get())).unwrap(),
                    Err(error) => return say.send(Err(error.to_string())).unwrap(),
                }
                let forward = async {
                    while let Some(Ok(event)) = watch.next().await {
                        if sender.send(event).is_err() {
                            break;
                        }
                    }
                };
                tokio::select! {
                    () = forward => {}
                    _ = ended => {}
                }
            });
        });
        let number = said.recv().unwrap()?;
        Ok(Self { events, thread: Some(thread), number, end: Some(end) })
    }

    fn event(&self) -> IpChangeEvent {
        self.events.recv_timeout(BOUND).expect("an event within the bound")
    }

    pub fn next(&self) -> Heard {
        let hint = self.event().hint;
        let nanos = |at: ddns_core::time::Instant| i64::try_from(at.as_nanos()).unwrap();
        Heard { received: nanos(hint.received_at), stamp: hint.kernel_at.map(nanos) }
    }

    /// Takes events up to one that fits and is the last; how many there were, and how many told of a loss.
    pub fn until(&self, fits: impl Fn(&IpChangeEvent) -> bool) -> (usize, usize) {
        let (mut looks, mut losses) = (0, 0);
        let mut event = self.event();
        loop {
            looks += 1;
            losses += usize::from(event.hint.after_loss);
            let next = self.events.recv_timeout(Duration::from_millis(300));
            match next {
                Ok(next) => event = next,
                Err(_) if fits(&event) => return (looks, losses),
                Err(_) => event = self.event(),
            }
        }
    }

    /// How often the thread has been woken.
    pub fn wakeups(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/self/task/{}/status", self.number)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    }

    /// What the kernel accounts for the maps that this process holds open.
    pub fn map_octets(&self) -> u64 {
        let files =
            fs::read_dir("/proc/self/fdinfo").unwrap().filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
        let octets = |info: &String| {
            let is_map = info.lines().any(|line| line.starts_with("map_type:"));
            let line = info.lines().find_map(|line| line.strip_prefix("memlock:")).filter(|_| is_map);
            line.and_then(|octets| octets.trim().parse::<u64>().ok())
        };
        files.filter_map(|info| octets(&info)).sum()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
