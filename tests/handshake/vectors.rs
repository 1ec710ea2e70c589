//! The vectors of `tests/vectors/handshake`, each whole, byte by byte and cut at every place.

use crate::{however_cut, written};
use sansocket::{buffer::WriteBuffer, handshake::HandshakeError};
use sansocket_testkit::vectors::handshake::{
    drive::{Outcome, compare, outcome},
    format::{Vector, read_folder},
};
use std::path::Path;

/// The number of vectors. Update it when you add some; a vector that is not read is noticed this
/// way.
const VECTORS: usize = 374;

pub(crate) fn vectors() -> Vec<Vector> {
    read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/handshake"))
}

#[test]
fn every_vector_has_its_outcome_at_every_cut() {
    let mut failures = Vec::new();
    let vectors = vectors();
    for vector in &vectors {
        println!("{}", vector.title);
        let outcome = however_cut(&vector.input, |pieces| outcome(vector, pieces));
        if let Err(what) = compare(vector, &outcome) {
            failures.push(format!("{}\n{what}", vector.title));
        }
        if outcome.end.starts_with("refused") {
            answers(&outcome);
        }
    }
    let failed = failures.len();
    failures.truncate(30);
    assert!(failed == 0, "{failed} failures:\n\n{}", failures.join("\n\n"));
    assert_eq!(vectors.len(), VECTORS, "update VECTORS if you added vectors");
}

/// Checks the response to an error: a head that ends the connection, and one line of text.
#[track_caller]
fn answers(outcome: &Outcome) {
    let error = outcome.error.as_ref().expect("an error");
    let mut output = WriteBuffer::new();
    error.response().write(&mut output).expect("the answer is well formed");
    let answer = written(&output);
    let (head, body) = answer.split_once("\r\n\r\n").expect("the head ends");
    let line = |name: &str| {
        let mut values =
            head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let value = values.next();
        assert_eq!(values.next(), None, "{name} occurs once");
        value
    };
    let status = error.status();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    let is_head = *error == HandshakeError::Method("HEAD".into());
    if is_head {
        assert_eq!((line("Content-Length"), line("Content-Type"), body), (None, None, ""));
    } else {
        assert_eq!(line("Content-Length"), Some(&*body.len().to_string()));
        assert_eq!(line("Content-Type"), Some("text/plain; charset=utf-8"));
        assert_eq!(body, format!("{error}\n"));
        assert_eq!(body.lines().count(), 1);
    }
    let is_upgrade = status == 426;
    assert_eq!(line("Upgrade"), is_upgrade.then_some("websocket"));
    assert_eq!(line("Connection"), Some(if is_upgrade { "Upgrade, close" } else { "close" }));
    assert_eq!(line("Sec-WebSocket-Version"), is_upgrade.then_some("13"));
    assert_eq!(line("Allow"), (status == 405).then_some("GET"));
}

/// A vector marked `prompt` fails on the last byte and not before.
#[test]
fn prompt_failures_need_the_last_byte() {
    let mut count = 0;
    for mut vector in vectors().into_iter().filter(|vector| vector.is_prompt) {
        vector.input.pop();
        assert!(!vector.eof && vector.error().is_some(), "{}", vector.title);
        let outcome = outcome(&vector, &mut [&*vector.input].into_iter());
        assert_eq!(outcome.end, "more", "{}", vector.title);
        count += 1;
    }
    assert!(count > 0);
}

/// Names identify vectors, so they are unique.
#[test]
fn names_are_unique() {
    let vectors = vectors();
    let mut names: Vec<_> = vectors.iter().map(Vector::name).collect();
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
