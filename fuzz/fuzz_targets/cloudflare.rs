//! Answers of Cloudflare's API.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ddns_fuzz::cloudflare(data));
