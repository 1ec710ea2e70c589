//! Reads the vector files of opening handshakes.

use crate::vectors::{
    format::{each_line, files},
    words::Words,
};
use sansocket::{Limits, OriginPolicy};
use std::path::Path;

/// The headers for which `headers` stands.
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

/// One end of a handshake, what comes, and what is to come of that.
#[derive(Clone, Debug)]
pub struct Vector {
    /// File, line and name: to be found by.
    pub title: String,
    /// Whether the end under test is a client.
    pub is_client: bool,
    /// What it may receive.
    pub limits: Limits,
    /// Which origins a server allows.
    pub origin: OriginPolicy,
    /// What a client offers.
    pub subprotocols: Vec<String>,
    /// What a client offers.
    pub extensions: Vec<String>,
    /// What comes.
    pub input: Vec<u8>,
    /// Whether the transport ends behind it.
    pub eof: bool,
    /// Whether it fails on the last byte and not before.
    pub is_prompt: bool,
    /// What is to be said of the outcome: a subject and what it is.
    pub facts: Vec<(String, Vec<u8>)>,
    /// The bytes that are to be left behind the head.
    pub left: Vec<u8>,
    /// What the error is to say.
    pub why: Option<String>,
    /// The outcome, as it stands behind `end`.
    pub end: String,
}

impl Vector {
    /// The name alone.
    pub fn name(&self) -> &str {
        self.title.split_once(' ').expect("a place and a name").1
    }

    /// The status and the name of the error with which it ends, if it does.
    pub fn error(&self) -> Option<(Option<u16>, &str)> {
        match *self.end.split(' ').collect::<Vec<_>>() {
            ["refused", status, name] => Some((Some(status.parse().expect("a status")), name)),
            ["failed", name] => Some((None, name)),
            ["answered", ..] => Some((None, "Refused")),
            _ => None,
        }
    }
}

/// Every vector of every file in the folder, files in the order of their names.
pub fn read_folder(folder: &Path) -> Vec<Vector> {
    let mut vectors = Vec::new();
    for file in files(folder) {
        let mut draft: Option<Vector> = None;
        each_line(&file, |place, line| {
            if let Some(name) = line.strip_prefix("# ") {
                assert!(draft.is_none(), "{place}: the vector before has no end");
                draft = Some(empty(format!("{place} {name}")));
                return;
            }
            let Some(vector) = &mut draft else { panic!("{place}: no vector has begun") };
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
                assert!(words.rest.split(' ').all(is_section), "{place}: not a section");
            }
            "role" => {
                self.is_client = match words.rest {
                    "server" => false,
                    "client" => true,
                    other => panic!("{place}: no role {other}"),
                };
            }
            "limit" => match words.word() {
                "line" => self.limits.handshake_line = words.number(),
                "bytes" => self.limits.handshake_bytes = words.number(),
                "headers" => self.limits.handshake_headers = words.number(),
                other => panic!("{place}: no limit {other}"),
            },
            "origin" => {
                self.origin = match words.word() {
                    "same" => OriginPolicy::same_origin(),
                    "any" => OriginPolicy::any(),
                    "allow" => OriginPolicy::allow(words.rest.split(' ')).expect("origins"),
                    other => panic!("{place}: no policy {other}"),
                };
            }
            "offer" => match words.word() {
                "subprotocol" => self.subprotocols.push(words.rest.into()),
                "extension" => self.extensions.push(words.rest.into()),
                other => panic!("{place}: no offer {other}"),
            },
            "prompt" => self.is_prompt = true,
            "in" => self.input.extend(words.bytes()),
            "line" => self.line(words.rest),
            "headers" => {
                let all: &[&str] =
                    if self.is_client { &RESPONSE_HEADERS } else { &REQUEST_HEADERS };
                let except = words.rest.strip_prefix("except ").unwrap_or_default();
                for header in all {
                    let name = header.split(':').next().expect("a name");
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
            other => panic!("{place}: no keyword {other}"),
        }
    }

    fn line(&mut self, text: &str) {
        assert!(!self.eof, "{}: nothing comes after the end", self.title);
        self.input.extend_from_slice(text.as_bytes());
        self.input.extend_from_slice(b"\r\n");
    }
}
