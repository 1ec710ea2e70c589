//! Any bytes, received by a client during its opening handshake: see `check_client` for what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::handshake::check_client;

fuzz_target!(|data: &[u8]| check_client(data));
