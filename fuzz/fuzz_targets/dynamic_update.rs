//! A name server's answers to queries and updates.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ddns_fuzz::dynamic_update(data));
