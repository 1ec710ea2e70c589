//! Any bytes, received by a server during its opening handshake: see
//! `tests/runner/handshake/check.rs` for what must hold.
#![no_main]

#[path = "../../tests/runner/mod.rs"]
mod runner;

use libfuzzer_sys::fuzz_target;
use runner::handshake::check::check_server;

fuzz_target!(|data: &[u8]| check_server(data));
