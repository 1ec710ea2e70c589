//! Arbitrary bytes, received by a client during its opening handshake. `check_client` lists the
//! properties.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::handshake::check_client;

fuzz_target!(|data: &[u8]| check_client(data));
