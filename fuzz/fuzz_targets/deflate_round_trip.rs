//! Any messages, compressed and received: see `check_round_trip` for what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::deflate::check_round_trip;

fuzz_target!(|data: &[u8]| check_round_trip(data));
