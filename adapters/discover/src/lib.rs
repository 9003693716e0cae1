//! Discovery from behind NAT: who outside sees this host with which address, and what the router itself says.
//!
//! A voter asks once and reports; whether its answer is believed, and whether it fits the family or is a bogon, is for the
//! caller to decide. **Every answer is hostile until it is parsed**: the parsers are pure, strict and take whole
//! datagrams or bodies of bounded size.

pub mod announcements;
mod big_endian;
mod datagram;
pub mod echo;
pub mod epoch;
mod quote;
mod random;
pub mod router;
pub mod stun;
pub mod whoami;

pub use announcements::{Announcement, Announcements};
pub use echo::EchoVoter;
pub use epoch::{Epoch, Judgement};
pub use router::{MapError, MapRequest, Mapping, Protocol, Router};
pub use stun::StunVoter;
pub use whoami::{WhoamiType, WhoamiVoter};
