//! Arbitrary bytes, received as compressed messages. `check_receiver` lists the properties.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::deflate::check_receiver;

fuzz_target!(|data: &[u8]| check_receiver(data));
