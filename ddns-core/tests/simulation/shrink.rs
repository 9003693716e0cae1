use std::fmt::Write as _;

use super::fault::Fault;
use super::judge::Violation;
use super::plan::Plan;
use super::world::World;

const LINES: usize = 120;
/// Steps that may be spent on shrinking.
const PATIENCE: u64 = 3_000_000;

/// The violation, its seed and the shortest history found that shows one of the same invariant.
pub fn report(seed: u64, violation: &Violation) -> String {
    let (plan, violation, lines) = shrunken(Plan::of(seed), violation);
    let kinds: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| plan.faults.has(*fault)).collect();
    let mut text = format!("seed {seed} violates \"{}\": {}\n", violation.invariant, violation.what);
    let _ = writeln!(text, "it takes, from episode {}: {kinds:?}", plan.first_episode);
    lines.iter().for_each(|line| {
        let _ = writeln!(text, "{line}");
    });
    let _ = writeln!(text, "replay: SIM_SEED={seed} cargo test --package ddns-core --test simulation even");
    text
}

fn shrunken(mut plan: Plan, violation: &Violation) -> (Plan, Violation, Vec<String>) {
    let mut spent = 0;
    let mut violates = |plan: &Plan| {
        if spent > PATIENCE {
            return None;
        }
        let mut world = World::new(plan.clone(), false);
        let found = world.run().err().filter(|found| found.invariant == violation.invariant);
        spent += world.totals.steps;
        found.map(|found| (found, world.episode))
    };
    if let Some((_, episode)) = violates(&plan) {
        let later =
            [0, 1, 2, 4, 8, 16].map(|earlier| Plan { first_episode: episode.saturating_sub(earlier), ..plan.clone() });
        if let Some(later) = later.into_iter().find(|plan| violates(plan).is_some()) {
            plan = later;
        }
    }
    for fault in Fault::ALL {
        let without = Plan { faults: plan.faults.without(fault), ..plan.clone() };
        if violates(&without).is_some() {
            plan = without;
        }
    }
    let mut world = World::new(plan.clone(), true);
    let found = world.run().err().unwrap_or_else(|| violation.clone());
    let lines = world.history.last(LINES).to_vec();
    (plan, found, lines)
}
