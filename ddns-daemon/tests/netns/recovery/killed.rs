//! ddnsd is killed at every stage of a power cycle and started again: the router is never left off, and never cycled
//! again.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ddns_testbed::nat_world::{NEIGHBOUR_IPV4, NatWorld};
use ddns_testbed::{Daemon, PlainPlug, Plug, PlugSetup, ShellyGen1, Signal};
use serde_json::Value;

use super::{environment, wait_power};
use crate::scene::{PATIENCE, Scene, is, wait_line};

/// How many kills there are.
const KILLS: &str = "RECOVERY_KILLS";
const FEW_KILLS: u64 = 12;
/// Where the choices begin.
const SEED: &str = "RECOVERY_SEED";
const POLL: Duration = Duration::from_millis(1);

/// A plug without a timer: only ddnsd can switch it on again.
const WITHOUT_TIMER: [(&str, &str); 7] = [
    ("DDNS_PLUG_KIND", "http"),
    ("DDNS_PLUG_ON_PATH", "/on"),
    ("DDNS_PLUG_OFF_PATH", "/off"),
    ("DDNS_PLUG_STATE_PATH", "/state"),
    ("DDNS_PLUG_STATE_ON", "/relay/on=true"),
    ("DDNS_PLUG_STATE_OFF", "/relay/on=false"),
    ("DDNS_PLUG_REACHABLE_WITHOUT_ROUTER", "true"),
];

/// When ddnsd is killed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stage {
    /// The intent is on disk.
    Intent,
    /// The plug has been told to switch off.
    OffReceived,
    /// ddnsd knows that the power is off.
    Off,
    /// The plug has been told to switch on.
    OnReceived,
    /// ddnsd knows that the power is on.
    On,
    /// So many milliseconds after the line was found dead.
    After(u64),
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent on disk",
            Self::OffReceived => "off received",
            Self::Off => "off known",
            Self::OnReceived => "on received",
            Self::On => "on known",
            Self::After(_) => "any time",
        }
    }

    /// Waits for it.
    fn reached(self, daemon: &Daemon, plug: &Plug, state: &str) -> Result<()> {
        let told = |paths: [&str; 2]| {
            let requests = plug.requests();
            requests.iter().any(|request| paths.iter().any(|path| request.contains(path)))
        };
        match self {
            Self::Intent => until(daemon, || intent_on_disk(state)),
            Self::OffReceived => until(daemon, || told(["turn=off", "/off"])),
            Self::OnReceived => until(daemon, || told(["turn=on", "/on"])),
            Self::Off => wait_line(daemon, 0, "The router is off", &[]).map(drop),
            Self::On => wait_line(daemon, 0, "The router is on", &[]).map(drop),
            Self::After(milliseconds) => {
                wait_line(daemon, 0, "Readiness changed", &[("to", "not-ready")])?;
                thread::sleep(Duration::from_millis(milliseconds));
                Ok(())
            }
        }
    }
}

fn until(daemon: &Daemon, reached: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !reached() {
        ensure!(begun.elapsed() < PATIENCE, "the stage is never reached: {}", daemon.tail());
        thread::sleep(POLL);
    }
    Ok(())
}

fn intent_on_disk(state: &str) -> bool {
    let files = fs::read_dir(state).into_iter().flatten().flatten();
    let mut contents = files.filter_map(|file| fs::read(file.path()).ok());
    contents.any(|octets| String::from_utf8_lossy(&octets).contains("\"intent\":{"))
}

/// The choices of a run (SplitMix64).
struct Choices(u64);

