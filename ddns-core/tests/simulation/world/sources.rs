//! What the sources see of the host, and when they tell.

use ddns_core::address::{Distress, Hint, IpChangeEvent, Snapshot};
use ddns_core::config::SourceId;

use super::*;
use crate::simulation::host::Host;

/// One source, and the addresses that it tells of.
pub(super) struct Source {
    pub(super) host: Host,
    pub(super) watched: bool,
    last_news: Duration,
    seen: Snapshot,
}

impl Source {
    pub(super) fn all(plan: &Plan) -> Vec<Self> {
        // Only an engine that is told which interface counts can know that another one doesn't.
        let one_interface = plan.config.records.iter().all(|record| record.interface.is_some());
        let source = |index| Self {
            host: Host::new(index, one_interface),
            watched: false,
            last_news: Duration::ZERO,
            seen: Snapshot::default(),
        };
        (0..plan.config.sources.len()).map(source).collect()
    }
}

impl World {
    pub(super) fn watches(&mut self, source: usize) {
        if self.weather.at(Fault::SourceBroken, source) {
            let (source, what) = (SourceId(source), "no netlink".to_owned());
            return self.answers(Duration::from_millis(1), Event::SourceFailed { source, what });
        }
        self.sources[source].watched = true;
        self.after(Duration::from_micros(100), Item::Announces(self.run, source));
    }

    /// A stream ends, after what it told last.
    pub(super) fn stream_ends(&mut self, source: usize) {
        let watch = &mut self.sources[source];
        if std::mem::take(&mut watch.watched) {
            let (at, what) = (watch.last_news.max(self.now), "the stream has ended".to_owned());
            let event = Event::SourceFailed { source: SourceId(source), what };
            self.at(at, Item::Tells(self.run, Box::new(event)));
        }
    }

    pub(super) fn changes(&mut self, change: Change) {
        let held = |held: &ddns_core::address::InterfaceAddress| {
            format!("{} of {} {:?} up: {}", held.address, held.interface, held.flags, held.link_up)
        };
        let held: Vec<String> = change.held.iter().map(held).collect();
        let (source, family, interface) = (change.source, change.family, change.interface);
        self.history.say(self.now, None, format_args!("source {source}: {family} of {interface} is {held:?}"));
        self.sources[source].host.set(change);
        let lost = self.weather.at(Fault::AnnouncementsLost, source) && self.dice.percent(70);
        let most = if lost { Duration::from_secs(60) } else { Duration::from_millis(3) };
        let delay = self.dice.up_to(most);
        self.after(delay, Item::Announces(self.run, source));
        if self.weather.at(Fault::AnnouncementsRepeated, source) {
            self.after(delay * 2, Item::Announces(self.run, source));
        }
    }

    /// The source looks. What it tells is as old as the way from it to the engine, and comes in the order of looking.
    pub(super) fn announces(&mut self, source: usize, suffers: bool) {
        if !self.sources[source].watched {
            return;
        }
        let way = if self.dice.percent(90) { Duration::from_micros(50) } else { Duration::from_millis(20) };
        let received_at = Instant::since_boot(self.now - self.booted);
        let distress = suffers.then_some(Distress { retransmissions: 3, resets: 0 });
        let hint = Hint { distress, ..Hint::new("model", received_at, 1) };
        let watch = &mut self.sources[source];
        watch.last_news = watch.last_news.max(self.now + way);
        let mut last_news = watch.last_news;
        let snapshot = watch.host.snapshot();
        let before = std::mem::replace(&mut watch.seen, snapshot.clone());
        let id = SourceId(source);
        let news = |snapshot| Box::new(Event::Addresses { source: id, event: IpChangeEvent::new(snapshot, hint) });
        self.at(last_news, Item::Tells(self.run, news(snapshot)));
        if self.weather.at(Fault::SnapshotsLate, source) && self.dice.percent(50) {
            // What was seen before comes after what is seen now; the source looks again.
            last_news += self.dice.magnitude(Duration::from_micros(50), Duration::from_millis(50));
            self.sources[source].last_news = last_news;
            self.at(last_news, Item::Tells(self.run, news(before)));
            self.at(last_news, Item::Announces(self.run, source));
        }
    }
}
