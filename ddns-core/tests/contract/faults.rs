//! Faults around a running engine that the scenarios beside the engine do not show.

use std::sync::Arc;
use std::time::Duration;

use ddns_core::address::Family;
use ddns_core::engine::Status;
use ddns_core::memory_store::MemoryStore;
use ddns_core::ports::{ProviderError, StateStore};
use ddns_core::readiness::Readiness;
use ddns_core::state::SavedState;
use tokio::time;

use crate::ports::Encoded;
use crate::world::{Call, Shows, World, ip, until};
use crate::{NEW, OLD};

const ONE: [(&str, &str); 1] = [("DDNS_RECORDS", "a.example.com:A")];
const HOUR: Duration = Duration::from_secs(3600);

fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::default())
}

/// FAULTS 16, 17 and 22: one target that is down, or a whole family, is not an outage; most targets of every family are.
#[tokio::test(start_paused = true)]
async fn an_outage_is_when_most_targets_of_every_family_are_down() {
    let (v4, v6) = (Some(Family::V4), Some(Family::V6));
    let cases = [
        (vec![(v4, false), (v4, true), (v4, true)], Readiness::Ready),
        (vec![(v4, true), (v4, true), (v6, false), (v6, false)], Readiness::Ready),
        (vec![(v4, false), (v4, false), (v6, true), (v6, true)], Readiness::Ready),
        (vec![(None, false), (v4, true)], Readiness::Ready),
        (vec![(v4, false), (v4, false), (v4, true)], Readiness::NotReady),
        (vec![(v4, false), (v6, false)], Readiness::NotReady),
    ];
    let world = World::new(&[OLD]);
    world
        .during(&ONE, store(), async |handle| {
            until(&handle, Status::ready).await;
            for (targets, expected) in cases {
                world.manners().targets.clear();
                until(&handle, Status::ready).await;
                world.manners().targets.clone_from(&targets);
                time::sleep(HOUR).await;
                assert_eq!(handle.status().await.unwrap().readiness, expected, "{targets:?}");
            }
        })
        .await;
    assert_eq!(world.updates().len(), 1, "an outage of the path is no reason to write");
}

/// FAULTS 14: a dead way to the Internet costs two rounds of probes a minute and nothing else.
#[tokio::test(start_paused = true)]
async fn a_dead_path_makes_no_storm() {
    let world = World::new(&[OLD]);
    let without_audit = [ONE[0], ("DDNS_AUDIT_INTERVAL_SECS", "0")];
    world
        .during(&without_audit, store(), async |handle| {
            until(&handle, Status::ready).await;
            world.manners().targets = vec![(None, false)];
            until(&handle, |status| status.readiness == Readiness::NotReady).await;
            world.forget();
            time::sleep(24 * HOUR).await;
        })
        .await;
    let calls = world.calls();
    let probes = calls.iter().filter(|call| **call == Call::Probe).count();
    assert!((2000..4000).contains(&probes), "{probes} rounds in a day");
    let others = calls.iter().filter(|call| !matches!(call, Call::Probe | Call::CloseIdle)).collect::<Vec<_>>();
    assert!(others.iter().all(|call| matches!(call, Call::Save | Call::Saved)), "{others:?}");
    assert!(others.len() <= 2 * 26, "the outage, and a mark each hour: {}", others.len());
}

/// FAULTS 28 and 29: one resolver alone proves nothing, whether the others disagree, have nothing or fail; two of three
/// do. Nothing is written for that, and nothing is deleted.
#[tokio::test(start_paused = true)]
async fn only_a_majority_of_the_resolvers_proves_a_record() {
    let alone = [Shows::Only(NEW), Shows::Nothing, Shows::Fails];
    for dissent in alone {
        for other in alone {
            let world = World::new(&[OLD]);
            world.manners().resolvers = vec![dissent, Shows::Truth, other];
            world
                .during(&ONE, store(), async |handle| {
                    time::sleep(HOUR).await;
                    let label = format!("{dissent:?}, {other:?}");
                    let status = handle.status().await.unwrap();
                    assert!(!status.converged && status.records[0].verified.is_none(), "{label}");
                    world.manners().resolvers[0] = Shows::Truth;
                    until(&handle, Status::ready).await;
                    assert_eq!(world.updates().len(), 1, "{label}");
                    assert!(world.holds("a.example.com", OLD), "{label}");
                })
                .await;
        }
    }
}

