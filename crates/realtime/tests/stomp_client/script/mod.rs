//! Reads the vectors of STOMP's client, and plays them.

mod play;

pub(crate) use play::{Cut, play};

use sansocket_realtime::stomp::{Command, Version};
use sansocket_testkit::vectors::words::Words;
use std::{fs, path::PathBuf};

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
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    files.iter().flat_map(read_file).collect()
}

fn read_file(file: &PathBuf) -> Vec<Vector> {
    let text = fs::read_to_string(file).unwrap();
    let mut vectors: Vec<Vector> = Vec::new();
    let mut is_complete = true;
    for (index, line) in text.lines().enumerate() {
        let place = format!("{}:{}", file.display(), index + 1);
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if let Some(name) = line.strip_prefix("# ") {
            assert!(is_complete, "{place}: the vector before has no end");
            vectors.push(Vector::new(&place, name));
            is_complete = false;
            continue;
        }
        assert!(!is_complete, "{place}: a line behind the end");
        let vector = vectors.last_mut().expect(&place);
        is_complete = vector.read(&mut Words { rest: line, place: &place });
        assert!(!is_complete || vector.sections > 0, "{place}: no section");
    }
    assert!(is_complete, "{}: the last vector has no end", file.display());
    vectors
}
