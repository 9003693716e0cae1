//! The engine against a small model of the world: every action is answered at once, time moves from deadline to
//! deadline.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bench;
mod discovery;
mod drift;
mod failures;
mod groups;
mod kinds;
mod proof;
mod publish;
mod recovery;
mod status;
mod surroundings;
mod unreadable;

use std::time::Duration;

use bench::Bench;

const OLD: &str = "11.0.0.1";
const NEW: &str = "11.0.0.2";
const THIRD: &str = "11.0.0.3";

/// A host that has held OLD for an hour, published, verified and ready.
fn settled() -> Bench {
    let mut bench = Bench::new(&[("DDNS_RECORDS", "vpn.example.com:A")]);
    bench.addresses(&[OLD]);
    bench.run_for(Duration::from_secs(3600));
    assert!(bench.status().ready(), "{:?}", bench.status());
    assert_eq!(bench.writes(), [OLD]);
    bench
}
