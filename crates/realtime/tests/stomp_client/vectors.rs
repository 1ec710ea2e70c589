//! The conformance vectors of STOMP's client in `tests/vectors/stomp/client`, whose `README.md` describes the
//! format: each line by line, whole, byte by byte, and cut at every index.

use crate::script::{Cut, Vector, play, read_folder};
use std::collections::HashSet;

/// The number of vectors. Update it when you add some; a vector that is not read is noticed this way.
const VECTORS: usize = 119;

fn vectors() -> Vec<Vector> {
    read_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/stomp/client"))
}

#[test]
fn all_cuts_have_one_outcome() {
    let vectors = vectors();
    for vector in &vectors {
        for version in &vector.versions {
            for cut in [Cut::Lines, Cut::Whole, Cut::Bytes] {
                play(vector, *version, cut);
            }
            for at in 1..vector.input_len(*version) {
                play(vector, *version, Cut::At(at));
            }
        }
    }
    assert_eq!(vectors.len(), VECTORS, "update VECTORS if you added vectors");
}

/// Names identify vectors, so they are unique.
#[test]
fn names_are_unique() {
    let mut names = HashSet::new();
    for vector in vectors() {
        assert!(names.insert(vector.name.clone()), "{} is not the first", vector.title);
    }
}
