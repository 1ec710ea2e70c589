//! The vectors of SockJS, what holds for any sequence of requests, and what sessions hold.

mod memory;
mod properties;
mod script;

use sansocket_testkit::{allocator::Counting, vectors::format::files};
use std::path::Path;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of vectors. Update it when you add some; a vector that is not read is noticed this way.
const VECTORS: usize = 100;

#[test]
fn vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sockjs");
    let count: usize = files(&folder).iter().map(|file| script::run_file(file)).sum();
    assert_eq!(count, VECTORS);
}
