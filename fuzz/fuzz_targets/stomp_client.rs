//! A client of STOMP, whatever the server sends and the application does. `check_stomp_client` lists the
//! properties.
#![no_main]

#[path = "../../crates/realtime/tests/any_bytes/stomp_client.rs"]
mod any_bytes;

use any_bytes::check_stomp_client;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| check_stomp_client(data));
