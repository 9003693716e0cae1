//! What the engine must not allocate.

#[path = "../benches/model/world.rs"]
#[expect(dead_code, reason = "the benches' model can do more than this asks for")]
mod world;

use std::time::Duration;

use ddns_core::engine::Event;
use world::{World, seen, wall};

const ADDRESS: u32 = 0x0b00_0001;

/// Seed 002, Allocation Policy: a storm of announcements that change nothing takes no memory, however many records
/// there are.
#[test]
fn a_coalesced_event_and_a_tick_allocate_nothing() {
    for records in [1, 10, 100] {
        let World { mut engine, now, .. } = World::settled(records, Duration::from_millis(1), ADDRESS);
        let news = seen(now, ADDRESS);
        let taken = allocation_counter::measure(|| {
            drop(engine.step(now, wall(now), news));
            drop(engine.step(now, wall(now), Event::Tick));
            let _ = engine.deadline();
        });
        assert_eq!(taken.count_total, 0, "with {records} records: {taken:?}");
    }
}

/// Seed 002, "Memory Is a Budget": a change that was carried out leaves nothing behind.
#[test]
fn memory_is_flat_over_a_thousand_changes() {
    let mut world = World::settled(10, Duration::from_millis(1), ADDRESS);
    let mut changes = |from: u32, to: u32| {
        for number in from..to {
            world.step(seen(world.now, ADDRESS + number % 200));
            world.run_for(Duration::from_secs(61));
        }
    };
    changes(1, 100);
    let taken = allocation_counter::measure(|| changes(100, 1100));
    assert!(taken.bytes_current <= 1024, "{taken:?}");
}
