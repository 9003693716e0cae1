use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use ddns_core::address::{AddressFlags, Snapshot};
use ddns_linux::Hook;

use crate::namespace::Namespace;
use crate::world::{World, find};

/// Trap 4: the repeat of RTM_NEWADDR that tells the end is not taken for a duplicate.
pub fn the_end_of_duplicate_address_detection_is_told(hook: Hook, _: &str) {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source(hook));
        world.namespace.ip("addr add 2001:db8::1/64 dev wan0");
        let first = watch.until(|snapshot| find(snapshot, "2001:db8::1").is_some()).pop().unwrap();
        let flags = find(&first.snapshot, "2001:db8::1").unwrap().flags;
        if hook == Hook::Netlink {
            assert_eq!(flags, AddressFlags { tentative: true, ..AddressFlags::default() });
            watch.until(|snapshot| find(snapshot, "2001:db8::1").unwrap().flags == AddressFlags::default());
        } else {
            assert_eq!(flags, AddressFlags::default(), "nobody was woken for what is of no use yet");
        }
    });
}

/// What detection finds to be a duplicate is of no use for ever, and that is news.
pub fn a_duplicate_that_detection_finds_is_told(hook: Hook, _: &str) {
    World::run(|world| {
        let (_, mut watch) = world.watch(&world.source(hook));
        world.namespace.ip("addr add 2001:db8::1/64 dev isp0 nodad");
        world.namespace.ip("addr add 2001:db8::1/64 dev wan0");
        let failed = AddressFlags { tentative: true, dad_failed: true, ..AddressFlags::default() };
        let is_failed = |snapshot: &Snapshot| {
            snapshot.addresses().iter().any(|held| held.interface == "wan0" && held.flags == failed)
        };
        watch.until(is_failed);
    });
}

/// A real router daemon at the other end of wan0, in a namespace of its own.
struct Router {
    namespace: Namespace,
    directory: tempfile::TempDir,
    radvd: Option<Child>,
    started: u32,
}

impl Router {
    fn new(world: &World) -> Self {
        let namespace = Namespace::new();
        world.namespace.ip(&format!("link set isp0 netns {}", namespace.name()));
        namespace.sysctl("net/ipv6/conf/all/forwarding", "1");
        namespace.batch("link set lo up\nlink set isp0 addrgenmode eui64\nlink set isp0 up\n");
        world.namespace.batch("link set wan0 down\nlink set wan0 addrgenmode eui64\nlink set wan0 up\n");
        Self { namespace, directory: tempfile::tempdir().unwrap(), radvd: None, started: 0 }
    }

    /// Advertises these prefixes, each with its preferred lifetime, every three or four seconds.
    fn advertise(&mut self, prefixes: &[(&str, u32)]) {
        self.stop();
        let prefixes: String = prefixes
            .iter()
            .map(|(prefix, preferred)| {
                format!("prefix {prefix}/64 {{ AdvValidLifetime 3600; AdvPreferredLifetime {preferred}; }};\n")
            })
            .collect();
        let config = self.directory.path().join("radvd.conf");
        let text =
            format!("interface isp0 {{ AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;\n{prefixes}}};\n");
        std::fs::write(&config, text).unwrap();
        let mut radvd = Command::new("ip");
        radvd.args(["netns", "exec", self.namespace.name(), "radvd", "-n", "-m", "stderr", "-C"]).arg(config);
        // The one before may not have let go of its file yet.
        self.started += 1;
        radvd.arg("-p").arg(self.directory.path().join(format!("radvd-{}.pid", self.started)));
        self.radvd = Some(radvd.spawn().expect("radvd is installed: `cargo xtask setup`"));
    }

    fn stop(&mut self) {
        if let Some(mut radvd) = self.radvd.take() {
            let _ = radvd.kill();
            let _ = radvd.wait();
        }
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits for this many announcements of addresses that begin so, on a socket of its own.
fn hear(world: &World, begins: &str, count: usize) {
    let mut monitor = Command::new("ip")
        .args(["-n", world.namespace.name(), "-o", "-6", "monitor", "address"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(monitor.stdout.take().unwrap()).lines();
    let heard = lines.map_while(Result::ok).filter(|line| line.contains(begins)).take(count).count();
    assert_eq!(heard, count);
    monitor.kill().unwrap();
    monitor.wait().unwrap();
}

/// A provider that hands out another prefix, by a real radvd; then it repeats itself every few seconds, for ever.
pub fn a_prefix_that_a_router_replaces_is_followed_and_its_refreshes_wake_nobody(hook: Hook, _: &str) {
    World::run(|world| {
        let mut router = Router::new(world);
        let (_, mut watch) = world.watch(&world.source(hook));
        let of = |snapshot: &Snapshot, prefix: &str, flags: AddressFlags| {
            let fits = |text: &str| text.starts_with(prefix);
            snapshot.addresses().iter().any(|held| fits(&held.address.to_string()) && held.flags == flags)
        };
        let (plain, deprecated) =
            (AddressFlags::default(), AddressFlags { deprecated: true, ..AddressFlags::default() });
        router.advertise(&[("2001:db8:a::", 1800)]);
        watch.until(|snapshot| of(snapshot, "2001:db8:a:", plain));
        router.advertise(&[("2001:db8:a::", 0), ("2001:db8:b::", 1800)]);
        watch.until(|snapshot| of(snapshot, "2001:db8:b:", plain) && of(snapshot, "2001:db8:a:", deprecated));
        // Each advertisement of a prefix that is no longer preferred makes its addresses preferred for a moment.
        router.advertise(&[("2001:db8:b::", 1800)]);
        hear(world, "2001:db8:b:", 1);
        while watch.glance().is_some() {}
        let told = world.log.count("Address announced");
        hear(world, "2001:db8:b:", 2);
        assert_eq!(watch.glance(), None);
        assert_eq!(world.log.count("Address announced"), told, "{}", world.log.text());
    });
}
