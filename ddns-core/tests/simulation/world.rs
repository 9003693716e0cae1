mod power;
mod service;
mod sources;
mod trouble;

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::time::Duration;

use ddns_core::address::Family;
use ddns_core::engine::{Action, Effects, Engine, Event, Start};
use ddns_core::ports::{LanReport, PathReport, PlugOrder, SaveError, TargetReport, UpdateRequest};
use ddns_core::record::RecordKey;
use ddns_core::time::{Instant, Wall};
use ddns_core::verify::Whom;

use super::dice::Dice;
use super::disk::Disk;
use super::fault::{Fault, Weather};
use super::history::{self, History};
use super::host::{self, Change};
use super::judge::{Judge, Judged, Violation, violated};
use super::plan::Plan;
use super::plug::Plug;
use super::provider::{Provider, Written};
use super::resolvers::{RESOLVERS, Resolvers};
use super::router::Router;
use sources::Source;
use trouble::Sick;

/// The longest time from the end of all trouble to proven records: a hold, and after it a cache.
const HEALED_WITHIN: Duration = Duration::from_secs(3 * 3600);
/// A request that went out before the process ended comes to the service within this time, or never.
const LANDS_WITHIN: Duration = Duration::from_secs(10);
/// The wall time at the world's begin, in milliseconds.
const EPOCH: i64 = 1_700_000_000_000;
/// A scenario is over by then.
const SCENARIO: Duration = Duration::from_secs(1200);
const QUIET: Duration = Duration::from_secs(3600);
/// Whoever comes so late was not awake.
const ASLEEP: Duration = Duration::from_secs(30);
const DRAINS_WITHIN: Duration = Duration::from_secs(10);

/// What happens at some time.
enum Item {
    /// A phase of trouble.
    Episode(u64),
    Begins(Fault, u64, Duration),
    Ends(Fault, usize),
    Heals,
    /// All has to be right, and is then to stay quiet.
    Healthy,
    StillQuiet {
        steps: u64,
        calls: u64,
    },
    Changes(Change),
    /// The kernel tells a source of run so-and-so.
    Announces(u32, usize),
    /// Connections make no progress, a source of run so-and-so notices.
    Suffers(u32, usize),
    /// A request reaches the service.
    Arrives {
        run: u32,
        record: usize,
        began: Duration,
        request: Option<UpdateRequest>,
    },
    /// A write of a process that is no more reaches the service; the save that tells of it.
    Lands {
        record: usize,
        began: Duration,
        save: Option<(u64, Wall)>,
        request: UpdateRequest,
    },
    /// An order reaches the plug; the process of run so-and-so, if any, waits for an answer until then.
    PlugGets {
        run: Option<u32>,
        order: PlugOrder,
        until: Duration,
    },
    /// The time is set on the wall.
    ClockSet,
    /// The process is told.
    Tells(u32, Box<Event>),
    SaveEnds(u32, bool),
    Starts,
    Killed(u32),
}

/// What a run amounted to.
#[derive(Clone, Copy, Default, Debug)]
pub struct Totals {
    pub time: Duration,
    pub steps: u64,
    pub writes: u64,
    pub calls: u64,
    pub faults: u64,
    pub starts: u64,
    /// Orders to switch the router off.
    pub cycles: u64,
}

impl Totals {
    pub fn plus(self, other: Self) -> Self {
        Self {
            time: self.time + other.time,
            steps: self.steps + other.steps,
            writes: self.writes + other.writes,
            calls: self.calls + other.calls,
            faults: self.faults + other.faults,
            starts: self.starts + other.starts,
            cycles: self.cycles + other.cycles,
        }
    }
}

