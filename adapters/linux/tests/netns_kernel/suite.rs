use std::fmt::Write as _;
use std::sync::Arc;
use std::thread;

use ddns_core::address::{IpChangeEvent, Snapshot};
use ddns_core::ports::Clock;
use ddns_linux::{BootClock, Hook, KernelOptions};

use crate::world::{World, find};

/// `ip` commands that add (or delete) this many addresses, each its own subnet.
fn addresses(verb: &str, block: u8, count: u32) -> String {
    let mut lines = String::new();
    for n in 0..count {
        writeln!(lines, "addr {verb} 10.{block}.{}.{}/32 dev wan0", n / 256, n % 256).unwrap();
    }
    lines
}

/// Trap 1: a wrong group mask binds without an error and receives nothing.
pub fn an_added_address_is_announced(hook: Hook, rung: &str) {
    World::run(|world| {
        let source = world.source(hook);
        let (first, mut watch) = world.watch(&source);
        assert_eq!((first.hint.rung, first.hint.announcements, first.hint.after_loss), ("snapshot", 0, false));
        assert!(find(&first.snapshot, "192.0.2.1").is_none());

        let before = BootClock.now();
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let events = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some());
        let IpChangeEvent { snapshot, hint, .. } = events.last().unwrap();
        let address = find(snapshot, "192.0.2.1").unwrap();
        assert_eq!((address.interface.as_str(), address.prefix_len, address.link_up), ("wan0", 24, true));
        assert_eq!((hint.rung, hint.after_loss), (rung, false));
        assert!(hint.announcements >= 1 && hint.received_at >= before);
        match hook {
            Hook::Netlink => assert_eq!(hint.kernel_at, None),
            _ => assert!(hint.kernel_at.is_some_and(|at| before <= at && at <= BootClock.now())),
        }
        assert_eq!(&world.current(&source), snapshot);
        assert_eq!(world.log.count(&format!("Kernel address events rung=\"{rung}\"")), 1, "{}", world.log.text());
    });
}

/// Trap 20: DEL and NEW come apart, and the second must not be thrown away.
pub fn an_address_swap_ends_with_the_new_one(hook: Hook, _: &str) {
    World::run(|world| {
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let (_, mut watch) = world.watch(&world.source(hook));
        for (old, new) in [("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1")] {
            world.namespace.ip(&format!("addr del {old}/24 dev wan0"));
            watch.until(|snapshot| find(snapshot, old).is_none());
            world.namespace.ip(&format!("addr add {new}/24 dev wan0"));
            watch.until(|snapshot| find(snapshot, new).is_some());
        }
        world.namespace.batch("addr del 192.0.2.1/24 dev wan0\naddr add 192.0.2.3/24 dev wan0\n");
        let last = watch.until(|snapshot| find(snapshot, "192.0.2.3").is_some()).pop().unwrap();
        assert!(find(&last.snapshot, "192.0.2.1").is_none());
    });
}

/// FAULTS 6.
pub fn a_lease_renewed_by_delete_and_add_is_no_change(hook: Hook, _: &str) {
    World::run(|world| {
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let (first, mut watch) = world.watch(&world.source(hook));
        world.namespace.batch("addr del 192.0.2.1/24 dev wan0\naddr add 192.0.2.1/24 dev wan0\n");
        for _ in 0..100 {
            assert_eq!(watch.glance(), None);
        }
        world.namespace.ip("addr add 192.0.2.9/24 dev wan0");
        assert!(find(&watch.next().snapshot, "192.0.2.9").is_some());
        world.namespace.ip("addr del 192.0.2.9/24 dev wan0");
        assert_eq!(watch.next().snapshot, first.snapshot);
    });
}

/// FAULTS 2 and 5: unread for as long as the burst lasts, one snapshot says it all.
pub fn a_burst_ends_with_the_truth(hook: Hook, _: &str) {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source(hook));
        world
            .namespace
            .batch(&(addresses("add", 1, 1_000) + &addresses("del", 1, 999) + "addr add 10.2.0.0/32 dev wan0\n"));
        let truth = world.current(&world.source(hook));
        let events = watch.until(|snapshot| *snapshot == truth);
        assert!(find(&truth, "10.1.3.231").is_some() && find(&truth, "10.2.0.0").is_some());
        match hook {
            // Fault 3: the socket's queue does not hold all of it, and ENOBUFS says so.
            Hook::Netlink => assert!(events.iter().any(|event| event.hint.after_loss)),
            // The ring does; a few turns, since a batch is 1,024.
            Hook::Auto | Hook::Fentry | Hook::Kprobe | Hook::SocketFilter => {
                assert!(events.iter().all(|event| !event.hint.after_loss), "{}", world.log.text());
                assert!(events.iter().all(|event| event.hint.kernel_at.is_some()));
            }
        }
    });
}

