//! Arbitrary bytes, received by a server behind a proxy that sends the PROXY protocol. The check lists the properties.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::proxies::check_proxy_header;

fuzz_target!(|data: &[u8]| check_proxy_header(data));
