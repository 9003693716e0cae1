use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, ipproto, socket_with};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use tokio::runtime::{Builder, Runtime};

use crate::namespace::Namespace;

/// The router's addresses; the host's end in 2. It has a third one, from which nobody was asked anything.
pub const ROUTER: &str = "192.168.7.1";
pub const ROUTER_V6: &str = "fe80::1";
pub const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 9);
/// Nobody may open a socket for pings, the kernel's default.
pub const NOBODY: &str = "1 0";
pub const ANYBODY: &str = "0 2147483647";

/// Nothing depends on how much of it is used.
const BOUND: Duration = Duration::from_secs(40);

/// A host with its cable `wan0` in a router, and the routes that this router gave it.
pub struct Scene {
    pub host: Namespace,
    pub router: Namespace,
    runtime: Runtime,
}

impl Scene {
    /// Runs a test on a thread of the host. `pings` are the groups that may send some.
    pub fn run(pings: &str, test: impl FnOnce(&Scene) + Send) {
        let inside = || {
            let (host, router) = (Namespace::new(), Namespace::new());
            host.sysctl("net/ipv4/ping_group_range", pings);
            host.batch(&format!("link set lo up\nlink add wan0 type veth peer name lan0 netns {}\n", router.name()));
            router.batch(&format!(
                "link set lo up\nlink set lan0 addrgenmode none\nlink set lan0 up\naddr add {ROUTER}/24 dev lan0\n\
                 addr add {OTHER}/24 dev lan0\naddr add {ROUTER_V6}/64 dev lan0 nodad\n"
            ));
            host.batch(&format!(
                "link set wan0 addrgenmode none\nlink set wan0 up\naddr add 192.168.7.2/24 dev wan0\n\
                 addr add fe80::2/64 dev wan0 nodad\nroute add default via {ROUTER} dev wan0\n\
                 route add ::/0 via {ROUTER_V6} dev wan0\n"
            ));
            host.wait_for_links(1, BOUND);
            host.enter();
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            test(&Scene { host, router, runtime });
        };
        if let Err(panic) = thread::scope(|scope| scope.spawn(inside).join()) {
            resume_unwind(panic);
        }
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// What the router drops, as a rule of nft.
    pub fn router_drops(&self, what: &str) {
        let rules = format!(
            "add table inet t; add chain inet t c {{ type filter hook input priority 0; }}; add rule inet t c {what} drop"
        );
        let status = Command::new("ip").args(["netns", "exec", self.router.name(), "nft", &rules]).status();
        assert!(status.unwrap().success(), "nft: {rules}");
    }

    /// A listener of the router, which accepts by itself.
    pub fn router_listens(&self, port: u16) -> TcpListener {
        self.in_router(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap())
    }

    /// ICMP messages that the host has sent.
    pub fn sent(&self) -> u64 {
        let counts = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
        let mut lines = counts.lines().filter_map(|line| line.strip_prefix("Icmp: "));
        let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
        let mut pairs = names.split(' ').zip(values.split(' '));
        pairs.find(|(name, _)| *name == "OutMsgs").unwrap().1.parse().unwrap()
    }

    /// While `work` is under way, the router answers each ping with what `forge` makes of the right answer, from this
    /// address.
    pub fn answering<T>(&self, from: Ipv4Addr, forge: impl Fn(&mut [u8]) + Sync, work: impl FnOnce() -> T) -> T {
        let socket = self.in_router(|| {
            let raw = socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::ICMP));
            let raw = raw.unwrap();
            bind(&raw, &SocketAddr::from((from, 0))).unwrap();
            UdpSocket::from(raw)
        });
        // What is sent to another of the router's addresses comes to a socket without one.
        let ears = self.in_router(|| {
            let raw = socket_with(AddressFamily::INET, SocketType::RAW, SocketFlags::CLOEXEC, Some(ipproto::ICMP));
            UdpSocket::from(raw.unwrap())
        });
        ears.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut buffer = [0; 256];
                while !over.load(Ordering::Relaxed) {
                    let Ok((length, asker)) = ears.recv_from(&mut buffer) else { continue };
                    let mut message = buffer[20..length].to_vec();
                    if message[0] == 8 {
                        message[0] = 0;
                        forge(&mut message);
                        message[2..4].fill(0);
                        let sum = checksum(&message).to_be_bytes();
                        message[2..4].copy_from_slice(&sum);
                        socket.send_to(&message, asker).unwrap();
                    }
                }
            });
            let done = catch_unwind(AssertUnwindSafe(work));
            over.store(true, Ordering::Relaxed);
            done.unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    fn in_router<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            self.router.enter();
            work()
        };
        thread::scope(|scope| scope.spawn(inside).join()).unwrap()
    }
}

/// Leaves the calling thread no capability.
pub fn give_up_all() {
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none }).unwrap();
}

fn checksum(message: &[u8]) -> u16 {
    let sum: u32 = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded + (folded >> 16)) as u16)
}
