//! Reads the vectors of a server's STOMP session, and says what a session does in the words of these
//! vectors.

mod effect;
mod seen;

pub(crate) use seen::{describe_command, describe_frame};

use effect::read_effect;
use sansocket::CloseCode;
use sansocket_realtime::{
    hub::Effect,
    stomp::{Command, Encoder, Version, header::HeartBeat, server::Config},
};
use sansocket_testkit::vectors::{scripts::read_scripts, words::Words};
use std::{path::Path, time::Duration};

/// A session, what happens to it, and what it does.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    /// The file, the line and the name.
    pub(crate) title: String,
    pub(crate) name: String,
    sections: usize,
    pub(crate) versions: Vec<Version>,
    pub(crate) config: Config,
    /// The user who was authenticated before the session.
    pub(crate) user: Option<String>,
    /// Whether the client connects before the first step.
    pub(crate) is_connected: bool,
    pub(crate) steps: Vec<(Step, Expected)>,
    pub(crate) error: Option<String>,
    pub(crate) has_ended: bool,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Bytes of the client, in which frames are encoded by the version of the session.
    Input(Vec<Input>),
    Accept(Option<String>),
    Refuse(CloseCode, String),
    End(CloseCode, String),
    TransportEnds,
    Effect(Effect),
    Time(Duration),
}

#[derive(Clone, Debug)]
pub(crate) enum Input {
    Bytes(Vec<u8>),
    Frame(Command, Vec<(String, String)>, Vec<u8>),
}

/// What the session does by the next step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) events: Vec<String>,
    pub(crate) output: Vec<String>,
    /// The next deadline in milliseconds, if it matters.
    pub(crate) deadline: Option<Option<u64>>,
}

impl Step {
    /// Returns the bytes of the client.
    pub(crate) fn input(&self, version: Version) -> Vec<u8> {
        let Self::Input(inputs) = self else { return Vec::new() };
        let mut bytes = Vec::new();
        for input in inputs {
            match input {
                Input::Bytes(more) => bytes.extend(more),
                Input::Frame(command, headers, body) => {
                    let headers = headers.iter().cloned();
                    Encoder::new(version).encode(*command, headers, body, &mut bytes).unwrap();
                }
            }
        }
        bytes
    }
}

impl Vector {
    fn new(place: &str, name: &str) -> Self {
        Self {
            title: format!("{place} {name}"),
            name: name.to_owned(),
            sections: 0,
            versions: Version::ALL.to_vec(),
            config: Config::default().heart_beat(HeartBeat::default()).server(""),
            user: None,
            is_connected: false,
            steps: Vec::new(),
            error: None,
            has_ended: false,
        }
    }

    /// Reads a line, and returns whether it is the last one.
    fn read(&mut self, words: &mut Words<'_>) -> bool {
        let place = words.place;
        match words.word() {
            "section" => {
                let (version, title) = words.rest.split_once('§').expect(place);
                assert!(version.parse::<Version>().is_ok() && !title.is_empty(), "{place}");
                self.sections += 1;
            }
            "version" => {
                let versions = words.rest.split(' ').map(|text| text.parse().expect(place));
                self.versions = versions.collect();
            }
            "config" => self.read_config(words),
            "user" => self.user = Some(words.word().to_owned()),
            "connected" => self.is_connected = true,
            "in" => self.add_input(Input::Bytes(words.bytes())),
            "client" => {
                let command = Command::from_name(words.word()).expect(place);
                let (headers, body) = read_message(words.rest, place);
                self.add_input(Input::Frame(command, headers, body));
            }
            "do" => {
                let step = match words.word() {
                    "accept" if words.rest.is_empty() => Step::Accept(None),
                    "accept" => Step::Accept(Some(words.rest.replace("\\n", "\n"))),
                    "refuse" => Step::Refuse(CloseCode::new(words.number()), words.rest.to_owned()),
                    "end" => Step::End(CloseCode::new(words.number()), words.rest.to_owned()),
                    "eof" => Step::TransportEnds,
                    other => panic!("{place}: unknown action {other}"),
                };
                self.add(step);
            }
            "effect" => self.add(Step::Effect(read_effect(words))),
            "time" => self.add(Step::Time(Duration::from_millis(words.number()))),
            keyword @ ("connect" | "hub" | "operation") => {
                let line = format!("{keyword} {}", words.rest);
                self.expected(place).events.push(line.trim_end().to_owned());
            }
            keyword @ ("server" | "close") => {
                let line = format!("{keyword} {}", words.rest);
                self.expected(place).output.push(line);
            }
            "deadline" => {
                let deadline = if words.rest == "none" { None } else { Some(words.number()) };
                self.expected(place).deadline = Some(deadline);
            }
            "why" => self.error = Some(words.rest.to_owned()),
            "end" => {
                self.has_ended = match words.word() {
                    "open" => false,
                    "ended" => true,
                    other => panic!("{place}: unknown end {other}"),
                };
                assert!(self.sections > 0, "{}: no section", self.title);
                return true;
            }
            other => panic!("{place}: unknown keyword {other}"),
        }
        false
    }

