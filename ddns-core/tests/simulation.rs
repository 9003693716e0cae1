//! The engine in a world in which everything fails, over centuries of virtual time. `cargo xtask sim` runs it fast.
//! `SIM_SEED=9` runs one seed, `SIM_YEARS=5000` more of them.
//!
//! One seed is one history. A violated invariant is told with its seed and the shortest history found that shows it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod simulation {
    pub mod dice;
    pub mod disk;
    pub mod fault;
    pub mod history;
    pub mod host;
    pub mod judge;
    pub mod plan;
    pub mod plug;
    pub mod provider;
    pub mod resolvers;
    pub mod router;
    pub mod shrink;
    pub mod world;
}

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use simulation::judge::Violation;
use simulation::plan::{Plan, YEAR};
use simulation::shrink::report;
use simulation::world::{Totals, World, run};

/// As many as there is time for without optimization; `cargo xtask sim` runs ten times as many.
const YEARS: u64 = 100;

fn variable(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test's own parameters")]
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// How many seeds come to so many years.
fn seeds(years: u64) -> u64 {
    let years = YEAR * u32::try_from(years).unwrap();
    let mut time = Duration::ZERO;
    let enough = |seed: &u64| {
        time += Plan::of(*seed).lasts;
        time >= years
    };
    (0..).find(enough).unwrap() + 1
}

/// Runs these seeds on all processors, to the first violation.
fn histories(first: u64, end: u64) -> Result<Totals, (u64, Violation)> {
    let next = AtomicU64::new(first);
    let outcome = Mutex::new(Ok(Totals::default()));
    let work = || {
        while outcome.lock().unwrap().is_ok() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                break;
            }
            let ran = run(Plan::of(seed));
            let mut outcome = outcome.lock().unwrap();
            match (&mut *outcome, ran) {
                (Ok(total), Ok((totals, _))) => *total = total.plus(totals),
                (Ok(_), Err(violation)) => *outcome = Err((seed, violation)),
                (Err(_), _) => {}
            }
        }
    };
    thread::scope(|scope| {
        let processors = thread::available_parallelism().map_or(1, Into::into);
        (0..processors).for_each(|_| drop(scope.spawn(work)));
    });
    outcome.into_inner().unwrap()
}

/// All invariants of FAULTS.
#[test]
fn no_history_breaks_an_invariant() {
    let (first, end) = match variable("SIM_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (0, seeds(variable("SIM_YEARS").unwrap_or(YEARS))),
    };
    let totals = match histories(first, end) {
        Ok(totals) => totals,
        Err((seed, violation)) if variable("SIM_BRIEF").is_some() => {
            panic!("violation\t{seed}\t{}\t{}\t", violation.invariant, violation.what)
        }
        Err((seed, violation)) => panic!("{}", report(Plan::of(seed), &violation)),
    };
    println!(
        "{} seeds, {:.1} years, {} steps, {} writes, {} calls, {} faults, {} starts, {} power cycles",
        end - first,
        totals.time.as_secs_f64() / YEAR.as_secs_f64(),
        totals.steps,
        totals.writes,
        totals.calls,
        totals.faults,
        totals.starts,
        totals.cycles
    );
}

/// Invariant h.
#[test]
fn a_seed_is_one_history() {
    for seed in 0..6 {
        let mut plan = Plan::of(seed);
        plan.lasts /= 5;
        assert_eq!(run(plan.clone()).unwrap().1, run(plan).unwrap().1, "seed {seed}");
    }
}

/// FAULTS 9 and 67: a start, a swap of addresses and its proof, with an end of the process after every single effect
/// and outcome.
#[test]
fn a_process_may_end_after_any_effect() {
    let mut points = 0;
    for seed in 0..8 {
        let undisturbed = World::scenario(seed, None).unwrap_or_else(|violation| panic!("{violation:?}"));
        for point in 1..=undisturbed {
            World::scenario(seed, Some(point))
                .unwrap_or_else(|violation| panic!("{seed}, after {point}: {violation:?}"));
        }
        points += undisturbed;
    }
    assert!(points > 300, "{points} points are too few to mean anything");
}

/// FAULTS 59: a power cycle, with an end of the process after every single effect and outcome. The plug ends on, and so
/// does the router, with the plug's own timer and without one.
#[test]
fn a_process_may_end_at_any_point_of_a_power_cycle() {
    let (mut points, mut cycles) = (0, 0);
    for (seed, timer) in [(0, true), (1, false)] {
        let cycle = |point| {
            World::power_cycle(seed, timer, point).unwrap_or_else(|violation| {
                panic!("seed {seed}, timer: {timer}, after {point:?}: {violation:?}");
            })
        };
        let (undisturbed, once) = cycle(None);
        assert_eq!(once, 1, "seed {seed}: the router is cycled");
        for point in 1..=undisturbed {
            cycles += cycle(Some(point)).1;
        }
        points += undisturbed;
    }
    assert!(
        points > 100 && cycles as u64 > points / 2,
        "{points} points and {cycles} cycles are too few to mean anything"
    );
}
