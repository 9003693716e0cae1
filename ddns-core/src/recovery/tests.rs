use std::time::Duration;

use super::*;
use crate::address::Family;
use crate::ports::{LanReport, PlugChoice, TargetReport, Unreached};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const OFF: PlugOrder = PlugOrder::Off { back_on: Duration::from_secs(30) };

fn plug() -> PlugAddress {
    PlugAddress { kind: "model".into(), endpoint: "http://192.0.2.9:80".into(), details: [].into() }
}

fn config() -> RecoveryConfig {
    RecoveryConfig {
        allowed: true,
        plug: Some(PlugChoice { plug: plug(), has_timer: true, reachable_without_router: false }),
        after: MINUTE * 4,
        off: SECOND * 30,
        settle: MINUTE * 3,
        cooldown: MINUTE * 30,
        max_per_day: 4,
    }
}

/// The machine with a line, a disk and a plug that do what a test says.
struct Bench {
    recovery: Recovery,
    now: Instant,
    wall: Wall,
    saved: SavedState,
    readiness: Readiness,
    report: PathReport,
    disk: Option<&'static str>,
    ending: bool,
    on: bool,
    device: &'static str,
    /// How the plug answers an order, where it does not obey.
    plug_fails: fn(PlugOrder) -> Option<PlugError>,
    orders: Vec<PlugOrder>,
    told: Vec<RecoveryNews>,
    jitter: Jitter,
}

fn target(outcome: Result<(), Unreached>, number: u8) -> TargetReport {
    TargetReport { target: format!("11.0.0.{number}:443"), family: Some(Family::V4), outcome }
}

fn report(outcome: Result<(), Unreached>, carrier: Option<bool>) -> PathReport {
    let targets = (1..=3).map(|number| target(outcome.clone(), number)).collect();
    PathReport { targets, lan: Some(LanReport { carrier, routers: Vec::new() }) }
}

fn dead() -> PathReport {
    report(Err(Unreached::Silent("time-out".into())), Some(true))
}

fn silent() -> PlugError {
    PlugError::Unreachable { at: "192.0.2.9".into(), cause: "no route".into() }
}

impl Bench {
    fn new(config: RecoveryConfig) -> Self {
        Self::from(config, SavedState::default(), Wall::from_millis(1_800_000_000_000))
    }

    fn from(config: RecoveryConfig, saved: SavedState, wall: Wall) -> Self {
        let now = Instant::default();
        Self {
            recovery: Recovery::new(config, false, &saved.recovery, now, wall),
            now,
            wall,
            saved,
            readiness: Readiness::NotReady,
            report: dead(),
            disk: None,
            ending: false,
            on: true,
            device: "a1",
            plug_fails: |_| None,
            orders: Vec::new(),
            told: Vec::new(),
            jitter: Jitter::new(1),
        }
    }

    /// The process is killed, and starts again after this time.
    fn restarted(self, config: RecoveryConfig, after: Duration) -> Self {
        let on = self.on;
        Self { on, ..Self::from(config, self.saved, self.wall.after(after)) }
    }

