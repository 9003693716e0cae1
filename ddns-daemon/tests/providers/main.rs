//! What the engine relies on of every provider, held against each of them with the service that it is for, or a double
//! of it, on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cloudflare;
mod cloudflare_list;
mod contract;
mod dyndns2;
mod rfc2136;
