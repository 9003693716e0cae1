//! Seed 000 §12.2 to §13: several records.

use std::sync::Arc;
use std::time::Duration;

use ddns_core::engine::{Status, Transition};
use ddns_core::memory_store::MemoryStore;
use ddns_core::ports::ProviderError;
use tokio::time;

use crate::world::{Call, World, ip, until};
use crate::{LAST, NEW, OLD};

const FOUR: [(&str, &str); 1] = [("DDNS_RECORDS", "d.example.com:A,a.example.com:A,c.example.com:A,b.example.com:A")];
const ORDER: [&str; 4] = ["d.example.com", "a.example.com", "c.example.com", "b.example.com"];

/// Seed 000 §13.2 and §13.4: one after another in the order of the configuration, each to its end before the next
/// begins, at every change.
#[tokio::test(start_paused = true)]
async fn records_are_written_one_after_another_in_the_order_of_the_configuration() {
    let world = World::new(&[OLD]);
    world.manners().update_takes = Duration::from_secs(3);
    world
        .during(&FOUR, Arc::new(MemoryStore::default()), async |handle| {
            until(&handle, Status::ready).await;
            time::sleep(Duration::from_secs(120)).await;
            world.hold(&[NEW]);
            until(&handle, |status| status.ready() && world.holds("b.example.com", NEW)).await;
        })
        .await;
    let writes = world.calls().into_iter().filter(|call| matches!(call, Call::Update(..) | Call::Updated(..)));
    let mut wanted = Vec::new();
    for address in [OLD, NEW] {
        for name in ORDER {
            wanted.push(Call::Update(format!("{name} A"), ip(address)));
            wanted.push(Call::Updated(format!("{name} A"), ip(address)));
        }
    }
    assert_eq!(writes.collect::<Vec<_>>(), wanted);
}

/// Seed 000 §13.2 and §13.6: whatever becomes of one record, the next ones get their turn in the same round; the one
/// that failed is not forgotten, and heals without help.
#[tokio::test(start_paused = true)]
async fn a_record_that_fails_in_any_way_stops_no_other() {
    let classes: [fn() -> ProviderError; 5] = [
        || ProviderError::Unreachable { what: String::new(), cause: None },
        || ProviderError::Unavailable { what: String::new(), retry_after: None, cause: None },
        || ProviderError::Unauthorized { what: String::new() },
        || ProviderError::Refused { what: String::new() },
        || ProviderError::Unknown { what: String::new(), cause: None },
    ];
    for class in classes {
        let world = World::new(&[OLD]);
        world.manners().fails.insert("a.example.com".to_owned(), class);
        world
            .during(&FOUR, Arc::new(MemoryStore::default()), async |handle| {
                let status = until(&handle, |status| status.records[3].converged).await;
                let converged: Vec<bool> = status.records.iter().map(|record| record.converged).collect();
                assert_eq!(converged, [true, false, true, true], "{:?}", class());
                assert!(!status.ready() && status.records[1].error.is_some(), "a failure is told");
                world.manners().fails.clear();
                time::sleep(Duration::from_secs(2 * 3600)).await;
                assert!(handle.status().await.unwrap().ready(), "{:?}", class());
            })
            .await;
        let first_writes: Vec<_> = world.updated_names().into_iter().filter(|name| name != "a.example.com").collect();
        assert_eq!(first_writes, ["d.example.com", "c.example.com", "b.example.com"], "{:?}", class());
    }
}

/// Seed 000 §13.3 and §13.6: a record that the provider can't hold is skipped with one warning, and never asked for.
#[tokio::test(start_paused = true)]
async fn a_record_that_the_provider_does_not_support_is_skipped_with_a_warning_and_others_go_on() {
    let world = World::new(&[OLD]);
    world.manners().unsupported.insert("a.example.com".to_owned());
    world
        .during(&FOUR, Arc::new(MemoryStore::default()), async |handle| {
            until(&handle, |status| status.records[3].converged).await;
            time::sleep(Duration::from_secs(3600)).await;
            world.hold(&[NEW]);
            let status = until(&handle, |status| status.records[3].desired == Some(ip(NEW))).await;
            assert!(!status.converged, "a record of the configuration that nobody keeps is not right");
            until(&handle, |_| world.holds("b.example.com", NEW)).await;
        })
        .await;
    let warned = world.log().iter().filter(|told| matches!(told, Transition::Unsupported { .. })).count();
    assert_eq!(warned, 1);
    let about = |call: &Call| match call {
        Call::Resolve(key) | Call::Read(key) | Call::Update(key, _) => key.starts_with("a.example.com"),
        _ => false,
    };
    assert!(!world.calls().iter().any(about));
    assert_eq!(world.updates().len(), 6);
}

