//! Seed 000 §6.3, seed 001 phase 19: what comes after a restart does not depend on the store.

use std::sync::Arc;
use std::time::Duration;

use ddns_core::engine::{Status, Transition};
use ddns_core::memory_store::MemoryStore;
use ddns_core::ports::{LoadError, ProviderError, StateStore};
use tokio::time;

use crate::ports::{Encoded, Unreadable};
use crate::world::{Call, World, until};
use crate::{LAST, NEW, OLD};

const RECORDS: [(&str, &str); 1] = [("DDNS_RECORDS", "a.example.com:A,b.example.com:A")];

/// A first run, a change whose write has no known outcome, a second run with yet another address.
async fn story(store: Arc<dyn StateStore>) -> (Vec<Call>, Vec<Transition>, Vec<u8>) {
    let world = World::new(&[OLD]);
    world
        .during(&RECORDS, Arc::clone(&store), async |handle| {
            until(&handle, Status::ready).await;
            time::sleep(Duration::from_secs(300)).await;
            world
                .manners()
                .fails
                .insert("b.example.com".into(), || ProviderError::Unknown { what: "no answer".into(), cause: None });
            world.hold(&[NEW]);
            until(&handle, |status| status.records[1].error.is_some()).await;
        })
        .await;
    world.manners().fails.clear();
    world.hold(&[LAST]);
    world
        .during(&RECORDS, Arc::clone(&store), async |handle| {
            until(&handle, |status| status.ready() && world.holds("b.example.com", LAST)).await;
        })
        .await;
    let saved = store.load().await.unwrap().unwrap().encode();
    (world.calls(), world.log().clone(), saved)
}

/// The same restart over a store that keeps values and over one that keeps the encoded state, as every store on a disk
/// does: the same calls, the same news, the same state.
#[tokio::test(start_paused = true)]
async fn a_restart_is_the_same_over_every_store() {
    let memory = story(Arc::new(MemoryStore::default())).await;
    let encoded = story(Arc::new(Encoded::default())).await;
    assert!(memory.0.iter().filter(|call| matches!(call, Call::Update(..))).count() >= 5, "{:?}", memory.0);
    assert_eq!(memory, encoded);
}

/// Seed 000 §5 against seed 002 "State Persistence" (ADR 11): the write does not wait for the disk; the intent is on its
/// way there when the write begins.
#[tokio::test(start_paused = true)]
async fn a_write_does_not_wait_for_the_disk() {
    let world = World::new(&[OLD]);
    world.manners().save_takes = Duration::from_secs(5);
    world
        .during(&RECORDS, Arc::new(MemoryStore::default()), async |handle| {
            until(&handle, Status::ready).await;
            time::sleep(Duration::from_secs(120)).await;
            world.forget();
            world.hold(&[NEW]);
            until(&handle, |status| status.ready() && world.holds("b.example.com", NEW)).await;
        })
        .await;
    let calls = world.calls();
    let at = |wanted: fn(&Call) -> bool| calls.iter().position(wanted).unwrap();
    let (save, saved) = (at(|call| *call == Call::Save), at(|call| *call == Call::Saved));
    let (first, last) =
        (at(|call| matches!(call, Call::Update(..))), calls.iter().rposition(|call| matches!(call, Call::Updated(..))));
    assert!(save < saved && first < saved, "{calls:?}");
    assert!(last.unwrap() < saved, "both writes were done before the disk had answered: {calls:?}");
}

/// FAULTS 48 and 53: a state that is there and can't be read is never written over; that shows, and DNS work goes on.
#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_read_is_never_written_over() {
    let reasons: [fn() -> LoadError; 3] = [
        || LoadError::Corrupt { what: "both slots".into() },
        || LoadError::Newer { what: "the state".into(), found: 9, known: 1 },
        || LoadError::Inaccessible { what: "the state".into(), cause: "permission denied".into() },
    ];
    for reason in reasons {
        let world = World::new(&[OLD]);
        world
            .during(&RECORDS, Arc::new(Unreadable(reason)), async |handle| {
                let status = until(&handle, Status::ready).await;
                let said = ddns_core::error_chain(&reason());
                assert_eq!(status.store_error, Some(said.clone()));
                time::sleep(Duration::from_secs(120)).await;
                world.hold(&[NEW]);
                until(&handle, |status| status.ready() && world.holds("b.example.com", NEW)).await;
                let told = Transition::StoreFailed { what: said };
                assert_eq!(world.log().iter().filter(|transition| **transition == told).count(), 1);
            })
            .await;
        assert!(!world.calls().contains(&Call::Save), "{:?}", reason());
    }
}