    fn read_config(&mut self, words: &mut Words<'_>) {
        let milliseconds = |words: &mut Words<'_>| Duration::from_millis(words.number());
        let config = &mut self.config;
        match words.word() {
            "heart-beat" => config.heart_beat = words.number(),
            "margin" => config.heart_beat_margin = milliseconds(words),
            "connect-timeout" => config.connect_timeout = milliseconds(words),
            "disconnect-timeout" => config.disconnect_timeout = milliseconds(words),
            "require-host" => config.require_host = true,
            "accept-authenticated" => config.accept_authenticated = true,
            "server" => config.server = Some(words.rest.to_owned().into()),
            "head-before-login" => config.limits_before_login.head = words.number(),
            "body" => config.limits.body = words.number(),
            "waiting-input" => config.waiting_input = words.number(),
            "identifier" => config.identifier = words.number(),
            "receipts" => config.receipts = words.number(),
            "transactions" => config.transactions = words.number(),
            "transaction-operations" => config.transaction_operations = words.number(),
            "transaction-bytes" => config.transaction_bytes = words.number(),
            "queued-output" => config.queued_output = words.number(),
            other => panic!("{}: unknown option {other}", words.place),
        }
    }

    fn add(&mut self, step: Step) {
        self.steps.push((step, Expected::default()));
    }

    /// Input without an expectation in between arrives in one piece.
    fn add_input(&mut self, input: Input) {
        match self.steps.last_mut() {
            Some((Step::Input(inputs), expected)) if *expected == Expected::default() => {
                inputs.push(input);
            }
            _ => self.add(Step::Input(vec![input])),
        }
    }

    fn expected(&mut self, place: &str) -> &mut Expected {
        &mut self.steps.last_mut().unwrap_or_else(|| panic!("{place}: nothing happened yet")).1
    }
}

/// Reads `name:value …` and `body BYTES`. A value with spaces is quoted.
fn read_message(text: &str, place: &str) -> (Vec<(String, String)>, Vec<u8>) {
    let (headers, body) = match text.strip_prefix("body ") {
        Some(body) => ("", Some(body)),
        None => text.split_once(" body ").map_or((text, None), |(head, body)| (head, Some(body))),
    };
    let body = body.map_or_else(Vec::new, |body| Words { rest: body, place }.bytes());
    let mut rest = headers;
    let mut read = Vec::new();
    while !rest.is_empty() {
        let (name, after) = rest.split_once(':').expect(place);
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').expect(place),
            None => after.find(' ').map_or((after, ""), |end| after.split_at(end)),
        };
        read.push((name.to_owned(), value.replace("\\n", "\n")));
        rest = after.trim_start();
    }
    (read, body)
}

/// Reads all files in a folder, and panics with the place of the first mistake.
pub(crate) fn read_folder(folder: &str) -> Vec<Vector> {
    read_scripts(Path::new(folder), Vector::new, |vector, mut words| vector.read(&mut words))
}
