//! The ways out of the host, from the real kernel.

use std::time::Duration;

use ddns_core::ports::{Gateway, Gateways};
use ddns_linux::KernelGateways;
use futures_util::StreamExt;

use crate::world::World;

const ROUTED: &str = "addr add 192.168.7.2/24 dev wan0
route add default via 192.168.7.1 dev wan0 metric 100
";

fn gateway(address: &str) -> Gateway {
    Gateway { interface: "wan0".to_owned(), address: address.parse().unwrap() }
}

#[test]
fn the_gateways_are_told_at_once_and_after_each_change_of_them() {
    World::run(|world| {
        world.namespace.batch(ROUTED);
        let mut watch = KernelGateways.watch();
        let mut next = || world.block_on(watch.next()).unwrap().unwrap();
        assert_eq!(next(), [gateway("192.168.7.1")]);
        // What is no default route is passed over; a better one comes first.
        world.namespace.batch(
            "route add 10.0.0.0/8 via 192.168.7.9 dev wan0\nroute add default via 192.168.7.254 dev wan0 metric 50\n",
        );
        assert_eq!(next(), [gateway("192.168.7.254"), gateway("192.168.7.1")]);
        world.namespace.batch("addr add 2001:db8::2/64 dev wan0 nodad\nroute add ::/0 via fe80::1 dev wan0\n");
        assert_eq!(next(), [gateway("192.168.7.254"), gateway("192.168.7.1"), gateway("fe80::1")]);
        // Without a carrier no route is of use, and IPv4 routes stay in the table.
        world.namespace.batch("link set isp0 down\n");
        let mut left = next();
        while !left.is_empty() {
            left = next();
        }
        world.namespace.batch("link set isp0 up\n");
        assert!(next().contains(&gateway("192.168.7.254")));
    });
}

/// Nothing is told, and nobody wakes up, for routes of others.
#[test]
fn other_routes_are_no_news() {
    World::run(|world| {
        world.namespace.batch(ROUTED);
        let mut watch = KernelGateways.watch();
        world.block_on(watch.next()).unwrap().unwrap();
        world.namespace.batch("route add 10.0.0.0/8 via 192.168.7.9 dev wan0\n");
        let news = world.block_on(async { tokio::time::timeout(Duration::from_millis(300), watch.next()).await });
        assert!(news.is_err(), "{:?}", news.map(|news| news.map(|news| news.ok())));
    });
}
