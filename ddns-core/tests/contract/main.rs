//! What the seeds promise of the core, point by point, at its public face: an engine that runs, with ports made of
//! memory, on tokio's paused clock. Where seeds contradict each other, the test shows our rule and an ADR says why.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod faults;
mod lifecycle;
mod ports;
mod records;
mod recovery;
mod stream;
mod traps;
mod world;

const OLD: &str = "11.0.0.1";
const NEW: &str = "11.0.0.2";
const LAST: &str = "11.0.0.9";
