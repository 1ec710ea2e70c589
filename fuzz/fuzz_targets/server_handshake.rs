//! Any bytes, received by a server during its opening handshake: see `check_server` for what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::handshake::check_server;

fuzz_target!(|data: &[u8]| check_server(data));
