//! Arbitrary header fields of a client, which a trusted proxy adds to. The check lists the properties.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::proxies::check_forwarding_header;

fuzz_target!(|data: &[u8]| check_forwarding_header(data));
