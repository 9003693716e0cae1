use ddns_linux::Hook;

use crate::world::{World, find};

/// A lease that nobody renews: preferred, deprecated, gone.
pub fn an_address_whose_lifetime_ends_is_told_at_each_stage(hook: Hook, _: &str) {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source(hook));
        world.namespace.ip("addr add 192.0.2.1/24 dev wan0 valid_lft 4 preferred_lft 2");
        world.namespace.ip("addr add 2001:db8::1/64 dev wan0 valid_lft 4 preferred_lft 2 nodad");
        for address in ["192.0.2.1", "2001:db8::1"] {
            watch.until_now(|snapshot| find(snapshot, address).is_some_and(|held| held.flags.deprecated));
        }
        for address in ["192.0.2.1", "2001:db8::1"] {
            watch.until_now(|snapshot| find(snapshot, address).is_none());
        }
    });
}

/// Trap 34: with two addresses in one subnet the kernel takes the second one away with the first, and puts it back.
pub fn a_promoted_secondary_stays(hook: Hook, _: &str) {
    World::run(|world| {
        std::fs::write("/proc/sys/net/ipv4/conf/wan0/promote_secondaries", "1").unwrap();
        world.namespace.batch("addr add 192.0.2.1/24 dev wan0\naddr add 192.0.2.2/24 dev wan0\n");
        let (_, mut watch) = world.watch(&world.source(hook));
        world.namespace.ip("addr del 192.0.2.1/24 dev wan0");
        let gone = watch.until(|snapshot| find(snapshot, "192.0.2.1").is_none()).pop().unwrap();
        assert!(find(&gone.snapshot, "192.0.2.2").is_some());
    });
}
