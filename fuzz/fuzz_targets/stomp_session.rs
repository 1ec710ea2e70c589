//! Arbitrary bytes, received by a session of STOMP in front of a hub. `check_session` lists the
//! properties.
#![no_main]

#[path = "../../crates/realtime/tests/any_bytes/stomp_session.rs"]
mod any_bytes;

use any_bytes::check_session;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check_session(data));