/// Seed 000 §13.7: each record has a history of its own. One that is added to the configuration is written, and the
/// others are left alone; the same address, told again, is no reason for anything.
#[tokio::test(start_paused = true)]
async fn every_record_is_idempotent_by_itself() {
    let world = World::new(&[OLD]);
    let store = Arc::new(MemoryStore::default());
    let two = [("DDNS_RECORDS", "a.example.com:A,b.example.com:A")];
    world
        .during(&two, Arc::<MemoryStore>::clone(&store), async |handle| {
            until(&handle, Status::ready).await;
        })
        .await;
    assert_eq!(world.updated_names(), ["a.example.com", "b.example.com"]);
    world.forget();
    let three = [("DDNS_RECORDS", "c.example.com:A,b.example.com:A,a.example.com:A")];
    world
        .during(&three, store, async |handle| {
            until(&handle, Status::ready).await;
            for _ in 0..100 {
                world.hold(&[OLD]);
                time::sleep(Duration::from_secs(10)).await;
            }
        })
        .await;
    assert_eq!(world.updated_names(), ["c.example.com"]);
}

/// Seed 000 §12.2 and §13.8: the interval counts for each record by itself. ADR 8: what comes inside of it is written
/// at its end.
#[tokio::test(start_paused = true)]
async fn the_minimum_interval_is_one_of_each_record() {
    let world = World::new(&[OLD]);
    let slow: fn() -> ProviderError =
        || ProviderError::Unavailable { what: String::new(), retry_after: Some(Duration::from_secs(30)), cause: None };
    world.manners().fails.insert("b.example.com".to_owned(), slow);
    let two = [("DDNS_RECORDS", "a.example.com:A,b.example.com:A")];
    world
        .during(&two, Arc::new(MemoryStore::default()), async |handle| {
            until(&handle, |status| status.records[0].converged && status.records[1].error.is_some()).await;
            world.manners().fails.clear();
            until(&handle, Status::ready).await;
            world.hold(&[NEW]);
            until(&handle, |status| status.records[0].desired == Some(ip(NEW))).await;
            until(&handle, |status| status.ready() && world.holds("b.example.com", NEW)).await;
        })
        .await;
    let of = |name: &str| -> Vec<Duration> {
        world.updates().into_iter().filter(|(_, written, _)| written == name).map(|(at, ..)| at).collect()
    };
    let (a, b) = (of("a.example.com"), of("b.example.com"));
    assert_eq!((a.len(), b.len()), (2, 3), "{a:?} {b:?}");
    let interval = Duration::from_secs(60);
    let due = |at: Duration, first: Duration| (interval..interval + Duration::from_secs(1)).contains(&(at - first));
    assert!(b[1] - b[0] >= Duration::from_secs(30), "the second record came half a minute later");
    assert!(due(a[1], a[0]) && due(b[2], b[1]), "each at the end of its own interval: {a:?} {b:?}");
}

/// Seed 000 §12.3 and §12.5 scenario 2, seed 002 "Predictable Latency": a slow provider keeps nobody from hearing what
/// is new. What was overtaken meanwhile is never written.
#[tokio::test(start_paused = true)]
async fn while_the_provider_is_slow_news_is_heard_and_the_last_address_wins() {
    let world = World::new(&[OLD]);
    world.manners().update_takes = Duration::from_secs(10);
    let one = [("DDNS_RECORDS", "a.example.com:A"), ("DDNS_MIN_UPDATE_INTERVAL_SECS", "0")];
    world
        .during(&one, Arc::new(MemoryStore::default()), async |handle| {
            while world.updates().is_empty() {
                time::sleep(Duration::from_millis(10)).await;
            }
            for number in 100..150 {
                world.hold(&[&format!("11.0.0.{number}")]);
                time::sleep(Duration::from_millis(100)).await;
            }
            world.hold(&[LAST]);
            let status = until(&handle, |status| status.records[0].desired == Some(ip(LAST))).await;
            assert_eq!(status.records[0].confirmed, None, "the first write is still under way");
            until(&handle, Status::ready).await;
        })
        .await;
    let written: Vec<_> = world.updates().into_iter().map(|(_, _, to)| to).collect();
    assert_eq!(written, [ip(OLD), ip(LAST)]);
}
