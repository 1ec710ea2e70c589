//! The conformance vectors of `tests/vectors/stomp`, whose `README.md` describes the format: each whole,
//! byte by byte, and cut at every index.

use crate::any_bytes::check_stomp;
use crate::script::{End, Outcome, Seen, Sending, Vector, name_of, read_folder};
use sansocket_realtime::stomp::{Decoder, Encoder, Version};
use sansocket_testkit::cuts::cuts;
use std::{collections::HashSet, fs, path::Path};

/// The number of vectors. Update it when you add some; a vector that is not read is noticed this way.
const VECTORS: usize = 277;

fn vectors() -> Vec<Vector> {
    read_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/stomp"))
}

/// Receives the input of a vector, cut at these places.
fn receive(vector: &Vector, version: Version, input: &[u8], cuts: &[usize]) -> Outcome {
    let mut decoder = vector.decoder(version);
    let mut frames = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([input.len()]) {
        let mut piece = &input[start..end];
        start = end;
        loop {
            match decoder.decode(&mut piece) {
                Ok(Some(frame)) => frames.push(Seen::from(frame)),
                Ok(None) => break,
                Err(error) => {
                    let again = decoder.decode(&mut &b"\n"[..]).err();
                    assert_eq!(again, Some(error), "{}: a second call", vector.title);
                    return Outcome {
                        frames,
                        beats: decoder.heart_beats(),
                        end: End::Failed(name_of(error)),
                    };
                }
            }
            for (_, version) in vector.agreements.iter().filter(|(after, _)| *after == frames.len())
            {
                decoder.set_version(*version);
            }
        }
        assert!(piece.is_empty(), "{}: input is left", vector.title);
        assert_idle(vector, &decoder);
    }
    let end = if decoder.is_mid_frame() { End::More } else { End::Open };
    Outcome { frames, beats: decoder.heart_beats(), end }
}

fn assert_idle(vector: &Vector, decoder: &Decoder) {
    let is_idle = decoder.memory() == 0;
    assert_eq!(is_idle, !decoder.is_mid_frame(), "{}: {decoder:?}", vector.title);
}

fn assert_outcome(vector: &Vector, version: Version, cuts: &[usize]) {
    let outcome = receive(vector, version, &vector.input, cuts);
    let beats = vector.beats.unwrap_or(outcome.beats);
    let expected = Outcome { frames: vector.frames.clone(), beats, end: vector.end.clone() };
    assert_eq!(outcome, expected, "{} in {version}, cut at {cuts:?}", vector.title);
}

#[test]
fn all_cuts_have_one_outcome() {
    let vectors = vectors();
    for vector in &vectors {
        let len = vector.input.len();
        for version in &vector.versions {
            assert_outcome(vector, *version, &[]);
            assert_outcome(vector, *version, &(1..len).collect::<Vec<_>>());
            for at in 1..len {
                assert_outcome(vector, *version, &[at]);
            }
            for seed in 0..8 {
                assert_outcome(vector, *version, &cuts(seed, len));
            }
        }
    }
    assert_eq!(vectors.len(), VECTORS, "update VECTORS if you added vectors");
}

/// By each line of the script, what the lines so far expect has been received.
#[test]
fn frames_are_received_with_their_last_byte() {
    for vector in vectors() {
        for version in &vector.versions {
            for (len, frames) in &vector.checks {
                let outcome = receive(&vector, *version, &vector.input[..*len], &[]);
                assert_eq!(
                    outcome.frames,
                    vector.frames[..*frames],
                    "{} after {len}",
                    vector.title
                );
            }
        }
    }
}

#[test]
fn prompt_failures_need_the_last_byte() {
    let mut count = 0;
    for vector in vectors().iter().filter(|vector| vector.is_prompt) {
        assert!(matches!(vector.end, End::Failed(_)), "{}: not a failure", vector.title);
        for version in &vector.versions {
            let (_, input) = vector.input.split_last().unwrap();
            let outcome = receive(vector, *version, input, &[]);
            assert!(!matches!(outcome.end, End::Failed(_)), "{}: failed too early", vector.title);
        }
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn frames_are_sent_as_expected() {
    for vector in vectors() {
        for version in &vector.versions {
            let mut out = Vec::new();
            for Sending { frame, is_refused } in &vector.sends {
                let encoder = Encoder::new(*version);
                let before = out.len();
                let sent = encoder.encode(
                    frame.command,
                    frame.headers.iter().cloned(),
                    &frame.body,
                    &mut out,
                );
                assert_eq!(sent.is_err(), *is_refused, "{} in {version}: {sent:?}", vector.title);
                assert_eq!(sent.is_err(), out.len() == before, "{}: not whole", vector.title);
            }
            let [out, expected] =
                [&out, &vector.output].map(|bytes| String::from_utf8_lossy(bytes));
            assert_eq!(out, expected, "{} in {version}", vector.title);
        }
    }
}

/// What was received can be sent on: the frames have the same headers and body.
#[test]
fn received_frames_can_be_sent_on() {
    for vector in vectors().into_iter().filter(|vector| vector.agreements.is_empty()) {
        for version in &vector.versions {
            let mut out = Vec::new();
            for frame in &vector.frames {
                let headers = frame.headers.iter().cloned();
                Encoder::new(*version)
                    .encode(frame.command, headers, &frame.body, &mut out)
                    .unwrap();
            }
            let receiver = vector.without_limits();
            let received = receive(&receiver, *version, &out, &[]).frames;
            let plain =
                |frames: &[Seen]| frames.iter().map(Seen::without_length).collect::<Vec<_>>();
            assert_eq!(plain(&received), plain(&vector.frames), "{} in {version}", vector.title);
        }
    }
}

/// The input of each vector has the properties that the fuzz target checks. If `SANSOCKET_SEEDS` is set,
/// it names a folder for the seeds of all targets.
#[test]
fn vectors_are_seeds_of_the_fuzz_target() {
    let seeds = std::env::var_os("SANSOCKET_SEEDS").map(|seeds| {
        let folder = Path::new(&seeds).join("stomp_decoder");
        fs::create_dir_all(&folder).unwrap();
        folder
    });
    for (index, vector) in vectors().iter().enumerate() {
        for choice in vector.choices() {
            let data = [&[choice, 1][..], &vector.input].concat();
            check_stomp(&data);
            if let Some(seeds) = &seeds {
                fs::write(seeds.join(format!("vector-{index:04}-{choice}")), &data).unwrap();
            }
        }
    }
}

/// Names identify vectors, so they are unique.
#[test]
fn names_are_unique() {
    let mut names = HashSet::new();
    for vector in vectors() {
        assert!(names.insert(vector.name.clone()), "{} is not the first", vector.title);
    }
}
