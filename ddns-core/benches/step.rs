//! What one step of the engine costs.

#[path = "model/world.rs"]
mod world;

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion};
use ddns_core::engine::Event;
use world::{World, seen, wall};

const RECORDS: [usize; 3] = [1, 10, 100];
const ADDRESS: u32 = 0x0b00_0001;

fn settled(records: usize) -> World {
    World::settled(records, Duration::from_millis(1), ADDRESS)
}

/// News that changes nothing.
fn coalesced(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("coalesced event");
    for records in RECORDS {
        let World { mut engine, now, .. } = settled(records);
        group.bench_function(BenchmarkId::from_parameter(records), |bencher| {
            bencher.iter_batched(
                || seen(now, ADDRESS),
                |event| black_box(engine.step(now, wall(now), event)),
                BatchSize::SmallInput,
            );
        });
    }
}

/// The address goes and its successor comes, a minute after the last time: the write begins with this step.
fn swap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("swap");
    group.sample_size(20).measurement_time(Duration::from_millis(200)).warm_up_time(Duration::from_millis(200));
    for records in RECORDS {
        let world = RefCell::new((settled(records), ADDRESS, None));
        group.bench_function(BenchmarkId::from_parameter(records), |bencher| {
            bencher.iter_batched(
                || {
                    let (world, address, effects) = &mut *world.borrow_mut();
                    world.carry_out(effects.take().unwrap_or_default());
                    world.run_for(Duration::from_secs(61));
                    assert!(world.all_hold(*address));
                    *address ^= 2;
                    (world.now, seen(world.now, *address))
                },
                |(now, event)| {
                    let (world, _, effects) = &mut *world.borrow_mut();
                    *effects = Some(world.engine.step(now, wall(now), event));
                },
                BatchSize::PerIteration,
            );
        });
    }
}

/// The timer fires and there is nothing to do.
fn tick(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tick with nothing due");
    for records in RECORDS {
        let World { mut engine, now, .. } = settled(records);
        group.bench_function(BenchmarkId::from_parameter(records), |bencher| {
            bencher.iter(|| black_box(engine.step(now, wall(now), Event::Tick)));
        });
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    coalesced(&mut criterion);
    swap(&mut criterion);
    tick(&mut criterion);
    criterion.final_summary();
}
