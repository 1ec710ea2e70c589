//! Arbitrary queries of polls and event streams. The check lists the properties.
#![no_main]

#[path = "../../crates/realtime/tests/any_bytes/requests.rs"]
mod requests;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| requests::check_request(data));
