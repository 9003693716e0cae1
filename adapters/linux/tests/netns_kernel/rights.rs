//! Which rung a process gets by its rights (fault 1).

use std::error::Error;

use ddns_core::ports::SourceError;
use ddns_linux::Hook;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use crate::world::{World, find};

/// Leaves the calling thread no other capability.
fn keep(capabilities: CapabilitySet) {
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

#[test]
fn auto_takes_the_socket_filter_where_it_may() {
    World::run(|world| {
        added_address_arrives(world, Hook::Auto, "socket-filter");
        assert_eq!(world.log.count("reason="), 0, "{}", world.log.text());
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
        assert_eq!(world.log.count("reason=\"no right to use eBPF: grant CAP_BPF"), 1, "{}", world.log.text());
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
