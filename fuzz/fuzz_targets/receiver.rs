//! Any bytes, received in every way: see `tests/runner/check.rs` for what must hold.
#![no_main]

#[path = "../../tests/runner/mod.rs"]
mod runner;

use libfuzzer_sys::fuzz_target;
use runner::{check::check, scenario::Scenario};

fuzz_target!(|data: &[u8]| {
    if let Some(scenario) = Scenario::read(data) {
        check(&scenario);
    }
});
