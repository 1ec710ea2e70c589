//! Reads the vectors of STOMP's client, and plays them.

mod play;

pub(crate) use play::{Cut, play};

use sansocket_realtime::stomp::{Command, Version};
use sansocket_testkit::vectors::{scripts::read_scripts, words::Words};
use std::path::Path;

/// A client, what happens to it, and what is expected of it.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    /// The file, the line and the name.
    pub(crate) title: String,
    pub(crate) name: String,
    /// The versions that the server chooses, each on its own.
    pub(crate) versions: Vec<Version>,
    /// The options: a name, and the rest of the line.
    pub(crate) options: Vec<(String, String)>,
    pub(crate) steps: Vec<Step>,
    sections: usize,
}

/// A line of the script.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) place: String,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// These bytes arrive.
    Input(Vec<u8>),
    /// The server sends this frame.
    Server(Part),
    /// The application or the transport does something.
    Do(String),
    /// The application tries something, and is refused with this error.
    Refuse(String, String),
    /// An event is expected.
    Event(String),
    /// The client sends this frame.
    Client(Part),
    /// The client sends a heart-beat.
    Beat,
    /// So it ends.
    End(String),
}

/// A frame. Its headers can have any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) command: Command,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Part {
    /// Reads `COMMAND name:value … = BYTES`.
    fn read(words: &mut Words<'_>) -> Self {
        let command = Command::from_name(words.word()).expect(words.place);
        let mut headers = Vec::new();
        while !words.rest.is_empty() {
            match words.word() {
                "=" => return Self { command, headers, body: words.bytes() },
                header => {
                    let (name, value) = header.split_once(':').expect(words.place);
                    headers.push((name.to_owned(), value.to_owned()));
                }
            }
        }
        Self { command, headers, body: Vec::new() }
    }
}

impl Vector {
    fn new(place: &str, name: &str) -> Self {
        Self {
            title: format!("{place} {name}"),
            name: name.to_owned(),
            versions: Version::ALL.to_vec(),
            options: Vec::new(),
            steps: Vec::new(),
            sections: 0,
        }
    }

    /// Reads a line. Returns `true` if it is the last.
    fn read(&mut self, words: &mut Words<'_>) -> bool {
        let place = words.place;
        let kind = match words.word() {
            "section" => {
                let (version, title) = words.rest.split_once('§').expect(place);
                assert!(version.parse::<Version>().is_ok() && !title.is_empty(), "{place}");
                self.sections += 1;
                return false;
            }
            "version" => {
                let versions = words.rest.split(' ').map(|text| text.parse().expect(place));
                self.versions = versions.collect();
                return false;
            }
            "option" => {
                self.options.push((words.word().to_owned(), words.rest.to_owned()));
                return false;
            }
            "in" => Kind::Input(words.bytes()),
            "line" => Kind::Input(format!("{}\n", words.rest).into_bytes()),
            "server" => Kind::Server(Part::read(words)),
            "client" => Kind::Client(Part::read(words)),
            "do" => Kind::Do(words.rest.to_owned()),
            "refuse" => Kind::Refuse(words.word().to_owned(), words.rest.to_owned()),
            "event" => Kind::Event(words.rest.to_owned()),
            "beat" => Kind::Beat,
            "end" => Kind::End(words.rest.to_owned()),
            other => panic!("{place}: unknown keyword {other}"),
        };
        let is_end = matches!(kind, Kind::End(_));
        self.steps.push(Step { place: place.to_owned(), kind });
        is_end
    }

    /// Returns how many bytes arrive in lines of input.
    pub(crate) fn input_len(&self, version: Version) -> usize {
        self.steps.iter().map(|step| step.input(version).map_or(0, |bytes| bytes.len())).sum()
    }
}

/// Reads all files of a folder, and panics with the place of the first mistake.
pub(crate) fn read_folder(folder: &str) -> Vec<Vector> {
    read_scripts(Path::new(folder), Vector::new, |vector, mut words| {
        let is_end = vector.read(&mut words);
        assert!(!is_end || vector.sections > 0, "{}: no section", words.place);
        is_end
    })
}
