//! The engine in a world in which everything fails, over centuries of virtual time.
//! `SIM_SEED=9` runs one seed, `SIM_YEARS=700` more of them.
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
    pub mod provider;
    pub mod resolvers;
    pub mod shrink;
    pub mod world;
}

use simulation::plan::{Plan, YEAR};
use simulation::shrink::report;
use simulation::world::{Totals, run};

fn variable(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a test's own parameters")]
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// Runs seeds until they come to so many years.
fn years(first: u64, step: usize, years: u64) -> Totals {
    let mut total = Totals::default();
    let mut seeds = 0;
    for seed in (first..).step_by(step) {
        let (totals, _) = run(Plan::of(seed)).unwrap_or_else(|violation| panic!("{}", report(Plan::of(seed), &violation)));
        total = total.plus(totals);
        seeds += 1;
        if total.time >= YEAR * u32::try_from(years).unwrap() {
            break;
        }
    }
    println!(
        "{seeds} seeds, {} years, {} steps, {} writes, {} calls, {} faults, {} starts",
        total.time.as_secs() / YEAR.as_secs(),
        total.steps,
        total.writes,
        total.calls,
        total.faults,
        total.starts
    );
    total
}

const CI_YEARS: u64 = 150;

/// All invariants of FAULTS over at least 150 years; its twin does the other half on another processor.
#[test]
fn no_history_of_an_even_seed_breaks_an_invariant() {
    match variable("SIM_SEED") {
        Some(seed) => {
            years(seed, 1, 0);
        }
        None => {
            years(0, 2, variable("SIM_YEARS").map_or(CI_YEARS, |years| years.div_ceil(2)));
        }
    }
}

#[test]
fn no_history_of_an_odd_seed_breaks_an_invariant() {
    if variable("SIM_SEED").is_none() {
        years(1, 2, variable("SIM_YEARS").map_or(CI_YEARS, |years| years.div_ceil(2)));
    }
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
