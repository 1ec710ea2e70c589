//! Arbitrary messages, compressed and received. `check_round_trip` lists the properties.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::deflate::check_round_trip;

fuzz_target!(|data: &[u8]| check_round_trip(data));
