//! Offers and responses of permessage-deflate. `check_negotiation` lists the properties.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_testkit::any_bytes::negotiation::check_negotiation;

fuzz_target!(|data: &[u8]| check_negotiation(data));