/// Everything around the engine, and the engine.
pub struct World {
    plan: Rc<Plan>,
    now: Duration,
    queue: BTreeMap<(Duration, u64), Item>,
    queued: u64,
    dice: Dice,
    sources: Vec<Source>,
    provider: Provider,
    resolvers: Resolvers,
    disk: Disk,
    plug: Plug,
    router: Router,
    /// Since when somebody could switch the plug on.
    could_switch: Duration,
    weather: Weather,
    engine: Option<Engine>,
    run: u32,
    booted: Duration,
    /// The wall time is ahead of the world's by so many milliseconds, since when.
    wall_ahead: i64,
    wall_set: Duration,
    stopping: bool,
    rebooting: bool,
    /// When somebody looked at the engine last.
    looked: Duration,
    /// What does not heal with all the rest.
    sick: Option<Sick>,
    pub episode: u64,
    over: bool,
    /// The process ends after so many effects and outcomes.
    crash_after: Option<u64>,
    points: u64,
    next_episode: u64,
    judge: Judge,
    pub history: History,
    pub totals: Totals,
}

impl World {
    pub fn new(plan: Plan, in_words: bool) -> Self {
        let records = plan.config.records.len();
        let plan = Rc::new(plan);
        let providers = plan.config.records.iter().map(|record| record.provider.0).collect();
        let mut world = Self {
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            dice: Dice::new(plan.seed, 2),
            sources: Source::all(&plan),
            provider: Provider::new(providers, plan.proxied, if plan.seed.is_multiple_of(2) { 100 } else { 75 }),
            resolvers: Resolvers::new(records, plan.ttl),
            disk: Disk::default(),
            plug: Plug::new(),
            router: Router::new(plan.boots_for),
            could_switch: Duration::ZERO,
            weather: Weather::CALM,
            engine: None,
            run: 0,
            booted: Duration::ZERO,
            wall_ahead: EPOCH,
            wall_set: Duration::ZERO,
            stopping: false,
            rebooting: plan.without_clock,
            looked: Duration::ZERO,
            sick: None,
            episode: 0,
            over: false,
            crash_after: None,
            points: 0,
            next_episode: plan.first_episode,
            judge: Judge::new(Rc::clone(&plan)),
            history: History::new(in_words),
            totals: Totals::default(),
            plan,
        };
        world.at(Duration::ZERO, Item::Starts);
        world.at(Duration::from_secs(1), Item::Heals);
        world
    }

    /// Runs to the end of the plan or to the first violation.
    pub fn run(&mut self) -> Judged {
        let ran = panic::catch_unwind(AssertUnwindSafe(|| self.goes_on()));
        ran.unwrap_or_else(|_| violated("nothing panics", "as told above"))
    }

    fn goes_on(&mut self) -> Judged {
        while self.now < self.plan.lasts && !self.over {
            let deadline = self.engine.as_ref().and_then(Engine::deadline);
            let deadline = deadline.map(|at| self.booted + Duration::from_nanos(at.as_nanos()));
            let next = self.queue.first_key_value().map(|((at, _), _)| *at).unwrap_or(self.plan.lasts);
            if let Some(deadline) = deadline.filter(|deadline| *deadline <= next) {
                self.now = self.now.max(deadline);
                self.tell(Event::Tick)?;
                let next = self.engine.as_ref().and_then(Engine::deadline);
                let next = next.map(|at| self.booted + Duration::from_nanos(at.as_nanos()));
                self.judge.ticks(self.now, next)?;
            } else if let Some(((at, _), item)) = self.queue.pop_first() {
                self.now = self.now.max(at);
                self.happens(item)?;
            } else {
                break;
            }
        }
        self.totals.time = self.now;
        Ok(())
    }

    fn at(&mut self, at: Duration, item: Item) {
        self.queued += 1;
        self.queue.insert((at, self.queued), item);
    }

    fn after(&mut self, wait: Duration, item: Item) {
        self.at(self.now + wait, item);
    }

    fn wall(&self) -> Wall {
        let now = i64::try_from(self.now.as_millis()).unwrap();
        Wall::from_millis(u64::try_from(now + self.wall_ahead).unwrap_or(0))
    }

