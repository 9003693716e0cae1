use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ddns_core::address::{AddressFlags, Family, InterfaceAddress, Snapshot};

use super::dice::Dice;
use super::fault::Fault;

const OTHER_V4: [&str; 6] = ["192.168.1.2", "100.64.0.7", "10.1.2.3", "203.0.113.5", "198.18.0.9", "169.254.7.7"];
const OTHER_V6: [&str; 4] = ["fd00::7", "2001:db8::1", "fe80::1", "2002:1::1"];

/// The truth about the addresses that one source tells of.
#[derive(Clone, Debug)]
pub struct Host {
    source: usize,
    held: BTreeMap<(Family, &'static str), Vec<InterfaceAddress>>,
    /// Only one interface counts.
    one_interface: bool,
}

/// A family's addresses on one interface from some moment on.
#[derive(Clone, Debug)]
pub struct Change {
    pub source: usize,
    pub family: Family,
    pub interface: &'static str,
    pub held: Vec<InterfaceAddress>,
}

impl Host {
    pub fn new(source: usize, one_interface: bool) -> Self {
        Self { source, held: BTreeMap::new(), one_interface }
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.held.values().flatten().cloned().collect())
    }

    pub fn set(&mut self, change: Change) {
        self.held.insert((change.family, change.interface), change.held);
    }

    /// What a kind of fault does to a family on an interface, in the order of time.
    pub fn changes(
        &self,
        fault: Fault,
        (family, interface): (Family, &'static str),
        lasts: Duration,
        dice: &mut Dice,
    ) -> Vec<(Duration, Change)> {
        let source = self.source;
        let old = public(source, family, interface, dice);
        let new = public(source, family, interface, dice);
        let before = self.held.get(&(family, interface)).cloned().unwrap_or_default();
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
        states.into_iter().map(|(after, held)| (after, Change { source, family, interface, held })).collect()
    }
}

/// An address that a source may tell of; sources and interfaces have none in common.
pub fn public(source: usize, family: Family, interface: &str, dice: &mut Dice) -> InterfaceAddress {
    let second = interface == "wan1";
    let (nth, place) = (dice.below(4), source * 16 + usize::from(second));
    let (address, prefix_len) = match family {
        Family::V4 => (format!("11.0.{place}.{}", nth + 1), 24),
        Family::V6 => (format!("2a00:{}:{place}:1::{}", 1 + nth / 2, 1 + nth % 2), 64),
    };
    InterfaceAddress {
        index: if second { 3 } else { 2 },
        interface: interface.into(),
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
pub fn publishable(snapshot: &Snapshot, family: Family, interface: Option<&str>) -> Vec<IpAddr> {
    let public = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets()[0] == 11,
        IpAddr::V6(v6) => v6.segments()[0] == 0x2a00,
    };
    let fit = |held: &&InterfaceAddress| {
        held.flags == AddressFlags::default() && held.link_up && interface.is_none_or(|name| name == held.interface)
    };
    let addresses = snapshot.addresses().iter().filter(fit).map(|held| held.address);
    addresses.filter(|address| Family::of(address) == family && public(*address)).collect()
}
