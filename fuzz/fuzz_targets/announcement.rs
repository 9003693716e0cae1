//! A datagram to the group on which routers announce.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ddns_fuzz::announcement(data));