    fn happens(&mut self, item: Item) -> Judged {
        match item {
            Item::Episode(number) if number <= self.plan.last_episode => self.troubles(number),
            Item::Episode(_) => self.over = true,
            Item::Begins(fault, salt, lasts) => return self.begins(fault, salt, lasts),
            Item::Ends(fault, place) => self.weather.ends(fault, place),
            Item::Heals => self.heals(),
            Item::Healthy => return self.healthy(),
            Item::StillQuiet { steps, calls } => return self.still_quiet(steps, calls),
            Item::Changes(change) => self.changes(change),
            Item::Announces(run, source) if run == self.run => self.announces(source, false),
            Item::Suffers(run, source) if run == self.run => self.announces(source, true),
            Item::Arrives { run, record, began, request } if run == self.run => {
                return self.arrives(record, began, request);
            }
            Item::Lands { record, began, save, request } => return self.lands(record, began, save, &request),
            Item::PlugGets { run, order, until } => self.plug_gets(run, order, until),
            Item::ClockSet => self.clock_set(EPOCH),
            Item::Tells(run, event) if run == self.run => return self.tell(*event),
            Item::SaveEnds(run, well) if run == self.run && self.disk.busy() => return self.save_ends(well),
            Item::Starts if self.engine.is_none() => return self.starts(),
            Item::Killed(run) if run == self.run => self.dies(),
            Item::Announces(..)
            | Item::Suffers(..)
            | Item::Arrives { .. }
            | Item::Tells(..)
            | Item::SaveEnds(..)
            | Item::Starts
            | Item::Killed(_) => {}
        }
        Ok(())
    }

    fn tell(&mut self, event: Event) -> Judged {
        let (now, wall) = (self.now, self.wall());
        if !matches!(event, Event::Tick | Event::Started) && self.crashes_here() {
            return Ok(());
        }
        let Some(engine) = &mut self.engine else { return Ok(()) };
        self.totals.steps += 1;
        self.history.mark((now, discriminant(&event)));
        if !matches!(event, Event::Tick) {
            self.history.say(now, history::event(&event), format_args!("told {event:?}"));
        }
        let stamp = Instant::since_boot(now - self.booted);
        let late = engine.deadline().is_some_and(|due| stamp.saturating_since(due) > ASLEEP);
        let asleep = late && now - std::mem::replace(&mut self.looked, now) > ASLEEP;
        self.looked = now;
        self.judge.tells((now, wall), &event, asleep);
        let effects = engine.step(stamp, wall, event);
        let status = engine.status();
        if self.totals.steps.is_multiple_of(4096) {
            let size = format!("{engine:?}").len();
            // An outage and a change, each as counted and as saved last: they share their memory, and print twice.
            let kept = 2 * (150 + 350) * ddns_core::uptime::KEPT;
            if size > 16_000 + 2_000 * self.plan.config.records.len() + kept {
                return violated("bounded memory", format!("{size} characters"));
            }
        }
        let Effects { persist, actions, transitions } = &effects;
        for told in transitions {
            self.history.mark(discriminant(told));
            let place = |key: &RecordKey| self.plan.config.records.iter().position(|spec| spec.key == *key);
            self.history.say(now, history::transition(told, place), format_args!("  says {told:?}"));
        }
        let save = persist.clone().map(|state| self.disk.begin(state));
        for action in actions {
            self.history.mark(discriminant(action));
            self.history.say(now, history::action(action), format_args!("  does {action:?}"));
        }
        self.judge.after((now, wall, stamp), &effects, &status, save, &self.provider)?;
        self.judge.power((now, self.booted, self.wall_set), &effects, self.disk.state())?;
        self.power_comes_back()?;
        if save.is_some() {
            self.history.say(now, None, format_args!("  saves {:?}", effects.persist));
            self.saves();
            if self.crashes_here() {
                return Ok(());
            }
        }
        for action in effects.actions {
            self.carries_out(action);
            if self.crashes_here() {
                break;
            }
        }
        Ok(())
    }

