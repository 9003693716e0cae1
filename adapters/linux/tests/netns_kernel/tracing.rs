//! What only the rungs that trace the kernel tell.

use ddns_core::address::IpChangeEvent;
use ddns_linux::{Hook, KernelOptions};

use crate::namespace::Namespace;
use crate::world::{World, find};

/// "11.0.0.1 → 11.0.0.2 by pppd[812]".
fn who_made_a_change_is_told(hook: Hook) {
    World::run(|world| {
        let by_ip = |event: IpChangeEvent| {
            let by = event.hint.by.unwrap();
            assert!(by.pid > 1 && by.to_string() == format!("ip[{}]", by.pid), "{by}");
        };
        let (_, mut watch) = world.watch(&world.source(hook));
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        by_ip(watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some()).pop().unwrap());
        // The kernel announces an IPv6 address when its work queue has made it valid, in nobody's name.
        world.namespace.ip("addr add 2001:db8::1/64 dev wan0");
        let valid = watch.until(|snapshot| find(snapshot, "2001:db8::1").is_some()).pop().unwrap();
        assert_eq!(valid.hint.by, None);
        for (address, length) in [("192.0.2.1", 24), ("2001:db8::1", 64)] {
            world.namespace.ip(&format!("addr del {address}/{length} dev wan0"));
            by_ip(watch.until(|snapshot| find(snapshot, address).is_none()).pop().unwrap());
        }
    });
}

/// What the kernel does of its own accord is in nobody's name.
fn the_end_of_a_lifetime_has_no_author(hook: Hook) {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source(hook));
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0 valid_lft 2 preferred_lft 2");
        watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some());
        let event = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_none()).pop().unwrap();
        assert_eq!(event.hint.by, None);
    });
}

fn another_namespace_is_heard_only_if_wanted(hook: Hook) {
    World::run(|world| {
        let other = Namespace::new();
        for (every_namespace, heard) in [(false, 0), (true, 1)] {
            let options = KernelOptions { hook, every_namespace, ..KernelOptions::default() };
            let (_, mut watch) = world.watch(&world.source_with(options));
            other.batch("link set lo up\naddr add 192.0.2.7/32 dev lo\naddr del 192.0.2.7/32 dev lo\n");
            world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
            watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some());
            assert_eq!(world.log.count("address=192.0.2.7 event=New"), heard, "{}", world.log.text());
            world.namespace.ip("addr del 192.0.2.1/24 dev wan0");
        }
    });
}

macro_rules! on_both_rungs {
    ($($test:ident),* $(,)?) => {
        mod by_fentry {
            $(#[test] fn $test() { super::$test(ddns_linux::Hook::Fentry); })*
        }
        mod by_kprobe {
            $(#[test] fn $test() { super::$test(ddns_linux::Hook::Kprobe); })*
        }
    };
}

on_both_rungs!(
    who_made_a_change_is_told,
    the_end_of_a_lifetime_has_no_author,
    another_namespace_is_heard_only_if_wanted,
);
