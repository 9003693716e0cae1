//! A small world on loopback for the demo and the black-box tests.
//!
//! [`World`] is two network namespaces joined by a veth pair: the `host`, where `ddnsd` runs, and the `internet`, where
//! [`Named`] (a real BIND 9) and [`CloudflareDouble`] (the Cloudflare API over real TLS) answer. Everything there also runs
//! on plain loopback, without namespaces and without root. [`NatWorld`] puts a router between the two, with [`Miniupnpd`] on
//! it, and [`Coturn`], [`Whoami`] and [`EchoServer`] beyond. Each part goes away when it is dropped.

pub mod certificates;
pub mod clock;
pub mod cloudflare;
pub mod coturn;
pub mod daemon;
pub mod dns_relay;
pub mod dynamic_update;
pub mod dyndns2;
pub mod echo;
pub mod knot;
pub mod miniupnpd;
pub mod named;
pub mod namespace;
pub mod nat_pmp;
pub mod nat_world;
pub mod plug;
mod process;
pub mod prometheus;
pub mod schema;
pub mod whoami;
pub mod wireguard;
pub mod world;

pub use certificates::{Authority, Identity};
pub use cloudflare::{CloudflareDouble, Exchange, Fault, Record, Scope};
pub use coturn::Coturn;
pub use daemon::Daemon;
pub use dns_relay::{DnsRelay, RelayFault};
pub use dyndns2::{DyndnsDouble, DyndnsFault};
pub use echo::{EchoMode, EchoServer};
pub use knot::Knot;
pub use miniupnpd::Miniupnpd;
pub use named::Named;
pub use namespace::{Namespace, require_root};
pub use nat_pmp::NatPmpDouble;
pub use nat_world::NatWorld;
pub use plug::{PlainPlug, Plug, PlugFault, PlugSetup, ShellyGen1, ShellyGen2, Tasmota};
pub use process::{ProcessHandle, Signal};
pub use prometheus::Prometheus;
pub use schema::Schema;
pub use whoami::Whoami;
pub use wireguard::WireGuardGo;
pub use world::World;