    /// A point at which the process may be made to end.
    fn crashes_here(&mut self) -> bool {
        if self.now > SCENARIO {
            return false;
        }
        self.points += 1;
        let crashes = self.crash_after == Some(self.points) && self.engine.is_some();
        if crashes {
            self.dies();
            self.after(Duration::from_secs(1), Item::Starts);
        }
        crashes
    }

    fn carries_out(&mut self, action: Action) {
        match action {
            Action::Watch { source } => self.watches(source.0),
            Action::LookAgain { .. } => {}
            Action::Resolve { whom, record, key: _, ask, quorum } => {
                let latency = self.latency(Fault::ResolversSlow, 0);
                let service = ["104.16.0.1".parse().unwrap()].into();
                let set = &self.provider.sets[record.0];
                let truth = if self.plan.proxied && !set.is_empty() { &service } else { set };
                let (weather, dice) = (&self.weather, &mut self.dice);
                let votes = match whom {
                    Whom::Authorities if !self.plan.authorities => Vec::new(),
                    Whom::Authorities => Resolvers::authorities(truth, self.plan.ttl, weather, dice),
                    Whom::Resolvers => self.resolvers.votes(self.now, record.0, truth, quorum, weather, dice),
                };
                self.answers(latency, Event::Resolved { record, ask, votes });
            }
            Action::Read { record, .. } => self.calls(record.0, None),
            Action::Update { record, request, .. } => self.calls(record.0, Some(request)),
            Action::Plug { order, .. } => self.orders(order),
            Action::Probe => {
                let latency = self.latency(Fault::WanDown, 0);
                let report = self.report();
                self.answers(latency, Event::Probed(report));
            }
            Action::AddressesHeld(_) | Action::CloseIdle => {}
        }
    }

    fn answers(&mut self, latency: Duration, event: Event) {
        self.after(latency, Item::Tells(self.run, Box::new(event)));
    }

    fn latency(&mut self, slow: Fault, place: usize) -> Duration {
        let most = if self.weather.at(slow, place) { Duration::from_secs(30) } else { Duration::from_millis(100) };
        self.dice.magnitude(Duration::from_millis(1), most)
    }

    fn report(&mut self) -> PathReport {
        self.power();
        let carrier = !self.weather.is(Fault::CarrierDown);
        let router = carrier && self.router.is_up(self.now);
        let wan = self.weather.is(Fault::WanDown) || !router;
        let one = self.weather.is(Fault::TargetDown);
        let (v4, v6) = (Some(Family::V4), Some(Family::V6));
        let families = [v4, v4, v4, v6, v6, None];
        let held = |family: &Option<Family>| family.is_none_or(|family| self.plan.families.contains(&family));
        let most = self.weather.is(Fault::MostTargetsDown);
        let v6 = self.weather.is(Fault::OneFamilyDown);
        let target = |(index, family): (usize, Option<Family>)| {
            let down = wan || (one && index == 0) || (v6 && family == Some(Family::V6));
            let down = down || (most && !(index == 0 && family == Some(Family::V4)));
            let error = down.then(|| "no answer".to_owned());
            TargetReport::new(format!("t{index}"), family, error)
        };
        let silent = (!router).then(|| "no answer".to_owned());
        let lan = LanReport { carrier: Some(carrier), routers: vec![("192.168.0.1".parse().unwrap(), silent)] };
        PathReport { targets: families.into_iter().filter(held).enumerate().map(target).collect(), lan: Some(lan) }
    }

    fn saves(&mut self) {
        let fails = self.weather.is(Fault::SaveFails);
        if self.weather.is(Fault::SaveHangs) {
            return;
        }
        let latency = self.latency(Fault::SaveSlow, 0);
        self.after(latency, Item::SaveEnds(self.run, !fails));
    }

