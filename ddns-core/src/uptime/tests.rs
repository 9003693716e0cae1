use std::time::Duration;

use super::*;
use crate::address::{Family, Hint};
use crate::engine::Stage;
use crate::ports::UpdateKind;
use crate::record::{RecordKey, RecordType};
use crate::recovery::WhyNot;
use crate::verified_change::VerifiedChange;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// An hour that begins.
const BEGIN: Wall = Wall::from_millis(1_800_000_000_000);

struct Bench {
    uptime: Uptime,
    now: Instant,
    wall: Wall,
}

impl Bench {
    fn new() -> Self {
        Self::from(History::default(), BEGIN)
    }

    fn from(history: History, wall: Wall) -> Self {
        let now = Instant::since_boot(DAY);
        Self { uptime: Uptime::new(history, now, wall), now, wall }
    }

    fn passes(&mut self, time: Duration) {
        (self.now, self.wall) = (self.now + time, self.wall.after(time));
        self.uptime.pass(self.now, self.wall, Duration::ZERO);
    }

    fn becomes(&mut self, to: Readiness, line: &Line) {
        self.uptime.observe(Some(line), &[Transition::Readiness { from: Readiness::Probing, to }]);
    }

    fn up(&mut self) {
        self.becomes(Readiness::Ready, &Line::Open);
    }

    fn down(&mut self) {
        self.becomes(Readiness::NotReady, &Line::Dead { router: Some(true) });
    }

    fn last(&self, window: Duration) -> Summary {
        self.uptime.history().summary(self.wall, window)
    }

    fn kept(&mut self) -> History {
        let mut saved = SavedState::default();
        self.uptime.save_into(&mut saved);
        SavedState::decode(&saved.encode()).unwrap().history
    }
}

/// Trap 29: time counts, and not how often somebody looked.
#[test]
fn availability_is_ready_time_over_known_time() {
    let mut bench = Bench::new();
    bench.up();
    bench.passes(HOUR * 9);
    bench.down();
    for _ in 0..100 {
        bench.uptime.judged(false);
    }
    bench.passes(HOUR);
    let day = bench.last(DAY);
    assert_eq!((day.known, day.ready, day.outages), (HOUR * 10, HOUR * 9, 1));
    assert!((day.availability().unwrap() - 0.9).abs() < 1e-9);
    assert_eq!((day.mttr, day.mtbf), (None, Some(HOUR * 9)), "it lasts");
    bench.up();
    bench.passes(HOUR * 2);
    let day = bench.last(DAY);
    assert_eq!((day.mttr, day.mtbf), (Some(HOUR), Some(HOUR * 11)));
    assert_eq!(bench.uptime.history().loops, (100, 0));
    assert_eq!(Bench::new().last(DAY).availability(), None);
}

/// The process was killed at some time between its last mark and now.
#[test]
fn what_nobody_saw_is_unknown_and_not_up() {
    let mut bench = Bench::new();
    bench.up();
    bench.passes(HOUR);
    let kept = bench.kept();
    let mut bench = Bench::from(kept, BEGIN.after(HOUR * 5));
    bench.up();
    bench.passes(HOUR);
    let day = bench.last(DAY);
    assert_eq!((day.known, day.ready), (HOUR * 2, HOUR * 2));
}

#[test]
fn an_outage_that_outlived_the_process_ends_where_knowledge_ends() {
    let mut bench = Bench::new();
    bench.up();
    bench.passes(HOUR);
    bench.down();
    bench.passes(HOUR);
    let kept = bench.kept();
    let mut bench = Bench::from(kept, BEGIN.after(DAY));
    bench.up();
    let history = bench.uptime.history();
    let [outage] = &history.outages[..] else { panic!("{history:?}") };
    assert_eq!((outage.until, outage.end_unseen), (Some(BEGIN.after(HOUR * 2)), true));
    assert_eq!(bench.last(DAY * 2).mttr, None, "its length is not known");
    assert!(bench.uptime.dirty());
}

/// FAULTS 13.
#[test]
fn the_time_that_the_host_slept_is_unknown() {
    let mut bench = Bench::new();
    bench.up();
    (bench.now, bench.wall) = (bench.now + HOUR * 3, bench.wall.after(HOUR * 3));
    bench.uptime.pass(bench.now, bench.wall, HOUR * 2);
    assert_eq!(bench.last(DAY).known, HOUR);
}

/// FAULTS 56.
#[test]
fn a_clock_that_is_set_makes_a_gap_and_never_more_than_all() {
    for (set_to, known) in [(HOUR * 30, HOUR * 2), (HOUR / 2, HOUR + HOUR / 2)] {
        let mut bench = Bench::new();
        bench.up();
        bench.passes(HOUR);
        bench.wall = BEGIN.after(set_to);
        bench.passes(Duration::ZERO);
        bench.passes(HOUR);
        let all = bench.last(DAY * 300);
        assert_eq!((all.known, all.ready), (known, known), "set to {set_to:?}");
        assert!(all.availability().unwrap() <= 1.0);
    }
    let mut slewed = Bench::new();
    slewed.up();
    for _ in 0..3600 {
        slewed.now += SECOND;
        slewed.wall = slewed.wall.after(Duration::from_micros(1_000_500));
        slewed.uptime.pass(slewed.now, slewed.wall, Duration::ZERO);
    }
    assert!(slewed.last(DAY).known >= HOUR);
}

