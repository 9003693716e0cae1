use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;

use ddns_core::address::InterfaceAddress;
use ddns_core::ports::Clock;
use ddns_linux::BootClock;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with};

const ADDRESS: [u8; 4] = [192, 0, 2, 1];
// linux/rtnetlink.h, linux/netlink.h
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const REQUEST_ACK: u16 = 0x5;
const REPLACE: u16 = 0x100;
const CREATE: u16 = 0x400;
const IFA_LOCAL: u16 = 2;
const IFA_CACHEINFO: u16 = 6;

/// Changes one address over rtnetlink, so that the time of the system call can be taken.
pub struct Changes {
    socket: OwnedFd,
    index: u32,
    there: bool,
}

pub fn now() -> i64 {
    i64::try_from(BootClock.now().as_nanos()).unwrap()
}

impl Changes {
    pub fn new(interface: &str) -> Self {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None).unwrap();
        connect(&socket, &SocketAddrNetlink::new(0, 0)).unwrap();
        let path = format!("/sys/class/net/{interface}/ifindex");
        let index = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        Self { socket, index: index.unwrap_or_else(|| index_of(interface)), there: false }
    }

    pub fn is_ours(held: &InterfaceAddress) -> bool {
        held.address == IpAddr::V4(Ipv4Addr::from(ADDRESS))
    }

    /// Adds or removes the address; when the system call began and ended.
    pub fn toggle(&mut self) -> (i64, i64) {
        let (there, start) = (self.there, now());
        if there {
            self.remove()
        } else {
            self.add()
        }
        (start, now())
    }

    pub fn add(&mut self) {
        self.change(RTM_NEWADDR, CREATE, None);
        self.there = true;
    }

    pub fn remove(&mut self) {
        self.change(RTM_DELADDR, 0, None);
        self.there = false;
    }

    pub fn renew(&mut self, lifetime: u32) {
        self.change(RTM_NEWADDR, REPLACE, Some(lifetime));
    }

    fn change(&mut self, kind: u16, flags: u16, lifetime: Option<u32>) {
        let mut message = vec![2, 24, 0, 0];
        message.extend(self.index.to_ne_bytes());
        attribute(&mut message, IFA_LOCAL, &ADDRESS);
        if let Some(lifetime) = lifetime {
            let words = [lifetime, lifetime, 0, 0];
            let info: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            attribute(&mut message, IFA_CACHEINFO, &info);
        }
        let length = u32::try_from(16 + message.len()).unwrap();
        let mut request = length.to_ne_bytes().to_vec();
        request.extend(kind.to_ne_bytes());
        request.extend((REQUEST_ACK | flags).to_ne_bytes());
        request.extend([0; 8]);
        request.extend(message);
        send(&self.socket, &request, SendFlags::empty()).unwrap();
        let mut answer = [0; 1024];
        let (read, _) = recv(&self.socket, &mut answer, RecvFlags::empty()).unwrap();
        let error = answer.get(16..20).filter(|_| read >= 20).unwrap();
        assert_eq!(i32::from_ne_bytes(error.try_into().unwrap()), 0, "the kernel refuses the change");
    }
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend(u16::try_from(4 + value.len()).unwrap().to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
}

/// The index by `ip`, where sysfs shows another namespace.
fn index_of(interface: &str) -> u32 {
    let output = std::process::Command::new("ip").args(["-o", "link", "show", interface]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split(':').next().unwrap().trim().parse().unwrap()
}
