//! Any bytes, received by a client during its opening handshake: see
//! `tests/runner/handshake/check.rs` for what must hold.
#![no_main]

#[path = "../../tests/runner/mod.rs"]
mod runner;

use libfuzzer_sys::fuzz_target;
use runner::handshake::check::check_client;

fuzz_target!(|data: &[u8]| check_client(data));