    fn save_ends(&mut self, well: bool) -> Judged {
        if well {
            self.disk.acknowledge();
            return self.tell(Event::Saved(Ok(())));
        }
        self.disk.fail();
        let error = SaveError { what: "/state".into(), cause: "no space left on device".into() };
        self.tell(Event::Saved(Err(error)))
    }

    fn starts(&mut self) -> Judged {
        if std::mem::take(&mut self.rebooting) {
            self.booted = self.now.saturating_sub(Duration::from_secs(10));
            if self.plan.without_clock {
                let up = i64::try_from((self.now - self.booted).as_millis()).unwrap();
                self.clock_set(up - i64::try_from(self.now.as_millis()).unwrap());
                let wait = self.dice.magnitude(Duration::from_secs(1), Duration::from_secs(600));
                self.after(wait, Item::ClockSet);
            }
        }
        let broken = self.weather.is(Fault::LoadFails);
        let saved = if broken { None } else { self.disk.load() };
        let durable = (!broken).then(|| self.disk.durable());
        self.judge.restarts(self.now, self.wall(), durable, saved.as_ref());
        self.totals.starts += 1;
        self.looked = self.now;
        let start = Start {
            saved,
            not_durable: broken.then(|| "all copies are damaged".to_owned()),
            resolvers: RESOLVERS,
            seed: self.dice.next(),
            now: Instant::since_boot(self.now - self.booted),
            wall: self.wall(),
        };
        self.history.say(self.now, None, format_args!("process: starts with {:?}", start.saved));
        self.engine = Some(Engine::new(&self.plan.config, |_, _| true, start));
        self.tell(Event::Started)
    }
}

/// A whole run: what it amounted to and the hash of its history, or what was violated.
pub fn run(plan: Plan) -> Result<(Totals, u64), Violation> {
    let mut world = World::new(plan, false);
    world.run()?;
    Ok((world.totals, world.history.hash()))
}

impl World {
    /// All is well; what is put into the queue happens, and nothing else.
    fn healthy_at_first(plan: Plan, crash_after: Option<u64>) -> Self {
        let mut world = Self::new(plan, false);
        world.queue.clear();
        world.heals();
        world.crash_after = crash_after;
        world
    }

    /// A start, a swap of addresses and its proof, without any other trouble than an end of the process after so many
    /// effects and outcomes; how many of these there were.
    pub fn scenario(seed: u64, crash_after: Option<u64>) -> Result<u64, Violation> {
        let mut world = Self::healthy_at_first(Plan::quiet(seed), crash_after);
        // Requests that are under way for long may outlive the process that sent them.
        let slow = Duration::from_secs(if seed.is_multiple_of(2) { 0 } else { 300 });
        world.at(Duration::from_secs(590), Item::Begins(Fault::ProviderSlow, seed, slow));
        for (nth, at) in [600_000, 600_800].into_iter().enumerate() {
            world.at(Duration::from_millis(at), Item::Begins(Fault::Swap, seed + nth as u64, Duration::ZERO));
        }
        world.run()?;
        Ok(world.points)
    }

    /// A router that freezes, and the cycle of its power that helps, with an end of the process after so many effects
    /// and outcomes; how many of these there were, and how often power was taken.
    pub fn power_cycle(seed: u64, timer: bool, crash_after: Option<u64>) -> Result<(u64, usize), Violation> {
        let mut world = Self::healthy_at_first(Plan::with_plug(seed, timer), crash_after);
        let slow = Duration::from_secs(if seed.is_multiple_of(2) { 0 } else { 700 });
        world.at(Duration::from_secs(590), Item::Begins(Fault::PlugSlow, seed, slow));
        world.at(Duration::from_secs(600), Item::Begins(Fault::RouterFreezes, seed, Duration::ZERO));
        world.run()?;
        Ok((world.points, world.judge.cycles()))
    }
}
