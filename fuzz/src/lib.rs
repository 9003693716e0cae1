//! What must hold for any octets from outside: one function for each way in.
//!
//! A fuzz target calls its function with what libFuzzer makes; `tests/replay.rs` calls it with the corpus.

mod discovery;
mod dynamic_update;
mod environment;
mod exchange;
mod kernel;
mod plug;
mod state;

pub use discovery::{announcement, echo, router, stun, whoami};
pub use dynamic_update::{dynamic_update, tsig_key};
pub use environment::environment;
pub use exchange::{cloudflare, dns};
pub use kernel::{netlink, ring_record, wireguard};
pub use plug::plug_answer;
pub use state::{saved_state, state_slots};
