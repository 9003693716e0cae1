use std::net::IpAddr;
use std::time::Duration;

use ddns_core::address::{AddressFlags, Family, InterfaceAddress, Snapshot};

use super::dice::Dice;
use super::fault::Fault;

const PUBLIC_V4: [&str; 4] = ["11.0.0.1", "11.0.0.2", "11.0.0.3", "11.0.0.4"];
const PUBLIC_V6: [&str; 4] = ["2a00:1::1", "2a00:1::2", "2a00:2::1", "2a00:2::2"];
const OTHER_V4: [&str; 6] = ["192.168.1.2", "100.64.0.7", "10.1.2.3", "203.0.113.5", "198.18.0.9", "169.254.7.7"];
const OTHER_V6: [&str; 4] = ["fd00::7", "2001:db8::1", "fe80::1", "2002:1::1"];

/// The truth about the host's addresses.
#[derive(Clone, Debug)]
pub struct Host {
    held: [Vec<InterfaceAddress>; 2],
    /// Only one interface counts.
    one_interface: bool,
}

/// A family's addresses from some moment on.
#[derive(Clone, Debug)]
pub struct Change {
    pub family: Family,
    pub held: Vec<InterfaceAddress>,
}

impl Host {
    pub fn new(one_interface: bool) -> Self {
        Self { held: Default::default(), one_interface }
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.held.iter().flatten().cloned().collect())
    }

    pub fn set(&mut self, change: Change) {
        self.held[change.family as usize] = change.held;
    }

    /// What a kind of fault does to a family, in the order of time.
    pub fn changes(&self, fault: Fault, family: Family, lasts: Duration, dice: &mut Dice) -> Vec<(Duration, Change)> {
        let old = public(family, dice);
        let new = public(family, dice);
        let before = self.held[family as usize].clone();
        let quick = Duration::from_millis(6);
        let states = match fault {
            Fault::Swap if dice.percent(50) => vec![(Duration::ZERO, vec![]), (quick, vec![new])],
            Fault::Swap => vec![(Duration::ZERO, [before, vec![new.clone()]].concat()), (quick, vec![new])],
            Fault::Flap => {
                let gap = dice.magnitude(Duration::from_millis(1), Duration::from_secs(30));
                let times = u32::try_from(2 + dice.below(20)).unwrap();
                let state = |nth: u32| (gap * nth, vec![if nth.is_multiple_of(2) { new.clone() } else { old.clone() }]);
                (0..times).map(state).collect()
            }
            Fault::NotPublishable => {
                let flags = |tentative, deprecated, temporary, dad_failed| AddressFlags {
                    tentative,
                    dad_failed,
                    deprecated,
                    temporary: temporary && family == Family::V6,
                };
                let mut unfit = new.clone();
                match dice.below(7) {
                    0 => unfit.flags = flags(true, false, false, false),
                    1 => unfit.flags = flags(false, true, false, false),
                    2 if family == Family::V6 => unfit.flags = flags(false, false, true, false),
                    3 => unfit.flags = flags(false, false, false, true),
                    4 => unfit.link_up = false,
                    // Only an engine that is told which interface counts can know.
                    5 if self.one_interface => unfit.interface = "lan0".into(),
                    _ => unfit.address = other(family, dice),
                }
                vec![(Duration::ZERO, vec![unfit]), (lasts, vec![new])]
            }
            Fault::Gone => vec![(Duration::ZERO, vec![]), (lasts, vec![if dice.percent(50) { new } else { old }])],
            Fault::Several => {
                let mut leaving = before;
                leaving.iter_mut().for_each(|held| held.flags.deprecated = true);
                let two = vec![old, new.clone()];
                vec![(Duration::ZERO, [leaving, two.clone()].concat()), (lasts / 2, two), (lasts, vec![new])]
            }
            _ => vec![],
        };
        states.into_iter().map(|(after, held)| (after, Change { family, held })).collect()
    }
}

pub fn public(family: Family, dice: &mut Dice) -> InterfaceAddress {
    let address = dice.pick(if family == Family::V4 { &PUBLIC_V4 } else { &PUBLIC_V6 });
    let prefix_len = if family == Family::V4 { 24 } else { 64 };
    InterfaceAddress {
        index: 2,
        interface: "wan0".into(),
        address: address.parse().unwrap(),
        prefix_len,
        flags: AddressFlags::default(),
        link_up: true,
    }
}

fn other(family: Family, dice: &mut Dice) -> IpAddr {
    let address = if family == Family::V4 { dice.pick(&OTHER_V4) } else { dice.pick(&OTHER_V6) };
    address.parse().unwrap()
}

/// The publishable addresses of a snapshot of this world, found in another way than the engine's.
pub fn publishable(snapshot: &Snapshot, family: Family) -> Vec<IpAddr> {
    let public = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets()[0] == 11,
        IpAddr::V6(v6) => v6.segments()[0] == 0x2a00,
    };
    let fit =
        |held: &&InterfaceAddress| held.flags == AddressFlags::default() && held.link_up && held.interface == "wan0";
    let addresses = snapshot.addresses().iter().filter(fit).map(|held| held.address);
    addresses.filter(|address| Family::of(address) == family && public(*address)).collect()
}
