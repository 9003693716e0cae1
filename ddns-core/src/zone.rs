//! Zones of a name server of one's own: what they shall hold, how that differs from what they hold, and their files.
//!
//! A [`desired::ZoneSpec`] and the [`desired::Claim`]s of resources become [`contents::Contents`]; [`plan::plan`] compares
//! those with what is served; [`render::render`] writes the zone file and [`import::import`] reads one back.

pub mod contents;
pub mod data;
pub mod desired;
pub mod import;
pub mod kind;
pub mod name;
pub mod plan;
pub mod render;
pub mod rrset;
pub mod selector;
pub mod serial;
pub mod soa;
pub mod text;

mod lexer;
