//! Reads the vector files of opening handshakes.

use crate::vectors::{
    format::{each_line, files},
    words::Words,
};
use sansocket::{Limits, server::OriginPolicy};
use std::path::Path;

/// The headers that the keyword `headers` stands for.
const REQUEST_HEADERS: [&str; 5] = [
    "Host: h",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];
const RESPONSE_HEADERS: [&str; 3] = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];
const CONNECT_FIELDS: [&str; 5] = [
    ":protocol: websocket",
    ":scheme: https",
    ":authority: h",
    ":path: /",
    "sec-websocket-version: 13",
];
const CONNECT_RESPONSE_FIELDS: [&str; 1] = [":status: 200"];

/// One endpoint of a handshake, what arrives, and the expected outcome.
#[derive(Clone, Debug)]
pub struct Vector {
    /// The file, the line and the name.
    pub title: String,
    /// Whether the endpoint under test is a client.
    pub is_client: bool,
    /// Whether the handshake is an extended CONNECT. The input then has a line for each field, in
    /// place of the fields of HTTP/2.
    pub is_stream: bool,
    /// The limits of what it receives.
    pub limits: Limits,
    /// The origins that a server allows.
    pub origin: OriginPolicy,
    /// The subprotocols that a client offers.
    pub subprotocols: Vec<String>,
    /// The extensions that a client offers.
    pub extensions: Vec<String>,
    /// The bytes that arrive.
    pub input: Vec<u8>,
    /// Whether the transport ends after the input.
    pub eof: bool,
    /// Whether it must fail on the last byte and not before.
    pub is_prompt: bool,
    /// The expected facts, as pairs of subject and value.
    pub facts: Vec<(String, Vec<u8>)>,
    /// The bytes expected to be left after the head.
    pub left: Vec<u8>,
    /// The expected text of the error.
    pub why: Option<String>,
    /// The outcome, as stated after `end`.
    pub end: String,
}

impl Vector {
    /// Returns the name alone.
    pub fn name(&self) -> &str {
        self.title.split_once(' ').expect("a place and a name").1
    }

    /// Returns the status and the name of the expected error, if any.
    pub fn error(&self) -> Option<(Option<u16>, &str)> {
        match *self.end.split(' ').collect::<Vec<_>>() {
            ["refused", status, name] => Some((Some(status.parse().expect("a status")), name)),
            ["failed", name] => Some((None, name)),
            ["answered", ..] => Some((None, "Refused")),
            _ => None,
        }
    }
}

/// Reads all vectors in a folder, files in order of their names.
pub fn read_folder(folder: &Path) -> Vec<Vector> {
    let mut vectors = Vec::new();
    for file in files(folder) {
        let mut draft: Option<Vector> = None;
        each_line(&file, |place, line| {
            if let Some(name) = line.strip_prefix("# ") {
                assert!(draft.is_none(), "{place}: the previous vector has no end");
                draft = Some(empty(format!("{place} {name}")));
                return;
            }
            let Some(vector) = &mut draft else { panic!("{place}: outside of a vector") };
            vector.read(line, place);
            if !vector.end.is_empty() {
                vectors.extend(draft.take());
            }
        });
        assert!(draft.is_none(), "{}: the last vector has no end", file.display());
    }
    vectors
}

fn empty(title: String) -> Vector {
    Vector {
        title,
        is_client: false,
        is_stream: false,
        limits: Limits::default(),
        origin: OriginPolicy::default(),
        subprotocols: Vec::new(),
        extensions: Vec::new(),
        input: Vec::new(),
        eof: false,
        is_prompt: false,
        facts: Vec::new(),
        left: Vec::new(),
        why: None,
        end: String::new(),
    }
}

impl Vector {
    fn read(&mut self, line: &str, place: &str) {
        let mut words = Words { rest: line, place };
        match words.word() {
            "section" => {
                let is_section = |word: &str| word.contains('§');
                assert!(words.rest.split(' ').all(is_section), "{place}: not an RFC section");
            }
            "role" => {
                self.is_client = match words.rest {
                    "server" => false,
                    "client" => true,
                    other => panic!("{place}: unknown role {other}"),
                };
            }
            "stream" => self.is_stream = true,
            "limit" => match words.word() {
                "line" => self.limits.handshake_line = words.number(),
                "bytes" => self.limits.handshake_bytes = words.number(),
                "headers" => self.limits.handshake_headers = words.number(),
                other => panic!("{place}: unknown limit {other}"),
            },
            "origin" => {
                self.origin = match words.word() {
                    "same" => OriginPolicy::same_origin(),
                    "any" => OriginPolicy::any(),
                    "allow" => OriginPolicy::allow(words.rest.split(' ')).expect("origins"),
                    other => panic!("{place}: unknown policy {other}"),
                };
            }
            "offer" => match words.word() {
                "subprotocol" => self.subprotocols.push(words.rest.into()),
                "extension" => self.extensions.push(words.rest.into()),
                other => panic!("{place}: unknown offer {other}"),
            },
            "prompt" => self.is_prompt = true,
            "in" => self.input.extend(words.bytes()),
            "line" => self.line(words.rest),
            "headers" => {
                let all: &[&str] = match (self.is_stream, self.is_client) {
                    (false, false) => &REQUEST_HEADERS,
                    (false, true) => &RESPONSE_HEADERS,
                    (true, false) => &CONNECT_FIELDS,
                    (true, true) => &CONNECT_RESPONSE_FIELDS,
                };
                let except = words.rest.strip_prefix("except ").unwrap_or_default();
                for header in all {
                    let name = header.split(": ").next().expect("a name");
                    if !except.split(' ').any(|except| except == name) {
                        self.line(header);
                    }
                }
            }
            "do" if words.rest == "eof" => self.eof = true,
            "is" => {
                let subject = words.word().to_owned();
                let what = match &*subject {
                    "body" => words.bytes(),
                    _ => words.rest.into(),
                };
                self.facts.push((subject, what));
            }
            "left" => self.left = words.bytes(),
            "why" => self.why = Some(words.rest.into()),
            "end" => self.end = words.rest.into(),
            other => panic!("{place}: unknown keyword {other}"),
        }
    }

    fn line(&mut self, text: &str) {
        assert!(!self.eof, "{}: input after the end of the transport", self.title);
        self.input.extend_from_slice(text.as_bytes());
        self.input.extend_from_slice(b"\r\n");
    }
}