impl Choices {
    const fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn number(variable: &str, default: u64) -> Result<u64> {
    env::var(variable).map_or(Ok(default), |text| text.parse().with_context(|| format!("{variable}: {text:?}")))
}

/// FAULTS 9, 59 and 67, traps 12 and 28: kill -9 at each stage and at any time between, of a plug with a timer and of
/// one that only ddnsd can switch on again. `RECOVERY_KILLS` says how often.
#[test]
fn a_daemon_that_is_killed_at_any_stage_of_a_power_cycle_never_leaves_the_router_off_nor_cycles_it_twice() -> Result<()>
{
    let (kills, seed) = (number(KILLS, FEW_KILLS)?, number(SEED, 1)?);
    let world = NatWorld::new()?;
    let scene = Scene::among(&world.host, &world.internet)?;
    world.refuse()?;
    let mut choices = Choices(seed);
    let (mut rounds, mut left_off) = (BTreeMap::<_, u64>::new(), 0_u64);
    let mut outcome = Ok(());
    for kill in 0..kills {
        let off_secs = 1 + choices.below(2);
        let stage = match kill % 6 {
            0 => Stage::Intent,
            1 => Stage::OffReceived,
            2 => Stage::Off,
            3 => Stage::OnReceived,
            4 => Stage::On,
            _ => Stage::After(choices.below(1500 + 1000 * off_secs)),
        };
        // Each stage meets both kinds of plug.
        let with_timer = (kill + kill / 6).is_multiple_of(2);
        let plug = plug(&world, with_timer)?;
        outcome = Round { kill, stage, with_timer, off_secs }.run(&scene, &world, &plug);
        *rounds.entry(stage.name()).or_default() += 1;
        left_off += u64::from(!plug.is_on());
        if outcome.is_err() {
            outcome = outcome.with_context(|| format!("kill {kill} of seed {seed}, at {stage:?}, timer {with_timer}"));
            break;
        }
    }
    let rounds: Vec<_> = rounds.iter().map(|(stage, count)| format!("{stage} {count}")).collect();
    println!("power cycles: kills by stage: {}; plug left off: {left_off}", rounds.join(", "));
    outcome
}

fn plug(world: &NatWorld, with_timer: bool) -> Result<Box<dyn Deref<Target = Plug>>> {
    let place = (Some(&world.neighbour), SocketAddr::from((NEIGHBOUR_IPV4, 80)));
    Ok(match with_timer {
        true => Box::new(ShellyGen1::start(place, PlugSetup::default())?),
        false => Box::new(PlainPlug::start(place, PlugSetup::default())?),
    })
}

struct Round {
    kill: u64,
    stage: Stage,
    with_timer: bool,
    off_secs: u64,
}

impl Round {
    fn run(&self, scene: &Scene<'_>, world: &NatWorld, plug: &Plug) -> Result<()> {
        let state = scene.path(&format!("state-{}", self.kill));
        let off_secs = self.off_secs.to_string();
        let own = [
            ("DDNS_STATE_STORE_PATH", state.as_str()),
            ("DDNS_RECOVERY_OFF_SECS", &off_secs),
            ("DDNS_KERNEL_HOOK", "netlink"),
        ];
        let kind = if self.with_timer { &[][..] } else { &WITHOUT_TIMER };
        let changes: Vec<_> = own.into_iter().chain(kind.iter().copied()).collect();
        let changes = environment(&changes);

        let mut daemon = scene.start(&changes)?;
        self.stage.reached(&daemon, plug, &state)?;
        daemon.signal(Signal::KILL)?;
        daemon.wait_exit(PATIENCE)?;

        let again = scene.start(&changes)?;
        // The provider refuses every connection, and that becomes an error in time.
        again.expect_error(|line| line["message"] == "Failed to update DNS record");
        // Either it makes sure of power, or there is none to give back; then the attempt that was made holds it off.
        let came_to_rest = |line: &Value| {
            is(line, "The router is on", &[])
                || is(line, "The router is not power-cycled", &[("why", "the last attempt was not long ago")])
        };
        let rest = again.wait_for_line("power, or the pause after an attempt", PATIENCE, came_to_rest);
        wait_power(plug, true).with_context(|| again.tail())?;
        rest?;
        scene.end(again)?;

        let history = plug.history();
        ensure!(plug.is_on() && history.iter().filter(|(_, on)| !on).count() <= 1, "{history:?}");
        let saved = saved(scene, world, &changes)?;
        let attempts = saved["recovery"]["attempts"].as_array().map_or(0, Vec::len);
        ensure!(attempts == 1, "the attempt is known to the next start: {saved:#}");
        Ok(())
    }
}

/// The state on disk.
fn saved(scene: &Scene<'_>, world: &NatWorld, changes: &[(&str, &str)]) -> Result<Value> {
    let mut ddnsd = world.host.command(env!("CARGO_BIN_EXE_ddnsd"));
    let output = ddnsd.args(["state", "export"]).env_clear().envs(scene.environment(changes)).output()?;
    serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}
