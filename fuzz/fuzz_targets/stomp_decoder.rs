//! Arbitrary bytes, received by a decoder of STOMP. `check_stomp` lists the properties.
#![no_main]

#[path = "../../crates/realtime/tests/any_bytes/stomp.rs"]
mod any_bytes;

use any_bytes::check_stomp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check_stomp(data));
