//! Any bytes, received as compressed messages: see `tests/runner/deflate.rs` for what must hold.
#![no_main]

#[path = "../../tests/runner/mod.rs"]
mod runner;

use libfuzzer_sys::fuzz_target;
use runner::deflate::check_receiver;

fuzz_target!(|data: &[u8]| check_receiver(data));
