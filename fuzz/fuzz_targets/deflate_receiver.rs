//! Any bytes, received as compressed messages: see `check_receiver` for what must hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::deflate::check_receiver;

fuzz_target!(|data: &[u8]| check_receiver(data));
