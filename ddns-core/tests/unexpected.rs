//! Events that the engine has no reason to expect.

#[path = "../benches/model/world.rs"]
#[expect(dead_code, reason = "the benches' model can do more than this asks for")]
mod world;

use std::time::Duration;

use ddns_core::engine::{Action, Event, RecordId};
use ddns_core::ports::{Answer, Observed, PathReport, ProviderError, UpdateKind, UpdateResult, Vote};
use world::{World, wall};

const ADDRESS: u32 = 0x0b00_0001;

/// An outcome of something that is not under way, or of a record that is not there, is passed over: no call, no save, no
/// news follows from it.
#[test]
fn an_outcome_that_nobody_asked_for_changes_nothing() {
    let votes = || {
        let answer = Answer { addresses: ["11.9.9.9".parse().expect("an address")].into(), ttl: Duration::ZERO };
        vec![Vote { resolver: "r".into(), answer: Ok(answer) }]
    };
    let error = || ProviderError::Refused { what: "no".into() };
    let written = || Ok(UpdateResult { kind: UpdateKind::Changed, proxied: true, handle: None });
    for number in [0, 1, 7] {
        let record = RecordId(number);
        let events = [
            Event::Resolved { record, ask: 0, votes: votes() },
            Event::Resolved { record, ask: 999, votes: votes() },
            Event::Read { record, result: Ok(Observed::default()) },
            Event::Read { record, result: Err(error()) },
            Event::Updated { record, result: written() },
            Event::Updated { record, result: Err(error()) },
            Event::Probed(PathReport::default()),
            Event::Saved(Ok(())),
            Event::Tick,
        ];
        for event in events {
            let mut world = World::settled(2, Duration::from_millis(1), ADDRESS);
            let before = world.engine.status();
            let label = format!("{event:?}");
            let effects = world.engine.step(world.now, wall(world.now), event);
            assert!(effects.persist.is_none(), "{label}: {effects:?}");
            assert!(effects.transitions.is_empty() && effects.actions.is_empty(), "{label}: {effects:?}");
            assert_eq!(world.engine.status(), before, "{label}");
        }
    }
}

/// FAULTS 13: a host that wakes after a night looks at its way to the Internet at once, and at nothing a hundred times.
#[test]
fn after_a_suspend_all_is_looked_at_once_and_there_is_no_burst() {
    let mut world = World::settled(10, Duration::from_millis(1), ADDRESS);
    let (updates, steps) = (world.updates, world.steps);
    world.now += Duration::from_secs(8 * 3600);
    let effects = world.engine.step(world.now, wall(world.now), Event::Tick);
    let count = |is: fn(&Action) -> bool| effects.actions.iter().filter(|action| is(action)).count();
    let (probes, proofs) =
        (count(|action| matches!(action, Action::Probe)), count(|action| matches!(action, Action::Resolve { .. })));
    let sources = count(|action| matches!(action, Action::LookAgain { .. }));
    assert_eq!((sources, probes, proofs, effects.actions.len()), (1, 1, 10, 12), "{effects:?}");
    world.carry_out(effects);
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.updates, updates);
    assert!(world.steps - steps < 20, "{} steps in ten seconds", world.steps - steps);
}
