//! Traps that peers and the systems of the seeds fell into, as far as the core has to do with them. Those that need
//! nothing but the engine are beside its scenarios (`tests/engine/`); docs/reliability.md has them all.

use std::sync::Arc;
use std::time::Duration;

use ddns_core::engine::{Status, Transition};
use ddns_core::memory_store::MemoryStore;
use ddns_core::ports::ProviderError;
use ddns_core::readiness::Readiness;
use tokio::time;

use crate::world::{Call, Shows, World, ip, until};
use crate::{NEW, OLD};

const ONE: [(&str, &str); 1] = [("DDNS_RECORDS", "a.example.com:A")];
const DAY: Duration = Duration::from_secs(86_400);

fn store() -> Arc<MemoryStore> {
    Arc::new(MemoryStore::default())
}

/// Trap 2: a source that never says anything is no healthy one.
#[tokio::test(start_paused = true)]
async fn a_source_that_says_nothing_is_never_ready() {
    let world = World::new(&[OLD]);
    world.manners().mute = true;
    world
        .during(&ONE, store(), async |handle| {
            time::sleep(DAY).await;
            let status = handle.status().await.unwrap();
            assert_eq!((status.readiness, status.sources[0].rung), (Readiness::Init, None));
            assert!(!status.ready());
            world.hold(&[OLD]);
            until(&handle, Status::ready).await;
        })
        .await;
}

/// Trap 6: a write that failed is no success, to anybody who asks.
#[tokio::test(start_paused = true)]
async fn a_write_that_failed_is_nowhere_told_as_done() {
    let world = World::new(&[OLD]);
    world.manners().fails.insert("a.example.com".into(), || ProviderError::Refused { what: "no".into() });
    world
        .during(&ONE, store(), async |handle| {
            time::sleep(DAY).await;
            let status = handle.status().await.unwrap();
            assert_eq!(status.readiness, Readiness::Ready, "the way to the Internet is open");
            let record = &status.records[0];
            assert_eq!((record.confirmed, record.verified, record.converged), (None, None, false));
            assert_eq!((status.ready(), record.error.as_deref()), (false, Some("no")));
        })
        .await;
    let good = |told: &Transition| {
        matches!(told, Transition::Updated { .. } | Transition::Verified { .. } | Transition::Converged(true))
    };
    assert!(!world.log().iter().any(good));
}

/// Trap 8: however often a source has failed, it is tried again, and gets its second chance.
#[tokio::test(start_paused = true)]
async fn a_source_that_failed_a_thousand_times_comes_back() {
    let world = World::new(&[OLD]);
    world.manners().streams_end = vec![0; 1000];
    let begun = world.elapsed();
    world
        .during(&ONE, store(), async |handle| {
            time::sleep(DAY).await;
            until(&handle, Status::ready).await;
        })
        .await;
    let watches = world.calls().iter().filter(|call| **call == Call::Watch).count();
    assert_eq!(watches, 1001);
    assert!(world.elapsed() - begun < DAY + Duration::from_secs(60), "tried at least every 75 seconds");
    let told = world.log().iter().filter(|told| matches!(told, Transition::SourceFailed { .. })).count();
    assert_eq!(told, 1, "a thousand failures in a row are one piece of news");
}

/// Trap 14: a resolver that shows its own view of the name is no reason to write again and again.
#[tokio::test(start_paused = true)]
async fn a_split_horizon_makes_no_loop_of_updates() {
    let world = World::new(&[OLD]);
    world.manners().resolvers = vec![Shows::Only("192.168.1.2")];
    world
        .during(&ONE, store(), async |handle| {
            time::sleep(DAY).await;
            world.hold(&[NEW]);
            time::sleep(DAY).await;
            let status = handle.status().await.unwrap();
            assert!(!status.converged, "what nobody can see is not proven");
        })
        .await;
    let written: Vec<_> = world.updates().into_iter().map(|(_, _, to)| to).collect();
    assert_eq!(written, [ip(OLD), ip(NEW)]);
    let reads = world.calls().iter().filter(|call| matches!(call, Call::Read(_))).count();
    assert!(reads <= 2 * 24 * 60 / 9 + 20, "{reads} reads in two days");
}

/// Trap 18: nor is a change forgotten after any number of failed attempts.
#[tokio::test(start_paused = true)]
async fn a_change_is_written_after_a_month_of_failures() {
    let world = World::new(&[OLD]);
    world.manners().fails.insert("a.example.com".into(), || ProviderError::Unavailable {
        what: "down".into(),
        retry_after: None,
        cause: None,
    });
    let environment = [ONE[0], ("DDNS_MAX_RETRIES", "1")];
    world
        .during(&environment, store(), async |handle| {
            time::sleep(30 * DAY).await;
            world.manners().fails.clear();
            time::sleep(Duration::from_secs(400)).await;
            assert!(handle.status().await.unwrap().ready());
        })
        .await;
    assert!(world.holds("a.example.com", OLD));
}

/// Trap 21: while the source is gone, that shows, and what is proven stays proven.
#[tokio::test(start_paused = true)]
async fn a_deaf_engine_says_so() {
    let world = World::new(&[OLD]);
    world.manners().streams_end = vec![2];
    world.manners().streams_end.extend([0; 1000]);
    world
        .during(&ONE, store(), async |handle| {
            until(&handle, Status::ready).await;
            world.hold(&[OLD]);
            let status = until(&handle, |status| status.source_error().is_some()).await;
            assert_eq!(status.source_error(), Some("the source of addresses has ended"));
            time::sleep(Duration::from_secs(3600)).await;
            assert!(handle.status().await.unwrap().source_error().is_some());
        })
        .await;
    assert_eq!(world.updates().len(), 1);
}

/// Traps 31 and 32: connections from an address that has gone are given up at once, in the middle of a write; when the
/// run is over none is kept.
#[tokio::test(start_paused = true)]
async fn an_address_that_goes_ends_its_connections_in_the_middle_of_a_write() {
    let world = World::new(&[OLD]);
    world.manners().update_takes = Duration::from_secs(30);
    let held = |world: &World| world.calls().iter().filter(|call| **call == Call::AddressesHeld).count();
    world
        .during(&ONE, store(), async |handle| {
            while world.updates().is_empty() {
                time::sleep(Duration::from_millis(10)).await;
            }
            world.hold(&[OLD, NEW]);
            until(&handle, |_| true).await;
            assert_eq!(held(&world), 0, "no address has gone yet");
            world.hold(&[NEW]);
            until(&handle, |status| status.records[0].desired == Some(ip(NEW))).await;
            assert_eq!(held(&world), 1);
            assert!(!world.holds("a.example.com", OLD), "the write is still under way");
            until(&handle, Status::ready).await;
            time::sleep(Duration::from_secs(60)).await;
            assert_eq!(world.calls().last(), Some(&Call::CloseIdle));
            let before = held(&world);
            world.hold(&["192.168.1.2"]);
            until(&handle, |status| !status.converged).await;
            assert_eq!(held(&world), before, "there is no connection to end");
        })
        .await;
}
