//! The way out: TCP, TLS, HTTP and DNS with time-outs and size limits.
//!
//! **A transport is bound to one origin.** It follows no redirect and knows no other host. Connections are kept only
//! while a run of exchanges is under way, and end when the host loses the address they come from.

mod connection;
mod dial;
mod dns;
mod dns_udp;
mod probe;
mod stack;
mod tls;
mod transport;

pub use dns::TcpDns;
pub use dns_udp::UdpDns;
pub use probe::WanProbe;
pub use stack::HttpStack;
pub use tls::{TrustError, trust};
pub use transport::{HyperTransport, Limits};
