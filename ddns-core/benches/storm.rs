//! A thousand changes a second for an hour of the engine's time: the updates it makes, and the memory it takes.
//! It fails if a record is written more than once a minute, if memory grows, or if news that changes nothing allocates.

#[path = "model/world.rs"]
mod world;

use std::time::Duration;

use world::{World, seen, wall};

const RECORDS: usize = 10;
const MINUTES: u64 = 60;
const PER_MINUTE: u64 = 60_000;
const MILLISECOND: Duration = Duration::from_millis(1);
const OLD: u32 = 0x0b00_0001;
/// Live memory differs by what happens to be under way.
const SLACK: i64 = 4096;

/// One minute in which every millisecond brings another address.
fn minute(world: &mut World, minute: u64) {
    for change in 0..PER_MINUTE {
        let number = u32::try_from((minute * PER_MINUTE + change) % 50_000).unwrap_or_default();
        world.step(seen(world.now, OLD + 1 + number));
        world.run_for(MILLISECOND);
    }
}

fn coalesced_news_allocates_nothing() {
    let World { mut engine, now, .. } = World::settled(100, MILLISECOND, OLD);
    let mut events: Vec<_> = (0..1000).map(|_| seen(now, OLD)).collect();
    let taken = allocation_counter::measure(|| {
        while let Some(event) = events.pop() {
            drop(engine.step(now, wall(now), event));
            let _ = engine.deadline();
        }
    });
    println!("1,000 coalesced events with 100 records: {} allocations", taken.count_total);
    assert_eq!(taken.count_total, 0, "news that changes nothing must not allocate");
}

fn main() {
    coalesced_news_allocates_nothing();

    let mut world = World::settled(RECORDS, Duration::from_millis(50), OLD);
    let (steps, updates) = (world.steps, world.updates);
    #[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a bench measures")]
    let begun = std::time::Instant::now();
    let first = allocation_counter::measure(|| minute(&mut world, 0));
    let rest = allocation_counter::measure(|| (1..MINUTES).for_each(|number| minute(&mut world, number)));
    let took = begun.elapsed();
    let (steps, updates) = (world.steps - steps, world.updates - updates);

    println!("storm: {} changes in {MINUTES} simulated minutes, {RECORDS} records", MINUTES * PER_MINUTE);
    println!("  {updates} updates; at least {:?} between two of one record", world.closest);
    println!(
        "  {} octets more live after the first minute, {} more after the last; {} at the peak of those",
        first.bytes_current, rest.bytes_current, rest.bytes_max
    );
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = steps as f64 / took.as_secs_f64();
    println!("  {steps} steps in {took:.2?}: {rate:.0} steps per second");
    assert!(world.closest >= Duration::from_secs(60), "a record was written twice within a minute");
    assert!(updates <= RECORDS as u64 * (MINUTES + 1), "{updates} updates");
    assert!(updates >= RECORDS as u64 * (MINUTES - 2), "{updates} updates: the storm was not followed");
    assert!(rest.bytes_current <= SLACK, "memory grew by {} octets", rest.bytes_current);
    world.step(seen(world.now, OLD));
    world.run_for(Duration::from_secs(120));
    assert!(world.all_hold(OLD), "the last address wins");
}
