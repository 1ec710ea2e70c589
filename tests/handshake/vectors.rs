//! The vectors of `tests/vectors/handshake`, each whole, byte by byte and cut at every place.

use crate::{however_cut, written};
use sansocket::{buffer::WriteBuffer, handshake::HandshakeError};
use sansocket_testkit::vectors::handshake::{
    drive::{Outcome, compare, fields, outcome},
    format::{Vector, read_folder},
};
use std::path::Path;

/// The number of vectors. Update it when you add some; a vector that is not read is noticed this
/// way.
const VECTORS: usize = 410;

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

/// The errors that concern HTTP/1.1 alone, or fields in a form that an HTTP library never passes on.
const OF_HTTP_1: [&str; 12] = [
    "Malformed",
    "RequestLineTooLong",
    "HeadTooLong",
    "TooManyHeaders",
    "HttpVersion",
    "Method",
    "InvalidTarget",
    "MissingHeader",
    "NoUpgrade",
    "NoConnectionUpgrade",
    "InvalidKey",
    "InvalidHost",
];

/// What a request offers is checked in the same way on a stream of HTTP/2, and so is what a response
/// agrees on.
#[test]
fn vectors_of_http_1_have_their_outcome_on_a_stream() {
    let mut count = 0;
    for vector in vectors().into_iter().filter(|vector| !vector.is_stream && !vector.eof) {
        let refused = vector.error().map(|error| error.1.to_owned());
        let why = vector.why.clone().unwrap_or_default();
        let is_of_http_1 = refused.is_some_and(|name| {
            OF_HTTP_1.contains(&&*name)
                || ["TooManyInterimResponses", "WrongAccept", "Refused"].contains(&&*name)
                || name == "RepeatedHeader" && !why.contains("Sec-WebSocket-")
                || ["Accept", "Key"]
                    .iter()
                    .any(|name| why.contains(&format!("Sec-WebSocket-{name}")))
        });
        if is_of_http_1 || vector.end == "more" {
            continue;
        }
        let Some(stream) = on_stream(&vector) else { continue };
        let outcome = outcome(&stream, &mut [&*stream.input].into_iter());
        compare(&stream, &outcome).unwrap_or_else(|what| panic!("{}\n{what}", stream.title));
        count += 1;
    }
    assert!(count > 100, "{count}");
}

/// Returns a vector of HTTP/1.1 as one on a stream.
fn on_stream(vector: &Vector) -> Option<Vector> {
    let head = vector.input.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = &vector.input[..head];
    let start = head.windows(2).position(|bytes| bytes == b"\r\n")?;
    let line = std::str::from_utf8(&head[..start]).ok()?;
    let target = line.split(' ').nth(1)?;
    let mut lines = Vec::new();
    let mut put = |name: &str, value: &[u8]| {
        lines.extend([name.as_bytes(), b":", value, b"\r\n"].concat());
    };
    if vector.is_client {
        put(":status", b"200");
    } else {
        let target = target.strip_prefix("/").map(|_| target)?;
        put(":protocol", b"websocket");
        put(":scheme", b"https");
        put(":path", target.as_bytes());
    }
    for (name, value) in fields(&head[start + 2..]) {
        match &*name.to_ascii_lowercase() {
            "host" => put(":authority", value.trim_ascii()),
            "upgrade" | "connection" | "sec-websocket-key" | "sec-websocket-accept" => {}
            _ => put(name, value),
        }
    }
    let mut stream = vector.clone();
    stream.input = lines;
    stream.is_stream = true;
    stream.left.clear();
    stream.facts.retain(|(subject, what)| {
        subject != "header" || !what.to_ascii_lowercase().starts_with(b"host:")
    });
    Some(stream)
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
