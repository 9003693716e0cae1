//! FAULTS 4: a hook that has gone deaf is found out by the next audit.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;

use ddns_linux::{Hook, KernelOptions};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{bind, getsockname};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, Resource, Rlimit, getpid, pidfd_getfd, pidfd_open, setrlimit};
use rustix::thread::CapabilitySet;

use crate::rights::keep;
use crate::world::{World, find};

/// Takes the announcement sockets of this namespace out of their groups, as nobody but an enemy or a bug would.
fn deafen() {
    let table = fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    let mut deafened = 0;
    for entry in fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        let Ok(target) = fs::read_link(&path) else { continue };
        let Some(inode) = target.to_str().and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']')) else {
            continue;
        };
        // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
        let columns = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let is_in_groups = |columns: Vec<&str>| columns.last() == Some(&inode) && columns[3] != "00000000";
        if !columns.into_iter().any(is_in_groups) {
            continue;
        }
        let number: i32 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let socket: OwnedFd = pidfd_getfd(&own, number, PidfdGetfdFlags::empty()).unwrap();
        let address: SocketAddrNetlink = getsockname(&socket).unwrap().try_into().unwrap();
        bind(&socket, &SocketAddrNetlink::new(address.pid(), 0)).unwrap();
        deafened += 1;
    }
    assert_eq!(deafened, 1);
}

fn audited(hook: Hook) -> KernelOptions {
    KernelOptions { hook, audit: Some(Duration::from_millis(200)), ..KernelOptions::default() }
}

#[test]
fn a_change_that_was_not_announced_is_found_told_and_costs_the_rung_its_place() {
    World::run(|world| {
        // As on a host that grants no tracing, whose best rung this is.
        let (_, mut watch) = world.watch(&world.source_with(audited(Hook::SocketFilter)));
        deafen();
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let event = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some()).pop().unwrap();
        assert_eq!((event.hint.rung, event.hint.after_loss), ("audit", true));
        assert_eq!(world.log.count("WARN ddns_linux::kernel_source: An address change was not announced"), 1);
        // The rung was asked for by name, so it is put in place anew.
        world.namespace.ip("addr add 192.0.2.2/24 dev wan0");
        let event = watch.until(|snapshot| find(snapshot, "192.0.2.2").is_some()).pop().unwrap();
        assert_eq!((event.hint.rung, event.hint.after_loss), ("socket-filter", false));
    });
}

/// With CAP_BPF alone, which grants no tracing anywhere, `auto` begins at the socket filter.
#[test]
fn auto_steps_down_from_a_rung_that_went_deaf() {
    let _ = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None });
    World::run(|world| {
        keep(CapabilitySet::BPF);
        let (_, mut watch) = world.watch(&world.source_with(audited(Hook::Auto)));
        assert_eq!(world.log.count("Kernel address events rung=\"socket-filter\""), 1, "{}", world.log.text());
        deafen();
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some());
        assert_eq!(
            world.log.count(
                "An address change was not announced; the rung is not trusted any more rung=\"socket-filter\" missed=1"
            ),
            1,
            "{}",
            world.log.text()
        );
        world.namespace.ip("addr add 192.0.2.2/24 dev wan0");
        let event = watch.until(|snapshot| find(snapshot, "192.0.2.2").is_some()).pop().unwrap();
        assert_eq!((event.hint.rung, event.hint.after_loss), ("netlink", false));
    });
}

/// There is no rung beneath the last to step down to.
#[test]
fn the_last_rung_is_put_in_place_anew() {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source_with(audited(Hook::Netlink)));
        deafen();
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let event = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some()).pop().unwrap();
        assert_eq!(event.hint.rung, "audit");
        world.namespace.ip("addr add 192.0.2.2/24 dev wan0");
        let event = watch.until(|snapshot| find(snapshot, "192.0.2.2").is_some()).pop().unwrap();
        assert_eq!((event.hint.rung, event.hint.after_loss), ("netlink", false));
    });
}

#[test]
fn a_quiet_host_gives_an_audit_nothing_to_tell() {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source_with(audited(Hook::Netlink)));
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let events = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some());
        assert!(events.iter().all(|event| event.hint.rung == "netlink"));
        assert_eq!(world.log.count("was not announced"), 0);
    });
}
