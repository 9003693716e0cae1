//! The real ddnsd on a host of its own, in network namespaces with the real kernel, real TLS, a real BIND and a double
//! of Cloudflare's API. Needs root.

mod admin;
mod admin_api;
mod bad_lines;
mod behind_nat;
mod boot;
mod dyndns2;
mod faults;
mod groups;
mod hook;
mod lists;
mod main_job;
mod once;
mod proof;
mod recovery;
mod rfc2136;
mod sandbox;
mod scene;
mod secrets;
mod status;
mod store;
mod surroundings;
mod swaps;
mod telemetry;
mod wireguard;