    /// The machine's turn, up to the end of what it does at once.
    fn turn(&mut self) {
        for _ in 0..20 {
            let mut told = Vec::new();
            let around = Around {
                now: self.now,
                wall: self.wall,
                readiness: self.readiness,
                not_durable: self.disk,
                ending: self.ending,
            };
            let order = self.recovery.advance(around, &mut told);
            self.recovery.save_into(&mut self.saved, self.now, self.wall);
            if let Some((to, order)) = &order {
                assert_eq!(*to, plug());
                if *order == OFF {
                    assert!(self.saved.recovery.intent.is_some(), "the intent is on disk before power goes");
                }
                let result = self.answers(*order);
                self.recovery.told(around, result, &mut self.jitter, &mut told);
            }
            self.recovery.save_into(&mut self.saved, self.now, self.wall);
            let waits = self.recovery.waits_for_disk();
            if waits {
                self.recovery.saved(self.disk.is_none());
            }
            self.told.extend(told.into_iter().filter_map(|told| match told {
                Transition::Recovery(news) => Some(news),
                _ => None,
            }));
            if order.is_none() && !waits {
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.orders);
    }

    fn answers(&mut self, order: PlugOrder) -> PlugResult {
        self.orders.push(order);
        if let Some(error) = (self.plug_fails)(order) {
            return Err(error);
        }
        match order {
            PlugOrder::Look => {}
            PlugOrder::Off { .. } => self.on = false,
            PlugOrder::On => self.on = true,
        }
        Ok(PlugReport { on: self.on, device: Some(self.device.into()) })
    }

    /// Time passes, with a round of probes every half minute.
    fn passes(&mut self, time: Duration) {
        let end = self.now + time;
        let mut round = self.now;
        loop {
            if round <= self.now {
                self.recovery.probed(self.now, &self.report);
                round = self.now + SECOND * 30;
            }
            self.turn();
            if self.now >= end {
                return;
            }
            let due = self.recovery.deadline(self.ending).filter(|due| *due > self.now).unwrap_or(end);
            let next = end.min(due).min(round);
            self.wall = self.wall.after(next.saturating_since(self.now));
            self.now = next;
        }
    }

    fn cycles(&self) -> usize {
        self.orders.iter().filter(|order| **order == OFF).count()
    }

    fn why_not(&self) -> Option<WhyNot> {
        self.recovery.status(self.now).why_not
    }
}

/// FAULTS 14: a router that answers, behind which the line is dead.
#[test]
fn a_dead_line_is_cycled_once_it_is_long_enough_dead_and_ends_with_power() {
    let mut bench = Bench::new(config());
    bench.passes(MINUTE * 7 - SECOND);
    assert_eq!(
        (bench.cycles(), bench.why_not().map(|why| why.to_string())),
        (0, Some("this host has just booted, and the router perhaps too".into()))
    );
    bench.passes(SECOND * 2);
    assert_eq!(bench.orders, [PlugOrder::Look, PlugOrder::Look, OFF]);
    assert!(!bench.on && bench.saved.recovery.intent.is_some());
    bench.passes(SECOND * 29);
    assert!(bench.on && bench.saved.recovery.intent.is_none(), "{:?}", bench.told);
    bench.readiness = Readiness::Ready;
    bench.passes(SECOND);
    assert_eq!(bench.told.last(), Some(&RecoveryNews::Helped));
    assert_eq!(bench.saved.recovery.failures, 0);
}

/// FAULTS 15 to 18, and a provider's failure alone: each has its reason.
#[test]
fn nothing_but_a_dead_line_behind_a_carrier_is_cycled() {
    let silent = || Err(Unreached::Silent("time-out".into()));
    let mut one_up = report(silent(), Some(true));
    one_up.targets[1].outcome = Ok(());
    let mut names = report(silent(), Some(true));
    names.targets.iter_mut().for_each(|target| target.family = None);
    let untrusted = report(Err(Unreached::Untrusted("another name".into())), Some(true));
    let unasked = PathReport { lan: None, ..dead() };
    for (report, why) in [
        (report(silent(), Some(false)), Some("the cable of this host is out")),
        (report(silent(), None), Some("no target is reached, and whether the cable of this host is in is not known")),
        (unasked, Some("no target is reached, and whether the cable of this host is in is not known")),
        (untrusted, Some("somebody answers who is not trusted (11.0.0.1:443: another name)")),
        (names, Some("no target is reached, and too few of them are addresses to prove a dead line")),
        (one_up, None),
    ] {
        let mut bench = Bench::new(config());
        bench.report = report;
        bench.passes(HOUR * 3);
        assert_eq!((bench.cycles(), bench.why_not().map(|why| why.to_string()).as_deref()), (0, why));
    }
    let mut ready = Bench::new(config());
    ready.readiness = Readiness::Ready;
    ready.passes(HOUR * 3);
    assert_eq!((ready.cycles(), ready.why_not()), (0, None));
}

#[test]
fn a_line_that_answers_once_is_dead_anew() {
    let mut bench = Bench::new(config());
    bench.passes(MINUTE * 6);
    bench.report = report(Ok(()), Some(true));
    bench.passes(SECOND * 30);
    bench.report = dead();
    bench.passes(MINUTE * 4 - SECOND);
    assert_eq!(bench.cycles(), 0);
    bench.passes(MINUTE);
    assert_eq!(bench.cycles(), 1);
}

#[test]
fn what_is_not_allowed_or_not_there_is_said_and_not_done() {
    for (config, why) in [
        (RecoveryConfig { allowed: false, ..config() }, WhyNot::NotAllowed),
        (RecoveryConfig { plug: None, ..config() }, WhyNot::NoPlug),
    ] {
        let mut bench = Bench::new(config);
        bench.passes(HOUR * 2);
        assert_eq!((bench.cycles(), bench.why_not()), (0, Some(why.clone())));
        assert_eq!(bench.told.iter().filter(|told| matches!(told, RecoveryNews::Held(_))).count(), 1, "{why}");
    }
    let mut dry = Bench::new(config());
    dry.recovery.dry_run = true;
    dry.passes(HOUR * 2);
    assert_eq!((dry.cycles(), dry.why_not()), (0, Some(WhyNot::DryRun)));
}

/// FAULTS 61, 62 and trap 28: at most four a day, further and further apart.
#[test]
fn an_outage_of_three_days_costs_few_cycles_with_growing_pauses() {
    let mut bench = Bench::new(config());
    let mut last = None;
    let mut pauses = Vec::new();
    for _ in 0..3 * 24 * 60 {
        let before = bench.cycles();
        bench.passes(MINUTE);
        if bench.cycles() > before {
            pauses.extend(last.map(|last| bench.now.saturating_since(last)));
            last = Some(bench.now);
        }
    }
    // 1 h, 2 h, 4 h, then the day's budget, then 6 h.
    assert!(pauses.windows(2).take(2).all(|two| two[1] > two[0] * 3 / 2), "{pauses:?}");
    assert!((9..=12).contains(&bench.cycles()), "{} of {pauses:?}", bench.cycles());
    assert!(pauses.iter().all(|pause| *pause >= HOUR));
    assert!(bench.on && bench.saved.recovery.intent.is_none());
}

/// FAULTS 56, 57 and 62: what was done before a restart counts, whatever the wall clock says by then.
#[test]
fn the_budget_outlives_restarts_and_steps_of_the_clock() {
    let mut bench = Bench::new(config());
    bench.passes(MINUTE * 10);
    assert_eq!(bench.cycles(), 1);
    let back_by_years = |bench: &mut Bench| bench.wall = Wall::from_millis(1000);
    for clock in [|_: &mut Bench| {}, back_by_years] {
        let mut again = Bench::from(config(), bench.saved.clone(), bench.wall);
        clock(&mut again);
        again = again.restarted(config(), MINUTE);
        again.passes(MINUTE * 50);
        assert_eq!((again.cycles(), again.recovery.status(again.now).attempts), (0, 1));
        assert!(matches!(again.why_not(), Some(WhyNot::CoolingDown { .. })), "{:?}", again.why_not());
    }
    // A step while it runs changes nothing: ages are monotonic.
    bench.wall = bench.wall.after(HOUR * 24 * 30);
    bench.passes(MINUTE * 40);
    assert_eq!(bench.cycles(), 1);
    let mut later = bench.restarted(config(), SECOND);
    later.passes(MINUTE * 5);
    assert_eq!(later.recovery.status(later.now).attempts, 1, "the saved time followed the clock");
}

/// FAULTS 59: an intent that an earlier process left is carried out first of all, whatever is configured now.
#[test]
fn an_intent_found_at_the_start_switches_on_first_and_makes_sure() {
    let mut bench = Bench::new(config());
    bench.passes(MINUTE * 7 + SECOND);
    assert!(!bench.on);
    let mut again = bench.restarted(RecoveryConfig { allowed: false, plug: None, ..config() }, SECOND);
    again.turn();
    assert!(again.on);
    assert_eq!(again.orders, [PlugOrder::Look, PlugOrder::On]);
    assert!(again.saved.recovery.intent.is_some(), "an order of the process before may still arrive");
    again.on = false;
    again.passes(LANDS_WITHIN + SECOND);
    assert!(again.on && again.saved.recovery.intent.is_none());
}

/// FAULTS 60.
#[test]
fn on_is_tried_for_ever_and_said_loudly() {
    let mut bench = Bench::new(config());
    bench.plug_fails = |order| (order == PlugOrder::On).then(silent);
    bench.passes(MINUTE * 8);
    bench.plug_fails = |order| (order != OFF).then(silent);
    bench.passes(HOUR * 5);
    assert!(!bench.on && bench.cycles() == 1);
    let failed = bench.told.iter().filter(|told| matches!(told, RecoveryNews::OnFailed { .. })).count();
    assert!((20..60).contains(&failed), "{failed}");
    bench.plug_fails = |_| None;
    bench.passes(MINUTE * 2);
    assert!(bench.on);
}

/// FAULTS 58: power that could not be switched off, as far as is known, is switched on to be sure.
#[test]
fn an_off_without_an_answer_ends_with_on() {
    let mut bench = Bench::new(config());
    bench.plug_fails = |order| (order == OFF).then(silent);
    bench.passes(MINUTE * 7 + SECOND);
    assert_eq!(bench.orders, [PlugOrder::Look, PlugOrder::Look, OFF, PlugOrder::Look, PlugOrder::On]);
    assert!(
        matches!(&bench.told[..], [.., RecoveryNews::OffFailed(_), RecoveryNews::PowerOn { .. }]),
        "{:?}",
        bench.told
    );
    // It arrives after all, late.
    bench.on = false;
    bench.passes(LANDS_WITHIN + SECOND);
    assert!(bench.on && bench.saved.recovery.intent.is_none());
    bench.passes(MINUTE * 30);
    assert_eq!(bench.cycles(), 1, "it counts as an attempt");
}

/// FAULTS 58: there is no off to a plug that could not be looked at, and it is left alone more and more.
#[test]
fn a_plug_that_does_not_answer_is_looked_at_less_and_less() {
    let mut bench = Bench::new(config());
    bench.plug_fails = |_| Some(silent());
    bench.passes(HOUR * 6);
    assert_eq!(bench.cycles(), 0);
    assert!((8..25).contains(&bench.orders.len()), "{}", bench.orders.len());
    assert!(matches!(bench.why_not(), Some(WhyNot::PlugFails(_))), "{:?}", bench.why_not());
    assert!(bench.told.iter().filter(|told| matches!(told, RecoveryNews::PlugFails(_))).count() == 1);
}

#[test]
fn a_plug_that_is_put_right_is_noticed_although_nothing_is_wanted_of_it() {
    let mut bench = Bench::new(config());
    bench.report = report(Ok(()), Some(true));
    bench.readiness = Readiness::Ready;
    bench.plug_fails = |_| Some(silent());
    bench.passes(HOUR);
    assert!(matches!(bench.recovery.status(bench.now).plug_fails, Some(WhyNot::PlugFails(_))));
    bench.plug_fails = |_| None;
    bench.passes(HOUR);
    assert_eq!(bench.recovery.status(bench.now).plug_fails, None);
    let looks = bench.orders.len();
    bench.passes(HOUR);
    assert_eq!(bench.orders.len(), looks, "a plug that works is left alone");
}

/// FAULTS 63.
#[test]
fn a_plug_that_is_off_or_another_device_is_not_touched() {
    let mut off = Bench::new(config());
    off.on = false;
    off.passes(HOUR);
    assert!(off.orders.iter().all(|order| *order == PlugOrder::Look));
    assert_eq!(off.why_not(), Some(WhyNot::PlugOff));
    let mut other = Bench::new(config());
    other.turn();
    other.device = "b2";
    other.passes(HOUR);
    assert!(other.orders.iter().all(|order| *order == PlugOrder::Look));
    assert_eq!(other.why_not(), Some(WhyNot::OtherDevice { known: "a1".into(), found: "b2".into() }));
}

/// FAULTS 63: the address of the plug may be another device's by now, which is not ours to switch.
#[test]
fn another_device_in_the_plugs_place_is_not_switched_on() {
    let mut bench = Bench::new(config());
    bench.passes(MINUTE * 7 + SECOND);
    bench.device = "b2";
    bench.passes(MINUTE * 10);
    assert!(!bench.orders.contains(&PlugOrder::On));
    bench.device = "a1";
    bench.passes(MINUTE * 2);
    assert!(bench.on);
}

#[test]
fn without_a_disk_that_keeps_the_intent_nothing_is_switched() {
    let mut bench = Bench::new(config());
    bench.disk = Some("the disk is full");
    bench.passes(HOUR);
    assert!(bench.orders.iter().all(|order| *order == PlugOrder::Look));
    assert_eq!(bench.why_not(), Some(WhyNot::NotDurable("the disk is full".into())));
    assert_eq!(bench.recovery.status(bench.now).attempts, 0);
    bench.disk = None;
    bench.passes(MINUTE);
    assert_eq!(bench.cycles(), 1);
}

/// The line may come back while the intent is on its way to the disk.
#[test]
fn a_line_that_comes_back_in_the_last_moment_is_left_alone() {
    let mut bench = Bench::new(config());
    bench.passes(MINUTE * 7 - SECOND);
    let (now, wall) = (bench.now + SECOND, bench.wall.after(SECOND));
    let around = Around { now, wall, readiness: Readiness::NotReady, not_durable: None, ending: false };
    assert!(bench.recovery.advance(around, &mut Vec::new()).is_some_and(|(_, order)| order == PlugOrder::Look));
    let seen = Ok(PlugReport { on: true, device: None });
    bench.recovery.told(around, seen, &mut bench.jitter, &mut Vec::new());
    assert!(bench.recovery.waits_for_disk());
    bench.recovery.probed(now, &report(Ok(()), Some(true)));
    bench.recovery.saved(true);
    assert!(bench.recovery.advance(around, &mut Vec::new()).is_none());
    bench.recovery.save_into(&mut bench.saved, now, wall);
    assert_eq!((bench.saved.recovery.intent.as_ref(), bench.saved.recovery.attempts.len()), (None, 0));
}

/// A shutdown waits for power, and begins nothing.
#[test]
fn whoever_ends_switches_on_at_once() {
    let mut bench = Bench::new(config());
    bench.passes(MINUTE * 7 + SECOND);
    assert!(bench.recovery.owes_power());
    bench.ending = true;
    bench.turn();
    assert!(bench.on && !bench.recovery.owes_power());
    let mut before = Bench::new(config());
    before.passes(MINUTE * 6);
    before.ending = true;
    before.passes(HOUR);
    assert_eq!(before.cycles(), 0);
    assert!(!before.recovery.owes_power());
}

#[test]
fn whoever_ends_does_not_wait_for_a_long_pause() {
    let mut bench = Bench::new(config());
    bench.passes(MINUTE * 7 + SECOND);
    bench.plug_fails = |order| (order != OFF).then(silent);
    bench.passes(HOUR);
    bench.plug_fails = |_| None;
    bench.ending = true;
    bench.passes(SECOND * 2);
    assert!(bench.on);
}

/// FAULTS 61: a router that needs longer than it is given comes back all the same, and that counts.
#[test]
fn a_line_that_is_back_late_ends_the_row_of_failures() {
    let mut bench = Bench::new(config());
    bench.passes(MINUTE * 12);
    assert!(bench.told.contains(&RecoveryNews::DidNotHelp { failures: 1 }), "{:?}", bench.told);
    bench.readiness = Readiness::Ready;
    bench.turn();
    assert_eq!(bench.saved.recovery.failures, 0);
    assert_eq!(bench.cycles(), 1);
}
