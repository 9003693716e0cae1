//! What holds for any input.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "properties/backoff.rs"]
mod backoff;
#[path = "properties/configuration.rs"]
mod configuration;
#[path = "properties/record_name.rs"]
mod record_name;
#[path = "properties/saved_state.rs"]
mod saved_state;
#[path = "properties/selection.rs"]
mod selection;
#[path = "properties/zone.rs"]
mod zone;

/// Failures are shown shrunken and kept as tests of their own, not as seeds.
fn cases() -> proptest::test_runner::Config {
    proptest::test_runner::Config { failure_persistence: None, max_global_rejects: 100_000, ..Default::default() }
}
