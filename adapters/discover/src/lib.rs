//! Discovery from behind NAT: who outside sees this host with which address, and what the router itself says.
//!
//! A voter asks once and reports; whether its answer is believed, and whether it fits the family or is a bogon, is for the
//! caller to decide. **Every answer is hostile until it is parsed**: the parsers are pure, strict and take whole
//! datagrams or bodies of bounded size.

pub mod announcements;
mod big_endian;
mod datagram;
pub mod echo;
mod factory;
mod quote;
mod random;
pub mod router;
mod source;
pub mod stun;
mod voter_spec;
pub mod whoami;

pub use announcements::{Announcement, Announcements};
pub use echo::EchoVoter;
pub use factory::{DISCOVER_QUORUM, DISCOVER_SOURCES, DiscoverFactory, HttpPollFactory};
pub use router::{MapError, Mapping, Router};
pub use source::{DiscoverSource, Sight};
pub use stun::StunVoter;
pub use whoami::{WhoamiType, WhoamiVoter};
