//! The conformance vectors of `tests/vectors`, each at every cut and with every method of
//! receiving.
#![cfg(feature = "std")]

use sansocket_testkit::{
    cuts::cuts,
    vectors::{
        drive::{Way, outcome, run},
        format::{Ending, Step, Vector, read_folder},
    },
};
use std::path::Path;

/// The number of vectors. Update it when you add some; a vector that is not read is noticed this
/// way.
const VECTORS: usize = 1276 + if cfg!(feature = "deflate") { DEFLATE } else { 0 };
const DEFLATE: usize = 216;

/// Inputs of up to this many bytes are cut at every place.
const SMALL: usize = 512;

/// Longer inputs are cut at every place within this many bytes of their ends, and at a sample of
/// places in between.
const ENDS: usize = 64;
const SAMPLE: usize = 16;

/// Returns `true` if `SANSOCKET_VECTORS=sample` asks for a quick run, which cuts all input as if it
/// were longer.
fn is_sampled() -> bool {
    std::env::var("SANSOCKET_VECTORS").is_ok_and(|value| value == "sample")
}

fn vectors() -> Vec<Vector> {
    read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"))
}

fn input_len(vector: &Vector) -> usize {
    let len = |step: &Step| if let Step::Input(bytes) = step { bytes.len() } else { 0 };
    vector.steps.iter().map(len).sum()
}

/// The number of times that an input is cut in several places at once.
const UNEVEN: u8 = 16;

/// Lists all ways to cut a vector's input, each with a description.
fn cuttings(len: usize) -> Vec<(String, Vec<usize>)> {
    let mut cuttings =
        vec![("whole".to_owned(), Vec::new()), ("byte by byte".to_owned(), (1..len).collect())];
    let (small, ends, uneven) = if is_sampled() { (SAMPLE, 4, 2) } else { (SMALL, ENDS, UNEVEN) };
    let step = if len <= small { 1 } else { len / SAMPLE };
    let is_tried = |at: &usize| *at < ends || *at + ends >= len || *at % step == 0;
    cuttings.extend((1..len).filter(is_tried).map(|at| (format!("cut at {at}"), vec![at])));
    cuttings.extend((0..uneven).map(|seed| (format!("cut with seed {seed}"), cuts(seed, len))));
    cuttings
}

/// Runs every vector at every cut in one way, and checks that none is left out.
fn all_have_one_outcome(way: Way) {
    let vectors = vectors();
    let limited = vectors.iter().filter(|vector| vector.is_limited).count();
    let mut failures = Vec::new();
    let (mut count, mut runs) = (0, 0);
    for vector in &vectors {
        if way == Way::Chunks && vector.is_limited {
            continue;
        }
        count += 1;
        for (name, cuts) in cuttings(input_len(vector)) {
            runs += 1;
            if let Err(what) = run(vector, &cuts, way) {
                failures.push(format!("{}\n{name}: {what}", vector.title));
                break;
            }
        }
    }
    println!("{way:?}: {count} of {} vectors, {runs} runs", vectors.len());
    let failed = failures.len();
    failures.truncate(30);
    assert!(failed == 0, "{failed} failures:\n\n{}", failures.join("\n\n"));
    assert_eq!(vectors.len(), VECTORS, "update VECTORS if you added vectors");
    assert_eq!(count, if way == Way::Chunks { VECTORS - limited } else { VECTORS });
}

#[test]
fn borrowed_messages() {
    all_have_one_outcome(Way::Borrowed);
}

#[test]
fn owned_messages() {
    all_have_one_outcome(Way::Owned);
}

#[test]
fn joined_chunks() {
    all_have_one_outcome(Way::Chunks);
}

#[test]
fn split_halves() {
    all_have_one_outcome(Way::Halves);
}

/// A vector marked `prompt` fails on the last byte and not before.
#[test]
fn prompt_failures_need_the_last_byte() {
    let mut count = 0;
    for mut vector in vectors().into_iter().filter(|vector| vector.is_prompt) {
        assert!(matches!(vector.end, Ending::Failed(_)), "{}: not a failure", vector.title);
        let Some(Step::Input(bytes)) = vector.steps.last_mut() else {
            panic!("{}: input is not last", vector.title)
        };
        bytes.pop();
        let outcome = outcome(&vector, &[], Way::Borrowed).unwrap();
        assert!(!matches!(outcome.end, Ending::Failed(_)), "{}: failed too early", vector.title);
        count += 1;
    }
    assert!(count > 0);
}

/// Names identify vectors, so they are unique.
#[test]
fn names_are_unique() {
    let mut names: Vec<_> = vectors().into_iter().map(|vector| vector.title).collect();
    let name = |title: &String| title.split_once(' ').unwrap().1.to_owned();
    names = names.iter().map(name).collect();
    names.sort();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
