//! What hearing of an address costs and how long it takes: each rung that this host grants, block by block in turn, in
//! one run, against the same changes. Needs root.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

#[path = "kernel/changes.rs"]
mod changes;
#[path = "kernel/listener.rs"]
mod listener;
#[path = "../tests/netns_kernel/namespace.rs"]
#[expect(dead_code, reason = "a bench needs a part of it")]
mod namespace;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ddns_linux::Hook;

use changes::Changes;
use listener::Listener;
use namespace::Namespace;

const BLOCKS: usize = 10;
const PER_BLOCK: usize = 100;
const REFRESHES: u32 = 1000;
const BURST: u32 = 20_000;

/// Nanoseconds of one kind, in one mode.
#[derive(Default)]
struct Samples(Vec<i64>);

impl Samples {
    /// Median, and the values that 1 % and 0.1 % exceed; in microseconds.
    fn shown(&mut self) -> String {
        if self.0.is_empty() {
            return "–".to_owned();
        }
        self.0.sort_unstable();
        let at = |per_mille: usize| {
            let place = (self.0.len() * per_mille / 1000).min(self.0.len() - 1);
            self.0[place] as f64 / 1000.0
        };
        format!("{:.0} / {:.0} / {:.0}", at(500), at(990), at(999))
    }
}

#[derive(Default)]
struct Mode {
    syscall: Samples,
    from_start: Samples,
    from_end: Samples,
    from_stamp: Samples,
}

fn main() {
    let namespace = Arc::new(Namespace::new());
    namespace.batch("link set lo up\nlink add wan0 type veth peer name isp0\nlink set isp0 up\nlink set wan0 up\n");
    let inside = Arc::clone(&namespace);
    thread::spawn(move || {
        inside.enter();
        let refused = measure(&inside);
        refused.iter().for_each(|what| println!("not measured: {what}"));
    })
    .join()
    .unwrap();
}

fn measure(namespace: &Arc<Namespace>) -> Vec<String> {
    let mut changes = Changes::new("wan0");
    let (mut rungs, mut refused) = (Vec::new(), Vec::new());
    for rung in Hook::LADDER {
        match Listener::start(namespace, rung) {
            Ok(listener) => {
                drop(listener);
                rungs.push(rung);
            }
            Err(reason) => refused.push(format!("{}: {reason}", rung.as_str())),
        }
    }
    latencies(namespace, &rungs, &mut changes);
    refreshes(namespace, &rungs, &mut changes);
    burst(namespace, &rungs, &mut changes);
    refused
}

/// One change after the other; nobody hears, then each rung in turn, then all again.
fn latencies(namespace: &Arc<Namespace>, rungs: &[Hook], changes: &mut Changes) {
    let mut nobody = Mode::default();
    let mut modes: Vec<Mode> = rungs.iter().map(|_| Mode::default()).collect();
    for _ in 0..BLOCKS {
        for _ in 0..PER_BLOCK {
            let (start, end) = changes.toggle();
            nobody.syscall.0.push(end - start);
        }
        for (rung, mode) in rungs.iter().zip(&mut modes) {
            let listener = Listener::start(namespace, *rung).unwrap();
            for _ in 0..PER_BLOCK {
                let (start, end) = changes.toggle();
                let heard = listener.next();
                mode.syscall.0.push(end - start);
                mode.from_start.0.push(heard.received - start);
                mode.from_end.0.push(heard.received - end);
                mode.from_stamp.0.extend(heard.stamp.map(|stamp| heard.received - stamp));
            }
        }
    }
    println!("microseconds, median / 99 % / 99.9 % of {} changes each", BLOCKS * PER_BLOCK);
    println!("| who hears | the change itself | its start → heard | its end → heard | program's stamp → heard |");
    println!("| --- | --- | --- | --- | --- |");
    println!("| nobody | {} | – | – | – |", nobody.syscall.shown());
    for (rung, mode) in rungs.iter().zip(&mut modes) {
        println!(
            "| {} | {} | {} | {} | {} |",
            rung.as_str(),
            mode.syscall.shown(),
            mode.from_start.shown(),
            mode.from_end.shown(),
            mode.from_stamp.shown()
        );
    }
}

/// What a router's advertisements make of an address every few seconds.
fn refreshes(namespace: &Arc<Namespace>, rungs: &[Hook], changes: &mut Changes) {
    println!(
        "\n| who hears | {REFRESHES} renewed lifetimes wake it so often | octets of eBPF maps |\n| --- | --- | --- |"
    );
    for rung in rungs {
        let listener = Listener::start(namespace, *rung).unwrap();
        changes.add();
        listener.next();
        let before = listener.wakeups();
        for lifetime in 0..REFRESHES {
            changes.renew(1000 + lifetime);
            // Apart, as a router's are: whoever is woken has gone to sleep again.
            thread::sleep(Duration::from_millis(2));
        }
        thread::sleep(Duration::from_millis(200));
        println!("| {} | {} | {} |", rung.as_str(), listener.wakeups() - before, listener.map_octets());
        changes.remove();
        listener.next();
    }
}

fn burst(namespace: &Arc<Namespace>, rungs: &[Hook], changes: &mut Changes) {
    println!(
        "\n| who hears | {BURST} changes: looks | losses told | the last look is right |\n| --- | --- | --- | --- |"
    );
    for rung in rungs {
        let listener = Listener::start(namespace, *rung).unwrap();
        for _ in 0..BURST / 2 {
            changes.add();
            changes.remove();
        }
        changes.add();
        let (looks, losses) = listener.until(|event| event.snapshot.addresses().iter().any(Changes::is_ours));
        println!("| {} | {looks} | {losses} | yes |", rung.as_str());
        changes.remove();
    }
}
