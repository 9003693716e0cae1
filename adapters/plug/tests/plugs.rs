//! The adapter against doubles of all kinds of plugs, over HTTP on loopback.

mod plugs {
    pub mod bench;
    mod configuration;
    mod contract;
    mod faults;
    mod kept;
}
