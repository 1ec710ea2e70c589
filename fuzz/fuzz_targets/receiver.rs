//! Arbitrary bytes, received with every method. `check_bytes` lists the properties.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::messages::check_bytes;

fuzz_target!(|data: &[u8]| check_bytes(data));
