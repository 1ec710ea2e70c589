//! The vectors of SockJS, what holds for any sequence of requests, and what sessions hold.

mod memory;
mod properties;
mod script;

use sansocket_testkit::allocator::Counting;
use std::{fs, path::Path};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of vectors. Update it when you add some; a vector that is not read is noticed this way.
const VECTORS: usize = 100;

#[test]
fn vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sockjs");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_name().unwrap().to_string_lossy();
            count += script::run_file(&name, &fs::read_to_string(&path).unwrap());
        }
    }
    assert_eq!(count, VECTORS);
}
