//! Seed 000 §4 and §12, seed 002 "Streams and Backpressure": the way of the news into the engine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ddns_core::driver::{DdnsEngine, Handle};
use ddns_core::engine::{Status, Transition};
use ddns_core::memory_store::MemoryStore;
use ddns_core::ports::{IpSource, SourceError};
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;
use tokio::time;

use crate::ports::{config, ports};
use crate::world::{Call, News, World, ip, until};
use crate::{LAST, NEW, OLD};

const ONE: [(&str, &str); 2] = [("DDNS_RECORDS", "a.example.com:A"), ("DDNS_MIN_UPDATE_INTERVAL_SECS", "0")];

/// Seed 002 (streams must be cancel-safe), trap 21: wherever a stream is dropped, with whatever it was about to say, the
/// next one starts with the truth, and no change is lost.
#[tokio::test(start_paused = true)]
async fn a_watch_may_be_dropped_at_any_poll_and_no_change_is_lost() {
    let mut dropped = 0;
    for polls in 0..24 {
        let world = World::new(&[OLD]);
        world.manners().streams_end = vec![polls, polls / 2, 0];
        world
            .during(&ONE, Arc::new(MemoryStore::default()), async |handle| {
                for number in 2..9 {
                    time::sleep(Duration::from_millis(700)).await;
                    world.hold(&[&format!("11.0.0.{number}")]);
                }
                world.hold(&[LAST]);
                until(&handle, |status| status.ready() && world.holds("a.example.com", LAST)).await;
            })
            .await;
        dropped += world.calls().iter().filter(|call| **call == Call::Watch).count() - 1;
    }
    assert!(dropped > 24, "{dropped} streams were dropped");
}

/// Seed 000 §12.1 against §1, trap 24 (ADR 10): nothing is dropped. What one look at the addresses answers together is
/// counted, exactly, and told at most once a minute.
#[tokio::test(start_paused = true)]
async fn folded_announcements_are_counted_and_told_once_a_minute() {
    let world = World::new(&[OLD]);
    world.manners().announcements = 0;
    world
        .during(&ONE, Arc::new(MemoryStore::default()), async |handle| {
            until(&handle, Status::ready).await;
            world.manners().announcements = 50;
            for _ in 0..100 {
                world.hold(&[OLD]);
                time::sleep(Duration::from_secs(1)).await;
            }
            let status = until(&handle, |_| true).await;
            assert_eq!(status.folded, 100 * 49);
            assert!(status.ready());
        })
        .await;
    let told: Vec<u64> = world.log().iter().filter_map(folded).collect();
    assert_eq!(told.len(), 2, "at once when there are many, and a minute later: {told:?}");
}

fn folded(told: &Transition) -> Option<u64> {
    match told {
        Transition::Folded { announcements } => Some(*announcements),
        _ => None,
    }
}

/// A source that always has something new to say. In the middle of that it asks the engine for its status.
struct Flood {
    world: Arc<World>,
    handle: Arc<Mutex<Option<Handle>>>,
    polls_until_answer: Arc<Mutex<Option<usize>>>,
}

#[async_trait::async_trait]
impl IpSource for Flood {
    async fn current(&self) -> Result<ddns_core::address::Snapshot, SourceError> {
        Ok(self.world.event().snapshot)
    }

    fn watch(&self) -> BoxStream<'static, News> {
        let (world, handle) = (Arc::clone(&self.world), Arc::clone(&self.handle));
        let answer = Arc::clone(&self.polls_until_answer);
        let mut polls = 0_usize;
        let mut asked: Option<(usize, BoxFuture<'static, Option<Status>>)> = None;
        futures_util::stream::poll_fn(move |context| {
            polls += 1;
            if polls == 1003
                && let Some(handle) = handle.lock().unwrap().take()
            {
                asked = Some((polls, async move { handle.status().await }.boxed()));
            }
            if let Some((since, status)) = &mut asked
                && status.poll_unpin(context).is_ready()
            {
                *answer.lock().unwrap() = Some(polls - *since);
                asked = None;
            }
            world.hold(&[&format!("11.1.{}.{}", polls / 250 % 250, polls % 250)]);
            std::task::Poll::Ready(Some(Ok(world.event())))
        })
        .boxed()
    }
}

/// Seed 000 §12.1 and §12.6 (ADR 10): the capacity bounds how much news has its turn before anybody else. The engine
/// pulls; what it has not pulled stays in the source, so there is no queue to fill.
#[tokio::test(start_paused = true)]
async fn after_as_many_looks_as_the_capacity_says_others_have_their_turn() {
    for (capacity, text) in [(1, "1"), (10, "10"), (100, "100")] {
        let world = World::new(&[OLD]);
        let environment = [ONE[0], ONE[1], ("DDNS_EVENT_CHANNEL_CAPACITY", text)];
        let (mut ports, view) = ports(&world, Arc::new(MemoryStore::default()));
        let (asks, polls) = (Arc::new(Mutex::new(None)), Arc::new(Mutex::new(None)));
        let flood =
            Flood { world: Arc::clone(&world), handle: Arc::clone(&asks), polls_until_answer: Arc::clone(&polls) };
        ports.sources = vec![Arc::new(flood)];
        let (engine, handle) = DdnsEngine::new(&config(&environment), ports, vec![view], 7).await;
        *asks.lock().unwrap() = Some(handle);
        let (end, ended) = oneshot::channel::<()>();
        let story = async {
            while polls.lock().unwrap().is_none() {
                tokio::task::yield_now().await;
            }
            drop(end);
        };
        tokio::join!(story, engine.run(ended.map(drop)));
        let polls = polls.lock().unwrap().unwrap();
        assert!((1..=capacity).contains(&polls), "capacity {capacity}: answered after {polls} looks");
    }
}

/// Seed 000 §4.1: the engine asks nobody for addresses of its own accord; an idle source is left alone.
#[tokio::test(start_paused = true)]
async fn an_idle_engine_polls_no_source_and_saves_a_mark_each_hour() {
    let world = World::new(&[OLD]);
    let day = Duration::from_secs(86_400);
    let quiet = [ONE[0], ONE[1], ("DDNS_PROBE_INTERVAL_SECS", "0"), ("DDNS_AUDIT_INTERVAL_SECS", "0")];
    world
        .during(&quiet, Arc::new(MemoryStore::default()), async |handle| {
            until(&handle, Status::ready).await;
            time::sleep(Duration::from_secs(60)).await;
            world.forget();
            time::sleep(day).await;
            let calls = world.calls();
            assert!(calls.iter().all(|call| matches!(call, Call::Save | Call::Saved)), "{calls:?}");
            assert_eq!(calls.len(), 2 * 24, "a mark each hour, and nothing else until something changes");
            world.hold(&[NEW]);
            until(&handle, |status| status.ready() && status.records[0].confirmed == Some(ip(NEW))).await;
        })
        .await;
}
