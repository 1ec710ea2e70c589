//! Arbitrary bytes, received by a client of Server-Sent Events. The check lists the properties.
#![no_main]

#[path = "../../crates/realtime/tests/any_bytes/sse.rs"]
mod sse;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| sse::check_stream(data));