/// Much more than the ring holds. Emulated processors, on which the tracing rungs are tested, take minutes for as much.
const FLOOD: u32 = if cfg!(feature = "tracing-rungs") { 8_000 } else { 20_000 };

/// What comes after the flood is heard as before. Trap 3, FAULTS 2 and 3: what does not fit into the ring or the socket is made up for by a full look.
pub fn a_flood_is_survived_and_told(hook: Hook, rung: &str) {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source(hook));
        // A little more than the ring holds is in the socket's queue, much more is nowhere.
        let ring = ddns_ebpf::EVENTS_BYTES / (8 + size_of::<ddns_ebpf::AddressRecord>() as u32);
        for (block, changes) in [(1, ring + 50), (2, FLOOD)] {
            let half = changes / 2;
            world
                .namespace
                .batch(&(addresses("add", 0, half) + &addresses("del", 0, half) + &addresses("add", block, 10)));
            let truth = world.current(&world.source(hook));
            assert_eq!(watch.until_loss().snapshot, truth);
            assert!(find(&truth, &format!("10.{block}.0.9")).is_some());
        }
        if hook != Hook::Netlink {
            assert!(world.log.count("the ring of address events is full") >= 1, "{}", world.log.text());
        }
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let last = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some()).pop().unwrap();
        assert_eq!(last.hint.rung, rung);
    });
}

/// FAULTS 3: a dump that a change tore is not shown to anyone.
pub fn a_stable_address_is_in_every_snapshot_under_churn(hook: Hook, _: &str) {
    World::run(|world| {
        const STABLE: u32 = 600;
        world.namespace.batch(&addresses("add", 1, STABLE));
        let (_, mut watch) = world.watch(&world.source(hook));
        let namespace = Arc::clone(&world.namespace);
        let churn = thread::spawn(move || {
            for _ in 0..4 {
                namespace.batch(&(addresses("add", 0, 250) + &addresses("del", 0, 250)));
            }
            namespace.ip("addr add 10.2.0.0/32 dev wan0");
        });
        let events = watch.until(|snapshot| find(snapshot, "10.2.0.0").is_some());
        churn.join().unwrap();
        for event in events {
            let stable =
                event.snapshot.addresses().iter().filter(|entry| entry.address.to_string().starts_with("10.1."));
            assert_eq!(stable.count(), STABLE as usize);
        }
    });
}

/// FAULTS 8: the index is another one, the name counts.
pub fn a_renamed_removed_or_recreated_interface_is_followed_by_name(hook: Hook, _: &str) {
    World::run(|world| {
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let named = KernelOptions { hook, interfaces: vec!["wan0".to_owned()], ..KernelOptions::default() };
        let held = |snapshot: &Snapshot| find(snapshot, "192.0.2.1").filter(|entry| entry.interface == "wan0").cloned();
        let (first, mut watch) = world.watch(&world.source_with(named));
        let index = held(&first.snapshot).unwrap().index;

        world.namespace.batch("link set wan0 down\nlink set wan0 name old0\n");
        watch.until(|snapshot| held(snapshot).is_none());
        world.namespace.batch("link set old0 name wan0\nlink set wan0 up\n");
        watch.until(|snapshot| held(snapshot).is_some_and(|entry| entry.index == index && entry.link_up));

        world.namespace.ip("link del wan0");
        watch.until(|snapshot| held(snapshot).is_none());
        world
            .namespace
            .batch("link add wan0 type veth peer name isp0\nlink set wan0 addrgenmode none\nlink set wan0 up\naddr add 192.0.2.1/24 dev wan0\n");
        let last = watch.until(|snapshot| held(snapshot).is_some_and(|entry| entry.link_up)).pop().unwrap();
        assert_ne!(held(&last.snapshot).unwrap().index, index);
    });
}

