//! Reads the vectors of STOMP.

use sansocket_realtime::stomp::{Command, DecodeError, Decoder, Frame, Limits, Version, header};
use sansocket_testkit::vectors::{scripts::read_scripts, words::Words};
use std::path::Path;

/// An endpoint, what happens to it, and the expected outcome.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    /// The file, the line and the name.
    pub(crate) title: String,
    pub(crate) name: String,
    sections: usize,
    is_server: bool,
    pub(crate) versions: Vec<Version>,
    limits: Limits,
    pub(crate) is_prompt: bool,
    pub(crate) input: Vec<u8>,
    /// After so many frames, the version changes.
    pub(crate) agreements: Vec<(usize, Version)>,
    /// After so many bytes of input, so many frames are received.
    pub(crate) checks: Vec<(usize, usize)>,
    pub(crate) frames: Vec<Seen>,
    pub(crate) beats: Option<u64>,
    pub(crate) sends: Vec<Sending>,
    pub(crate) output: Vec<u8>,
    pub(crate) end: End,
}

/// A frame, with all its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) command: Command,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A frame that the application sends, or tries to.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub(crate) frame: Seen,
    pub(crate) is_refused: bool,
}

/// What was received by the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) frames: Vec<Seen>,
    pub(crate) beats: u64,
    pub(crate) end: End,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Open,
    More,
    Failed(String),
}

impl Vector {
    fn new(place: &str, name: &str) -> Self {
        Self {
            title: format!("{place} {name}"),
            name: name.to_owned(),
            sections: 0,
            is_server: true,
            versions: Version::ALL.to_vec(),
            limits: Limits::default(),
            is_prompt: false,
            input: Vec::new(),
            agreements: Vec::new(),
            checks: Vec::new(),
            frames: Vec::new(),
            beats: None,
            sends: Vec::new(),
            output: Vec::new(),
            end: End::Open,
        }
    }

    pub(crate) fn decoder(&self, version: Version) -> Decoder {
        let new = if self.is_server { Decoder::server } else { Decoder::client };
        let mut decoder = new(self.limits);
        decoder.set_version(version);
        decoder
    }

    pub(crate) fn without_limits(&self) -> Self {
        Self { limits: Limits::default(), ..self.clone() }
    }

    /// Returns the first byte of the fuzz target's input for each version, with small limits if this
    /// vector has limits.
    pub(crate) fn choices(&self) -> Vec<u8> {
        let has_limits = self.limits != Limits::default();
        let choice = u8::from(!self.is_server) | if has_limits { 0x80 } else { 0 };
        (0..3).map(|version| choice | version << 1).collect()
    }

    /// Reads a line. `into` is the frame that a line about a part of it belongs to.
    fn read(&mut self, words: &mut Words<'_>, into: &mut Part) -> bool {
        let keyword = words.word();
        if matches!(keyword, "in" | "line" | "do" | "refuse" | "end") {
            self.checks.push((self.input.len(), self.frames.len()));
        }
        match keyword {
            "section" => {
                let (version, title) = words.rest.split_once('§').expect(words.place);
                assert!(version.parse::<Version>().is_ok() && !title.is_empty(), "{}", words.place);
                self.sections += 1;
            }
            "role" => self.is_server = words.word() == "server",
            "version" => {
                let versions = words.rest.split(' ').map(|text| text.parse().expect(words.place));
                self.versions = versions.collect();
            }
            "limit" => match words.word() {
                "headers" => self.limits.headers = words.number(),
                "line" => self.limits.header_line = words.number(),
                "head" => self.limits.head = words.number(),
                "body" => self.limits.body = words.number(),
                other => panic!("{}: unknown limit {other}", words.place),
            },
            "prompt" => self.is_prompt = true,
            "in" => self.input.extend(words.bytes()),
            "line" => {
                self.input.extend(words.rest.as_bytes());
                self.input.push(b'\n');
            }
            "do" if words.rest.starts_with("agree ") => {
                words.word();
                self.agreements.push((self.frames.len(), words.number()));
            }
            "do" | "refuse" => {
                assert_eq!(words.word(), "send", "{}", words.place);
                let is_refused = keyword == "refuse";
                self.sends.push(Sending { frame: Seen::new(words), is_refused });
                *into = Part::Sent;
            }
            "frame" => {
                self.frames.push(Seen::new(words));
                *into = Part::Received;
            }
            "header" | "body" => {
                let frame = match into {
                    Part::Sent => self.sends.last_mut().map(|sending| &mut sending.frame),
                    Part::Received => self.frames.last_mut(),
                };
                frame.expect(words.place).read(keyword, words);
            }
            "out" => self.output.extend(words.bytes()),
            "beats" => self.beats = Some(words.number()),
            "end" => {
                self.end = match words.word() {
                    "open" => End::Open,
                    "more" => End::More,
                    "failed" => End::Failed(words.word().to_owned()),
                    other => panic!("{}: unknown end {other}", words.place),
                };
                assert!(self.sections > 0, "{}: no section", self.title);
                return true;
            }
            other => panic!("{}: unknown keyword {other}", words.place),
        }
        false
    }
}

/// Which frame a line about a part of one belongs to.
enum Part {
    Received,
    Sent,
}

impl Seen {
    fn new(words: &mut Words<'_>) -> Self {
        let command = Command::from_name(words.word()).expect(words.place);
        Self { command, headers: Vec::new(), body: Vec::new() }
    }

    fn read(&mut self, keyword: &str, words: &mut Words<'_>) {
        if keyword == "body" {
            self.body = words.bytes();
            return;
        }
        let (name, value) = words.rest.split_once(" =").expect(words.place);
        let [name, value] = [name, value].map(|text| {
            let bytes = Words { rest: text, place: words.place }.bytes();
            String::from_utf8(bytes).expect(words.place)
        });
        self.headers.push((name, value));
    }

    pub(crate) fn without_length(&self) -> Self {
        let mut frame = self.clone();
        frame.headers.retain(|(name, _)| name != header::CONTENT_LENGTH);
        frame
    }
}

impl From<Frame<'_>> for Seen {
    fn from(frame: Frame<'_>) -> Self {
        let owned = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
            (name.into_owned(), value.into_owned())
        };
        Self {
            command: frame.command(),
            headers: frame.headers().map(owned).collect(),
            body: frame.body().to_vec(),
        }
    }
}

/// Returns the name of an error's variant.
pub(crate) fn name_of(error: DecodeError) -> String {
    let text = format!("{error:?}");
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Reads all files in a folder, and panics with the place of the first mistake.
pub(crate) fn read_folder(folder: &str) -> Vec<Vector> {
    let mut part = Part::Received;
    read_scripts(Path::new(folder), Vector::new, |vector, mut words| {
        vector.read(&mut words, &mut part)
    })
}
