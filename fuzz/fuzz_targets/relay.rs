//! Arbitrary bytes, passed on by a relay. The check lists the properties.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::relay::check_relay;

fuzz_target!(|data: &[u8]| check_relay(data));
