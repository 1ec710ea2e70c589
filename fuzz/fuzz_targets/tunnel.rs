//! Arbitrary bytes, received by a client that opens a tunnel through a proxy. The check lists the properties.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::proxies::check_tunnel;

fuzz_target!(|data: &[u8]| check_tunnel(data));
