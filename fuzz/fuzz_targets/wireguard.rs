//! What a WireGuard implementation says of its peers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ddns_fuzz::wireguard(data));