/// Of an interface that doesn't exist yet nothing can be listed; its coming is what is heard first.
pub fn an_interface_that_appears_later_is_heard(hook: Hook, _: &str) {
    World::run(|world| {
        let named = KernelOptions { hook, interfaces: vec!["late0".to_owned()], ..KernelOptions::default() };
        let (_, mut watch) = world.watch(&world.source_with(named));
        world.namespace.batch("link add late0 type veth peer name late1\nlink set late0 addrgenmode none\n");
        world.namespace.batch("link set late0 up\naddr add 192.0.2.1/24 dev late0\n");
        watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some());
        world.namespace.ip("addr add 192.0.2.2/24 dev late0");
        watch.until(|snapshot| find(snapshot, "192.0.2.2").is_some());
    });
}

/// Link messages are hints too.
pub fn a_link_going_down_and_up_is_told(hook: Hook, _: &str) {
    World::run(|world| {
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let (_, mut watch) = world.watch(&world.source(hook));
        for (state, up) in [("down", false), ("up", true)] {
            world.namespace.ip(&format!("link set wan0 {state}"));
            watch.until(|snapshot| find(snapshot, "192.0.2.1").unwrap().link_up == up);
        }
    });
}

/// What of a link has come to the runtime's ears wakes the watch, when it has not been told of the address's announcement
/// yet: the snapshot shows the address, and nobody but this item will say who made it, and when.
pub fn a_change_is_told_with_its_announcement_though_a_link_was_heard_first(hook: Hook, _: &str) {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source(hook));
        world.namespace.ip("link set wan0 mtu 1400");
        world.block_on(async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        });
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0");
        let last = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some()).pop().unwrap();
        assert!(last.hint.announcements >= 1);
        assert_eq!(last.hint.kernel_at.is_some(), hook != Hook::Netlink);
        assert_eq!(last.hint.by.is_some(), matches!(hook, Hook::Fentry | Hook::Kprobe));
    });
}

/// The contract of `watch`. Dropped at any point and watched again, the truth comes first.
pub fn a_dropped_watch_loses_nothing(hook: Hook, rung: &str) {
    World::run(|world| {
        let source = world.source(hook);
        drop(futures_util::StreamExt::boxed(ddns_core::ports::IpSource::watch(&source)));
        for n in 1..=8 {
            let (first, mut watch) = world.watch(&source);
            assert_eq!(first.snapshot, world.current(&source));
            world.namespace.ip(&format!("addr add 192.0.2.{n}/24 dev wan0"));
            // Dropped with the announcement unread, read, or in between.
            for _ in 0..n / 2 {
                let _ = watch.glance();
            }
        }
        let (first, mut watch) = world.watch(&source);
        assert!((1..=8).all(|n| find(&first.snapshot, &format!("192.0.2.{n}")).is_some()));
        world.namespace.ip("addr add 192.0.2.9/24 dev wan0");
        let last = watch.until(|snapshot| find(snapshot, "192.0.2.9").is_some()).pop().unwrap();
        assert_eq!(last.hint.rung, rung);
        assert_eq!(world.log.count("Kernel address events"), 1, "said once, not at each watch");
    });
}

/// On a point-to-point link IFA_ADDRESS is the other end.
pub fn a_peer_is_not_our_address(hook: Hook, _: &str) {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source(hook));
        world.namespace.ip("addr add 192.0.2.1 peer 198.51.100.1/32 dev wan0 noprefixroute");
        let last = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_some()).pop().unwrap();
        assert!(find(&last.snapshot, "198.51.100.1").is_none());
        if hook != Hook::Netlink {
            world.namespace.ip("addr add 2001:db8::1/64 dev wan0 nodad");
            watch.until(|snapshot| find(snapshot, "2001:db8::1").is_some());
            // IFA_F_PERMANENT with IFA_F_NOPREFIXROUTE, which only the long flags hold, and with IFA_F_NODAD.
            for told in ["address=192.0.2.1 event=New", "prefix_len=32 flags=640", "address=2001:db8::1 event=New"] {
                assert_eq!(world.log.count(told), 1, "{told}: {}", world.log.text());
            }
            assert_eq!(world.log.count("prefix_len=64 flags=130"), 1, "{}", world.log.text());
        }
    });
}
