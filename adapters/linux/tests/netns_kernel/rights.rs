//! Which rung a process gets by its rights (fault 1).

use std::error::Error;

use ddns_core::ports::SourceError;
use ddns_linux::{Hook, KernelOptions};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use crate::world::{World, find};

/// Leaves the calling thread no other capability.
pub fn keep(capabilities: CapabilitySet) {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: capabilities, permitted: capabilities, inheritable: none };
    set_capabilities(None, sets).unwrap();
}

fn added_address_arrives(world: &World, hook: Hook, rung: &str) {
    let source = world.source(hook);
    for n in 1..=2 {
        let (_, mut watch) = world.watch(&source);
        // A program that root starts has its rights again.
        world.namespace.ip(&format!("addr add 192.0.2.{n}/24 dev wan0"));
        let last = watch.until(|snapshot| find(snapshot, &format!("192.0.2.{n}")).is_some()).pop().unwrap();
        assert_eq!(last.hint.rung, rung);
    }
    assert_eq!(world.log.count("Kernel address events"), 1, "{}", world.log.text());
    assert_eq!(world.log.count(&format!(" INFO ddns_linux::kernel_source: Kernel address events rung=\"{rung}\"")), 1);
}

/// The first rung of the ladder that can be had by its name.
#[test]
fn auto_takes_the_best_that_it_may_and_names_what_is_refused() {
    World::run(|world| {
        let granted = |hook: &Hook| world.first(&world.source(*hook)).is_ok();
        let best = Hook::LADDER.into_iter().find(granted).unwrap();
        let said = world.log.count("Kernel address events");
        let (_, mut watch) = world.watch(&world.source(Hook::Auto));
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let last = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some()).pop().unwrap();
        assert_eq!(last.hint.rung, best.as_str());
        assert_eq!(world.log.count("Kernel address events") - said, 1, "{}", world.log.text());
        let refused = world.log.count("reason=\"fentry");
        assert_eq!(refused, usize::from(best != Hook::Fentry), "{}", world.log.text());
    });
}

/// What was attached goes on working; nothing can be attached any more.
#[test]
fn every_capability_can_be_given_up_once_the_hook_is_in_place() {
    World::run(|world| {
        // A thread has rights of its own, so one that was there before can still change addresses.
        let (ask, asked) = std::sync::mpsc::channel::<&str>();
        let namespace = std::sync::Arc::clone(&world.namespace);
        std::thread::spawn(move || asked.iter().for_each(|arguments| namespace.ip(arguments)));
        let options = KernelOptions { hook: Hook::SocketFilter, drop_privileges: true, ..KernelOptions::default() };
        let (_, mut watch) = world.watch(&world.source_with(options));
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        for none in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            let line = status.lines().find(|line| line.starts_with(none)).unwrap();
            assert_eq!(line.split_whitespace().last(), Some("0000000000000000"), "{status}");
        }
        assert!(status.lines().any(|line| line.split_whitespace().eq(["NoNewPrivs:", "1"])), "{status}");
        ask.send("addr add 192.0.2.1/24 dev wan0").unwrap();
        watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some());
        let error = world.first(&world.source(Hook::SocketFilter)).unwrap_err();
        assert!(error.to_string().contains("grant CAP_BPF"), "{error}");
    });
}

#[test]
fn the_socket_filter_needs_cap_bpf_alone() {
    // What LimitMEMLOCK of the unit does: before Linux 5.11 maps count against it.
    let _ = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None });
    World::run(|world| {
        keep(CapabilitySet::BPF);
        added_address_arrives(world, Hook::SocketFilter, "socket-filter");
    });
}

/// FAULTS 1.
#[test]
fn without_rights_auto_steps_down_with_one_line_that_says_why() {
    World::run(|world| {
        keep(CapabilitySet::empty());
        added_address_arrives(world, Hook::Auto, "netlink");
        assert_eq!(
            world.log.count("reason=\"fentry, kprobe, socket-filter: no right to use eBPF: grant CAP_BPF"),
            1,
            "{}",
            world.log.text()
        );
    });
}

#[test]
fn without_rights_the_socket_filter_asked_for_is_unavailable_with_the_remedy() {
    World::run(|world| {
        keep(CapabilitySet::empty());
        let error = world.first(&world.source(Hook::SocketFilter)).unwrap_err();
        assert!(matches!(error, SourceError::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains("grant CAP_BPF"), "{error}");
        assert!(error.source().is_some());
        assert_eq!(world.log.count("Kernel address events"), 0);
    });
}