#[test]
fn an_outage_has_its_cause_its_cycles_and_why_there_were_no_more() {
    for (line, cause) in [
        (Line::Dead { router: Some(true) }, Cause::WanDown),
        (Line::Dead { router: None }, Cause::WanDown),
        (Line::Dead { router: Some(false) }, Cause::RouterSilent),
        (Line::NoCarrier, Cause::NoCarrier),
        (Line::Untrusted("x".into()), Cause::Untrusted),
        (Line::Open, Cause::FewTargets),
        (Line::CarrierUnknown, Cause::Unknown),
    ] {
        let mut bench = Bench::new();
        bench.up();
        bench.becomes(Readiness::NotReady, &line);
        let news = [RecoveryNews::Cycles { attempt: 1 }, RecoveryNews::Held(WhyNot::NotAllowed)];
        bench.uptime.observe(None, &news.map(Transition::Recovery));
        bench.passes(SECOND);
        bench.up();
        bench.uptime.observe(None, &[Transition::Recovery(RecoveryNews::Held(WhyNot::NoPlug))]);
        let history = bench.uptime.history();
        let [outage] = &history.outages[..] else { panic!("{history:?}") };
        assert_eq!((outage.cause, outage.cycles, outage.until), (cause, 1, Some(BEGIN.after(SECOND))));
        assert!(outage.why_not.as_ref().is_some_and(|why| why.starts_with("it is not allowed")));
    }
}

#[test]
fn a_change_is_timed_from_the_news_to_the_proof() {
    let mut bench = Bench::new();
    let key = RecordKey { name: "vpn.example.com".parse().unwrap(), rtype: RecordType::A };
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    let swap = |bench: &mut Bench, from: &str, to: &str, wait: Duration| {
        let (from, to, hint) = (ip(from), ip(to), Some(Hint::new("netlink", bench.now, 1)));
        let changed = Transition::AddressChanged {
            family: Family::V4,
            source: "kernel".into(),
            from: Some(from),
            to,
            interface: "wan0".into(),
            hint,
        };
        bench.uptime.observe(None, &[changed]);
        bench.passes(wait);
        bench.uptime.observe(None, &[Transition::UpdateStarted { key: key.clone(), from: Some(from), to }]);
        bench.passes(SECOND);
        let written = Transition::Updated { key: key.clone(), address: to, kind: UpdateKind::Changed };
        let proven = Transition::Verified { key: key.clone(), address: to, stage: Stage::Resolvers };
        bench.uptime.observe(None, &[written, proven]);
    };
    swap(&mut bench, "11.0.0.1", "11.0.0.2", SECOND * 5);
    bench.passes(HOUR);
    swap(&mut bench, "11.0.0.2", "11.0.0.3", Duration::ZERO);
    let history = bench.uptime.history();
    let took: Vec<_> = history.changes.iter().map(|change| (change.from, change.to, change.took_ms)).collect();
    let expected = [(Some(ip("11.0.0.1")), ip("11.0.0.2"), 6000), (Some(ip("11.0.0.2")), ip("11.0.0.3"), 1000)];
    assert_eq!(took, expected);
}

/// Ten years with a change and an outage every day.
#[test]
fn what_is_kept_is_bounded() {
    let mut bench = Bench::new();
    for _ in 0..3650 {
        bench.up();
        for _ in 0..24 {
            bench.passes(HOUR - SECOND);
        }
        bench.down();
        bench.passes(SECOND * 24);
        let key = RecordKey { name: "vpn.example.com".parse().unwrap(), rtype: RecordType::A };
        let change = VerifiedChange { key, before: None, address: "11.0.0.1".parse().unwrap() };
        let us = Some(1_000_000);
        let stages = Stages { heard: us, decided: us, written: us, acknowledged: us, served: us, verified: us };
        bench.uptime.changed_record(&Convergence { change, began: bench.now, told: None, stages });
    }
    let mut saved = SavedState::default();
    bench.uptime.save_into(&mut saved);
    let octets = saved.encode().len();
    assert!(octets < 200_000, "{octets}");
    assert_eq!((saved.history.outages.len(), saved.history.changes.len()), (KEPT, KEPT));
    let year = bench.last(DAY * 365);
    assert!(year.known >= DAY * 365 && year.known <= DAY * 365 + HOUR);
    assert!((year.availability().unwrap() - 0.99972).abs() < 0.0001, "{year:?}");
}

#[test]
fn a_mark_is_wanted_every_hour_and_at_the_end() {
    let mut bench = Bench::new();
    bench.kept();
    assert!(!bench.uptime.dirty());
    assert_eq!(bench.uptime.deadline(), bench.now + HOUR);
    bench.passes(HOUR - SECOND);
    assert!(!bench.uptime.dirty());
    bench.passes(SECOND);
    assert!(bench.uptime.dirty());
    assert_eq!(bench.kept().until, Some(BEGIN.after(HOUR)));
    assert!(!bench.uptime.dirty());
    bench.uptime.end();
    assert!(bench.uptime.dirty());
}
