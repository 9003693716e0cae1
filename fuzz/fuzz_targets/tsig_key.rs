//! The file of a TSIG key.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ddns_fuzz::tsig_key(data));
