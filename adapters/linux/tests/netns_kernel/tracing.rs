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

/// Whoever hears every namespace hears those of the tests beside this one too: the address is this test's own, and what
/// they announce may fill the ring, or a turn, so that more than one round is needed.
fn another_namespace_is_heard_only_if_wanted(hook: Hook) {
    let elsewhere = if hook == Hook::Fentry { "192.0.2.7" } else { "192.0.2.8" };
    let told = format!("address={elsewhere} event=New");
    World::run(|world| {
        let other = Namespace::new();
        let changes = format!("link set lo up\naddr add {elsewhere}/32 dev lo\naddr del {elsewhere}/32 dev lo\n");
        for (every_namespace, rounds) in [(false, 1), (true, 10)] {
            let options = KernelOptions { hook, every_namespace, ..KernelOptions::default() };
            let (_, mut watch) = world.watch(&world.source_with(options));
            let heard = (0..rounds).any(|_| {
                other.batch(&changes);
                world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
                watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some());
                world.namespace.ip("addr del 192.0.2.1/24 dev wan0");
                watch.until(|snapshot| find(snapshot, "192.0.2.1").is_none());
                world.log.count(&told) > 0
            });
            assert_eq!(heard, every_namespace, "{}", world.log.text());
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
