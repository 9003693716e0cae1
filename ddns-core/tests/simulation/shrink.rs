use std::fmt::Write as _;

use super::fault::Fault;
use super::judge::Violation;
use super::plan::Plan;
use super::world::World;

const LINES: usize = 150;
/// Steps that may be spent on shrinking.
const PATIENCE: u64 = 800_000;

/// The violation, its seed and the shortest history found that shows one of the same invariant.
pub fn report(plan: Plan, violation: &Violation) -> String {
    let seed = plan.seed;
    let mut text = format!("seed {seed} violates \"{}\": {}\n", violation.invariant, violation.what);
    let (plan, violation, lines) = shrunken(plan, violation);
    let _ = writeln!(text, "shortened to episodes {} to {}: {}", plan.first_episode, plan.last_episode, violation.what);
    lines.iter().for_each(|line| {
        let _ = writeln!(text, "{line}");
    });
    let _ = writeln!(text, "replay: cargo xtask sim --seed {seed}");
    text
}

/// What is known to violate, and what may still be spent on finding less that does.
struct Shrink {
    plan: Plan,
    invariant: &'static str,
    spent: u64,
}

impl Shrink {
    /// Keeps a smaller plan if it violates the same invariant; the episode in which it does.
    fn keep(&mut self, plan: Plan) -> Option<u64> {
        if self.spent > PATIENCE {
            return None;
        }
        let mut world = World::new(plan.clone(), false);
        let found = world.run().err().filter(|found| found.invariant == self.invariant);
        self.spent += world.totals.steps;
        found?;
        self.plan = Plan { last_episode: world.episode, ..plan };
        Some(world.episode)
    }

    fn fewer_episodes(&mut self) {
        let (plan, last) = (self.plan.clone(), self.plan.last_episode);
        for earlier in [0, 1, 2, 4, 8, 16, 64] {
            let first_episode = last.saturating_sub(earlier);
            if self.keep(Plan { first_episode, ..plan.clone() }).is_some() {
                return;
            }
        }
    }

    fn fewer_kinds(&mut self) {
        for fault in Fault::ALL {
            let faults = self.plan.faults.without(fault);
            self.keep(Plan { faults, ..self.plan.clone() });
        }
    }

    /// Leaves out faults one by one, as long as that helps.
    fn fewer_faults(&mut self) {
        let mut helped = true;
        while std::mem::take(&mut helped) {
            for episode in self.plan.first_episode..=self.plan.last_episode {
                for nth in 0..=self.plan.most_faults {
                    let mut without = self.plan.without.clone();
                    if without.insert((episode, nth)) {
                        helped |= self.keep(Plan { without, ..self.plan.clone() }).is_some();
                    }
                }
            }
        }
    }
}

fn shrunken(plan: Plan, violation: &Violation) -> (Plan, Violation, Vec<String>) {
    let mut shrink = Shrink { plan: plan.clone(), invariant: violation.invariant, spent: 0 };
    if shrink.keep(plan).is_some() {
        // The way to the violation is no part of what may be spent.
        shrink.spent = 0;
        shrink.fewer_episodes();
        shrink.fewer_kinds();
        shrink.fewer_faults();
    }
    let mut world = World::new(shrink.plan.clone(), true);
    let found = world.run().err().unwrap_or_else(|| violation.clone());
    let lines = world.history.last(LINES, found.about).into_iter().map(str::to_owned).collect();
    (shrink.plan, found, lines)
}
