//! Arbitrary bytes, received by a server during its opening handshake. `check_server` lists the
//! properties.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::handshake::check_server;

fuzz_target!(|data: &[u8]| check_server(data));
