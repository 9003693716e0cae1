//! The domain logic of ddns: it decides, and opens nothing.
//!
//! An [`engine::Engine`] is told what happened and what time it is, and answers with what to save, what to do and what
//! has changed. A [`driver::DdnsEngine`] carries that out through the [`ports`]. Plug-ins register by name in a
//! [`registry::ProviderRegistry`], and [`config::Settings`] reads their variables and the common ones.

pub mod address;
pub mod backoff;
pub mod config;
pub mod convergence;
pub mod discovery;
pub mod driver;
pub mod engine;
pub mod list_upkeep;
pub mod memory_store;
pub mod ports;
pub mod publish;
pub mod readiness;
pub mod record;
pub mod recovery;
pub mod registry;
pub mod selection;
pub mod settle;
pub mod state;
pub mod suffix;
pub mod time;
pub mod uptime;
pub mod verified_change;
pub mod verify;
pub mod wireguard;
pub mod zone;

/// An error and what lies beneath it, in one line; control characters are made visible.
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut text = String::new();
    for part in chain.map(ToString::to_string) {
        if !text.ends_with(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
    }
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}
