//! Answers of a smart plug.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ddns_fuzz::plug_answer(data));
