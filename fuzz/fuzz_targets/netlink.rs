//! A datagram of an rtnetlink dump.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ddns_fuzz::netlink(data));
