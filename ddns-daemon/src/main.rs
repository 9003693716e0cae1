//! ddnsd: wiring, telemetry, admin socket, signals.
fn main() {}
