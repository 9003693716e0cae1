//! Recovery inside the engine: what it owes the disk, what it keeps of it, and that DNS has nothing to do with it.

use std::time::Duration;

use ddns_core::engine::{Event, Transition};
use ddns_core::ports::PlugOrder;
use ddns_core::publish::State;
use ddns_core::readiness::Readiness;
use ddns_core::recovery::{RecoveryNews, RecoveryPhase, WhyNot};
use ddns_core::uptime::Cause;

use crate::bench::{Bench, Fails};
use crate::{NEW, OLD};

const MINUTE: Duration = Duration::from_secs(60);
const OFF: PlugOrder = PlugOrder::Off { back_on: Duration::from_secs(30) };
const ALLOWED: [(&str, &str); 2] = [("DDNS_RECORDS", "vpn.example.com:A"), ("DDNS_ALLOW_PHYSICAL_RECOVERY", "true")];

fn ready() -> Bench {
    let mut bench = Bench::with_plug(&ALLOWED);
    bench.addresses(&[OLD]);
    bench.run_for(MINUTE * 10);
    assert!(bench.status().ready());
    bench
}

fn power_goes(bench: &mut Bench) {
    bench.wan = false;
    for _ in 0..600 {
        bench.run_for(Duration::from_secs(1));
        if !bench.plug_on {
            return;
        }
    }
    panic!("{:?}", bench.status());
}

/// FAULTS 14, and the history of it: one outage, with its cause and its cure.
#[test]
fn a_dead_line_is_cycled_comes_back_and_is_one_outage() {
    let mut bench = ready();
    bench.wan = false;
    bench.run_for(MINUTE * 7);
    assert_eq!((bench.plug_on, bench.orders.iter().filter(|order| **order == OFF).count()), (true, 1));
    bench.wan = true;
    bench.run_for(MINUTE);
    assert!(bench.status().ready());
    let history = bench.history();
    let [outage] = &history.outages[..] else { panic!("{history:?}") };
    assert_eq!((outage.cause, outage.cycles, outage.until.is_some()), (Cause::WanDown, 1, true));
    assert!(bench.log.contains(&Transition::Recovery(RecoveryNews::Helped)));
    let saved = bench.saved.as_ref().unwrap();
    assert!(saved.recovery().intent().is_none());
    assert_eq!(saved.history().outages, history.outages);
}

/// Half a minute between two looks is long when the line may be back any moment.
#[test]
fn while_a_router_comes_back_the_way_is_looked_at_every_few_seconds() {
    let mut bench = ready();
    power_goes(&mut bench);
    bench.run_for(MINUTE);
    assert_eq!(bench.status().recovery.phase, RecoveryPhase::Settling);
    let probes = bench.probes;
    bench.run_for(MINUTE);
    assert!((11..=13).contains(&(bench.probes - probes)), "{}", bench.probes - probes);
    bench.run_for(MINUTE * 5);
    let probes = bench.probes;
    bench.run_for(MINUTE * 5);
    assert!(bench.probes - probes <= 14, "{}", bench.probes - probes);
}

/// The intent is on disk before power goes, however long the disk takes; a state that was on its way before tells
/// nothing of it.
#[test]
fn power_goes_only_after_the_disk_has_said_that_it_knows() {
    let mut bench = ready();
    bench.wan = false;
    bench.run_for(MINUTE * 3);
    bench.store_hangs = true;
    bench.addresses(&[NEW]);
    bench.run_for(MINUTE * 3);
    assert!(!bench.orders.contains(&OFF));
    bench.store_hangs = false;
    bench.save_ends();
    bench.run_for(MINUTE);
    assert!(bench.orders.contains(&OFF));
}

#[test]
fn without_a_disk_nothing_is_cycled_and_that_is_said() {
    let mut bench = ready();
    bench.store_fails = true;
    bench.wan = false;
    bench.run_for(MINUTE * 60);
    assert!(!bench.orders.contains(&OFF));
    assert!(matches!(bench.status().recovery.why_not, Some(WhyNot::NotDurable(_))), "{:?}", bench.status().recovery);
}

/// Never for a provider, DNS or the API alone.
#[test]
fn a_provider_that_fails_for_days_costs_no_power() {
    let mut bench = ready();
    let failures = [Fails::Unreachable, Fails::Unavailable(None), Fails::Unauthorized, Fails::Refused];
    for (fails, address) in failures.into_iter().zip([NEW, "11.0.0.4", "11.0.0.5", "11.0.0.6"]) {
        bench.fails = Some(fails);
        bench.addresses(&[address]);
        bench.run_for(MINUTE * 60 * 24);
        assert_ne!(bench.status().records[0].state, State::Rest);
    }
    assert!(bench.orders.iter().all(|order| *order == PlugOrder::Look));
    assert_eq!((bench.status().readiness, bench.status().recovery.why_not), (Readiness::Ready, None));
}

/// FAULTS 59.
#[test]
fn a_start_with_an_intent_switches_on_before_it_asks_for_anything_else() {
    let mut bench = ready();
    power_goes(&mut bench);
    assert_eq!(bench.status().recovery.phase, RecoveryPhase::Off);
    bench.orders.clear();
    let saved = bench.saved.clone();
    bench.restart(saved);
    assert!(bench.plug_on);
    assert_eq!(bench.orders, [PlugOrder::Look, PlugOrder::On]);
}

#[test]
fn a_shutdown_gives_power_back_and_rests_only_then() {
    let mut bench = ready();
    power_goes(&mut bench);
    bench.tell(Event::Shutdown);
    assert!(bench.plug_on);
    assert!(bench.saved.as_ref().is_some_and(|saved| saved.recovery().intent().is_none()));
}