/// FAULTS 56 and 57: a saved time that lies in the future, or ages ago, is clamped: the wait is one interval at most.
#[tokio::test(start_paused = true)]
async fn a_saved_time_that_cannot_be_is_clamped() {
    for (written_at, least, most) in [("9999999999999999", 60, 61), ("0", 0, 1)] {
        let world = World::new(&[NEW]);
        let text = format!(
            r#"{{"format":1,"records":{{"a.example.com A":{{"confirmed":"{OLD}","written_at":{written_at}}}}}}}"#
        );
        let store = Arc::new(Encoded::default());
        store.save(&SavedState::decode(text.as_bytes()).unwrap()).await.unwrap();
        world
            .during(&ONE, store, async |handle| {
                until(&handle, Status::ready).await;
            })
            .await;
        let updates = world.updates();
        assert_eq!(updates.len(), 1);
        let (at, _, to) = &updates[0];
        assert_eq!(*to, ip(NEW));
        assert!((least..most).contains(&at.as_secs()), "{written_at}: after {at:?}");
    }
}

/// FAULTS 57: the same for what a provider asked for: an hour at most.
#[tokio::test(start_paused = true)]
async fn a_saved_request_for_patience_is_clamped() {
    let world = World::new(&[OLD]);
    let text = r#"{"format":1,"records":{"a.example.com A":{"asked_until":9999999999999999}}}"#;
    let store = Arc::new(Encoded::default());
    store.save(&SavedState::decode(text.as_bytes()).unwrap()).await.unwrap();
    world
        .during(&ONE, store, async |handle| {
            time::sleep(HOUR - Duration::from_secs(1)).await;
            assert_eq!(world.updates(), []);
            time::sleep(Duration::from_secs(2)).await;
            until(&handle, Status::ready).await;
        })
        .await;
    assert_eq!(world.updates().len(), 1);
}

/// FAULTS 43: a crash between the two records of a name is made up for by what the difference says.
#[tokio::test(start_paused = true)]
async fn a_restart_between_two_records_writes_only_the_second() {
    let environment = [("DDNS_RECORDS", "a.example.com")];
    let world = World::new(&[OLD, "2a00::1"]);
    world.manners().update_takes = Duration::from_secs(1_000_000);
    world.manners().effect_first = true;
    let store = store();
    world
        .until_shut_down(&environment, Arc::<MemoryStore>::clone(&store), async |_| {
            time::sleep(Duration::from_secs(5)).await;
            world.shut_down();
        })
        .await;
    assert_eq!(world.updated_names().len(), 1, "the first write has no answer");
    world.manners().update_takes = Duration::ZERO;
    world.forget();
    world
        .during(&environment, store, async |handle| {
            until(&handle, Status::ready).await;
        })
        .await;
    let written: Vec<_> = world.updates().into_iter().map(|(_, _, to)| to).collect();
    assert_eq!(written, [ip("2a00::1")]);
}

/// FAULTS 41: a lookup that itself leads nowhere (a zone that moved) is repeated with patience, and heals.
#[tokio::test(start_paused = true)]
async fn a_lookup_that_leads_nowhere_is_repeated_with_patience() {
    let world = World::new(&[OLD]);
    world.manners().read_fails = Some(|| ProviderError::Stale { what: "no such zone".into() });
    world
        .during(&ONE, store(), async |handle| {
            time::sleep(24 * HOUR).await;
            let status = handle.status().await.unwrap();
            assert!(!status.converged && status.records[0].error.is_some());
            let reads = world.calls().iter().filter(|call| matches!(call, Call::Read(_))).count();
            assert!((200..500).contains(&reads), "{reads} lookups in a day");
            world.manners().read_fails = None;
            time::sleep(Duration::from_secs(400)).await;
            assert!(handle.status().await.unwrap().ready());
        })
        .await;
    assert_eq!(world.updates().len(), 1);
}
