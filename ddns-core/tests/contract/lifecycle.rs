//! Seed 000 §11 and §13.4, seed 002 "Tokio Usage": how an engine begins and ends. That it cannot be started twice, and
//! that a provider cannot change its own state, is held by `compile_fail`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ddns_core::driver::{DRAIN_STATE, DRAIN_UPDATES, DdnsEngine};
use ddns_core::engine::Status;
use ddns_core::memory_store::MemoryStore;
use ddns_core::ports::StateStore;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use tokio::time;

use crate::ports::{config, ports};
use crate::world::{Call, World, until};
use crate::{NEW, OLD};

const TWO: [(&str, &str); 2] =
    [("DDNS_RECORDS", "a.example.com:A,b.example.com:A"), ("DDNS_MIN_UPDATE_INTERVAL_SECS", "0")];
const NEVER: Duration = Duration::from_secs(1_000_000);

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Seed 002 (no detached tasks), seed 000 §13.4 (no task spawning): the engine spawns nothing, so nothing of it can
/// outlive `run`; and with `run` every port is let go of, also when a write never ended.
#[tokio::test(start_paused = true)]
async fn nothing_outlives_run() {
    for update_takes in [Duration::ZERO, NEVER] {
        let world = World::new(&[OLD]);
        world.manners().update_takes = update_takes;
        let (ports, view) = ports(&world, Arc::new(MemoryStore::default()));
        let source = Arc::downgrade(&ports.sources[0]);
        let provider = Arc::downgrade(&ports.providers[0]);
        let verifier = Arc::downgrade(&ports.verifier);
        let store = Arc::downgrade(&ports.store);
        let probe = Arc::downgrade(&ports.probe);
        let clock = Arc::downgrade(&ports.clock);
        let connections = Arc::downgrade(&ports.connections);
        let (engine, handle) = DdnsEngine::new(&config(&TWO), ports, vec![view], 7).await;
        let (end, ended) = oneshot::channel::<()>();
        let story = async {
            while world.updates().is_empty() {
                time::sleep(Duration::from_millis(10)).await;
            }
            time::sleep(Duration::from_secs(5)).await;
            assert_eq!(tasks(), 0, "no task was spawned");
            drop(end);
        };
        tokio::join!(story, engine.run(ended.map(drop)));
        assert_eq!(tasks(), 0);
        assert_eq!(Weak::strong_count(&source), 0, "source");
        assert_eq!(Weak::strong_count(&provider), 0, "provider");
        assert_eq!(Weak::strong_count(&verifier), 0, "verifier");
        assert_eq!(Weak::strong_count(&store), 0, "store");
        assert_eq!(Weak::strong_count(&probe), 0, "probe");
        assert_eq!(Weak::strong_count(&clock), 0, "clock");
        assert_eq!(Weak::strong_count(&connections), 0, "connections");
        assert_eq!(Arc::strong_count(&world), 1, "a view, a stream or a write");
        assert_eq!(handle.status().await, None);
    }
}

/// The story that the shutdowns interrupt: a start without a state, then a change.
async fn a_change(world: &World) {
    time::sleep(Duration::from_secs(20)).await;
    world.hold(&[NEW]);
    time::sleep(Duration::from_secs(20)).await;
    world.shut_down();
}

/// What a restart does not have to find out again: an acknowledged write is saved as such, any other one as in doubt.
async fn check_saved(world: &World, store: &dyn StateStore, label: &str) {
    let saved = store.load().await.unwrap().unwrap_or_default();
    for name in ["a.example.com", "b.example.com"] {
        let key = format!("{name} A");
        let calls = world.calls();
        let of_key = |call: &&Call| matches!(call, Call::Update(of, _) | Call::Updated(of, _) if *of == key);
        let record = saved.records().find(|(saved, _)| *saved == key).map(|(_, record)| record);
        match calls.iter().rev().find(of_key) {
            Some(Call::Update(_, to)) => {
                assert_eq!(record.and_then(|record| record.pending), Some(*to), "{label}: {key} is in doubt");
            }
            Some(Call::Updated(_, to)) => {
                let record = record.unwrap_or_else(|| panic!("{label}: {key} is not saved"));
                assert_eq!((record.confirmed, record.pending), (Some(*to), None), "{label}: {key}");
            }
            _ => {}
        }
    }
}

/// FAULTS 12, 39 and 67, seed 001 phases 16 and 19: shut down after the n-th use of a port, for every n. The end comes
/// within its limits, what is on disk is the truth or in doubt, and a restart ends with right records.
#[tokio::test(start_paused = true)]
async fn a_shutdown_at_any_point_ends_in_time_and_leaves_a_state_to_go_on_from() {
    let mut points = 0;
    for (update_takes, effect_first) in [(Duration::from_secs(3), false), (NEVER, true), (NEVER, false)] {
        for call in 1.. {
            let label = format!("an update takes {update_takes:?}, effect first: {effect_first}, call {call}");
            let world = World::new(&[OLD]);
            world.manners().update_takes = update_takes;
            world.manners().effect_first = effect_first;
            world.manners().save_takes = Duration::from_millis(30);
            world.shut_down_after(call);
            let store = Arc::new(MemoryStore::default());
            let kept = || Arc::<MemoryStore>::clone(&store);
            world.until_shut_down(&TWO, kept(), async |_| a_change(&world).await).await;
            let calls = world.calls().len();
            let limit = DRAIN_UPDATES + DRAIN_STATE;
            assert!(world.since_shutdown() <= limit, "{label}: {:?}", world.since_shutdown());
            check_saved(&world, &*store, &label).await;
            points += 1;

            world.manners().update_takes = Duration::ZERO;
            world.shut_down_after(usize::MAX);
            world.hold(&[NEW]);
            let right = world.holds("a.example.com", NEW) && world.holds("b.example.com", NEW);
            world.forget();
            world
                .during(&TWO, kept(), async |handle| {
                    until(&handle, Status::ready).await;
                })
                .await;
            assert!(world.holds("a.example.com", NEW) && world.holds("b.example.com", NEW), "{label}");
            assert!(!right || world.updates().is_empty(), "{label}: {:?}", world.updates());
            if calls < call {
                break;
            }
        }
    }
    assert!(points > 40, "{points} points");
}

/// A disk that does not answer holds up the end by its limit and no longer.
#[tokio::test(start_paused = true)]
async fn a_save_that_hangs_holds_up_the_end_by_its_limit_alone() {
    let world = World::new(&[OLD]);
    world.manners().save_takes = NEVER;
    world.until_shut_down(&TWO, Arc::new(MemoryStore::default()), async |_| a_change(&world).await).await;
    let took = world.since_shutdown();
    assert!((DRAIN_UPDATES..=DRAIN_UPDATES + DRAIN_STATE).contains(&took), "{took:?}");
}

/// Seed 001 phase 16: an end that comes while nothing is under way is at once.
#[tokio::test(start_paused = true)]
async fn an_idle_engine_ends_at_once() {
    let world = World::new(&[OLD]);
    world.until_shut_down(&TWO, Arc::new(MemoryStore::default()), async |_| a_change(&world).await).await;
    assert_eq!(world.since_shutdown(), Duration::ZERO);
}
