//! Any messages, compressed and received: see `tests/runner/deflate.rs` for what must hold.
#![no_main]

#[path = "../../tests/runner/mod.rs"]
mod runner;

use libfuzzer_sys::fuzz_target;
use runner::deflate::check_round_trip;

fuzz_target!(|data: &[u8]| check_round_trip(data));
