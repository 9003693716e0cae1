//! A machine at a time, and those who answer it.

use super::*;
use crate::address::AddressFlags;

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn held(address: &str, temporary: bool) -> InterfaceAddress {
    let flags = AddressFlags { temporary, ..AddressFlags::default() };
    let prefix_len = if address.contains(':') { 64 } else { 24 };
    InterfaceAddress { index: 2, interface: "lan0".into(), address: ip(address), prefix_len, flags, link_up: true }
}

pub(super) fn snapshot(addresses: &[&str]) -> Snapshot {
    Snapshot::new(addresses.iter().map(|address| held(address, false)).collect())
}

pub(super) fn options(voters: &[&str]) -> Options {
    let spec =
        |name: &&str| VoterSpec { name: (*name).to_owned(), operator: (*name).to_owned(), router: *name == "router" };
    Options {
        voters: voters.iter().map(spec).collect(),
        quorum: 2,
        families: BTreeSet::from([Family::V4]),
        audit: Some(Duration::from_secs(600)),
        only_without_own: false,
        interface: None,
        seed: 7,
    }
}

/// A machine at a time, and the questions that wait for an answer.
pub(super) struct Bench {
    pub(super) machine: Discovery,
    pub(super) now: Instant,
    pub(super) asks: Vec<Ask>,
    pub(super) events: Vec<IpChangeEvent>,
}

impl Bench {
    /// A host of which only the gateway is known.
    pub(super) fn new(options: Options) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        let mut bench = Self { machine: Discovery::new(options), now, asks: vec![], events: vec![] };
        bench.gateway(GATEWAY);
        bench
    }

    /// Five voters and a host behind a router, which the world sees as [`OLD`].
    pub(super) fn settled() -> Self {
        let mut bench = Self::new(options(&["a", "b", "c", "d", "router"]));
        bench.host(snapshot(&[PRIVATE]));
        bench.answer_all(OLD);
        assert_eq!(bench.discovered(), Some(Discovered::Address(ip(OLD))));
        bench
    }

    pub(super) fn take(&mut self, orders: Orders) {
        self.asks.extend(orders.asks);
        self.events.extend(orders.event);
    }

    pub(super) fn host(&mut self, snapshot: Snapshot) {
        let orders = self.machine.host(self.now, snapshot, Hint::new("netlink", self.now, 1));
        self.take(orders);
    }

    pub(super) fn gateway(&mut self, address: &str) {
        let gateway = Gateway { interface: "lan0".into(), address: ip(address) };
        let orders = self.machine.gateways(self.now, vec![gateway]);
        self.take(orders);
    }

    pub(super) fn announce(&mut self, from: &str, external: Option<&str>, epoch: u32) -> bool {
        let external = external.map(ip);
        let announcement = Announcement { from: ip(from), epoch, external, protocol: Protocol::NatPmp };
        let (genuine, orders) = self.machine.announced(self.now, &announcement);
        self.take(orders);
        genuine
    }

    /// Each voter that was asked answers.
    pub(super) fn answer(&mut self, say: impl Fn(&str) -> Option<Result<IpAddr, VoteError>>) {
        for ask in std::mem::take(&mut self.asks) {
            let name = self.machine.options.voters[ask.voter.0].name.clone();
            if let Some(answer) = say(&name) {
                let orders = self.machine.answered(self.now, ask, answer);
                self.take(orders);
            }
        }
    }

    pub(super) fn answer_all(&mut self, address: &str) {
        self.answer(|_| Some(Ok(ip(address))));
    }

    /// Time passes up to the next deadline, or not at all.
    pub(super) fn next_deadline(&mut self) -> Option<Duration> {
        let deadline = self.machine.deadline()?;
        let passed = deadline.saturating_since(self.now);
        self.now = deadline;
        let orders = self.machine.tick(self.now);
        self.take(orders);
        Some(passed)
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        let orders = self.machine.tick(self.now);
        self.take(orders);
    }

    pub(super) fn asked(&self) -> Vec<&str> {
        self.asks.iter().map(|ask| &*self.machine.options.voters[ask.voter.0].name).collect()
    }

    pub(super) fn last(&self) -> &IpChangeEvent {
        self.events.last().unwrap()
    }

    /// What led to the last election.
    pub(super) fn changed_by(&self) -> &str {
        self.events.iter().rev().find(|event| !event.elections.is_empty()).unwrap().hint.rung
    }

    pub(super) fn discovered(&self) -> Option<Discovered> {
        self.last().snapshot.discovered(Family::V4)
    }
}
