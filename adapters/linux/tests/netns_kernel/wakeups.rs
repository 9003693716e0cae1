//! What wakes the process, and what doesn't.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use ddns_linux::{Hook, KernelOptions};

use crate::namespace::Namespace;
use crate::world::{World, find};

pub fn other_interfaces_wake_nobody_where_ebpf_can_tell(hook: Hook, _: &str) {
    World::run(|world| {
        let options = KernelOptions { hook, interfaces: vec!["wan0".to_owned()], ..KernelOptions::default() };
        let (_, mut watch) = world.watch(&world.source_with(options));
        world.namespace.ip("addr add 10.0.0.1/24 dev isp0");
        if hook == Hook::Netlink {
            watch.until(|snapshot| find(snapshot, "10.0.0.1").is_some());
            return;
        }
        assert_eq!(watch.glance(), None);
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let event = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some()).pop().unwrap();
        assert!(find(&event.snapshot, "10.0.0.1").is_some(), "a snapshot is whole");
        assert_eq!(world.log.count("address=10.0.0.1"), 0, "{}", world.log.text());
        assert_eq!(world.log.count("address=192.0.2.1"), 1, "{}", world.log.text());
    });
}

pub fn a_renewed_lifetime_wakes_nobody_where_ebpf_can_tell(hook: Hook, _: &str) {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source(hook));
        for seconds in [1000, 2000, 3000] {
            world
                .namespace
                .ip(&format!("addr replace 192.0.2.1/24 dev wan0 valid_lft {seconds} preferred_lft {seconds}"));
        }
        world.namespace.ip("addr add 192.0.2.2/24 dev wan0");
        watch.until(|snapshot| find(snapshot, "192.0.2.2").is_some());
        if hook != Hook::Netlink {
            assert_eq!(world.log.count("address=192.0.2.1"), 1, "{}", world.log.text());
        }
    });
}

/// A transfer whose way is cut: the kernel sends again and again, and that is told long before anything times out.
fn distress_of_connections_is_told(hook: Hook) {
    World::run(|world| {
        let far = Namespace::new();
        world.namespace.ip(&format!("link set isp0 netns {}", far.name()));
        far.batch("link set isp0 up\naddr add 192.0.2.2/24 dev isp0\n");
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let listener = std::thread::scope(|scope| {
            let inside = || {
                far.enter();
                TcpListener::bind("192.0.2.2:4000").unwrap()
            };
            scope.spawn(inside).join().unwrap()
        });
        let mut connection = TcpStream::connect("192.0.2.2:4000").unwrap();
        let _accepted = listener.accept().unwrap();
        let (first, mut watch) = world.watch(&world.source(hook));
        // The other end still hears us, and can't answer.
        far.ip("route add blackhole 192.0.2.1/32");
        connection.write_all(&[7; 1000]).unwrap();
        let event = watch.until_event(|event| event.hint.distress.is_some());
        assert!(event.hint.distress.unwrap().retransmissions >= ddns_ebpf::DISTRESS_RETRANSMISSIONS);
        assert_eq!(event.snapshot, first.snapshot);
    });
}

#[test]
fn distress_is_told_beside_the_socket_filter() {
    distress_of_connections_is_told(Hook::SocketFilter);
}

#[cfg(feature = "tracing-rungs")]
#[test]
fn distress_is_told_beside_a_tracing_program() {
    distress_of_connections_is_told(Hook::Fentry);
}
