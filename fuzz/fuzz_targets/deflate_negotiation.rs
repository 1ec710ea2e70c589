//! Offers and answers of permessage-deflate: see `tests/runner/negotiation.rs` for what must hold.
#![no_main]

#[path = "../../tests/runner/mod.rs"]
mod runner;

use libfuzzer_sys::fuzz_target;
use runner::negotiation::check_negotiation;

fuzz_target!(|data: &[u8]| check_negotiation(data));
