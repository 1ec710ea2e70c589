//! Reads the vector files.

use core::{fmt, iter::Peekable, str::Chars};
use sansocket::{CloseCode, Initiator, Kind, Limits};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub(crate) struct Vector {
    /// File, line and name: to be found by.
    pub(crate) title: String,
    pub(crate) is_client: bool,
    pub(crate) mask: [u8; 4],
    pub(crate) limits: Limits,
    /// Limits don't apply to messages received in chunks: such vectors are not run that way.
    pub(crate) is_limited: bool,
    pub(crate) fragment_size: usize,
    /// The parameters of permessage-deflate that were agreed on, as in a response.
    pub(crate) deflate: Option<String>,
    pub(crate) is_prompt: bool,
    pub(crate) steps: Vec<Step>,
    pub(crate) events: Vec<Seen>,
    pub(crate) output: Vec<u8>,
    pub(crate) end: Ending,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Input(Vec<u8>),
    Do(Action),
    Refuse(Action),
    /// It may or may not be refused.
    Attempt(Action),
    Eof,
    /// By now exactly so many events and bytes of output are there.
    Check {
        events: usize,
        output: usize,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    Send(Kind, Vec<u8>),
    Fragment(Kind, bool, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(CloseCode, String),
}

/// What was received.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(CloseCode, String)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Open,
    Closing,
    Closed(Initiator, CloseCode, String),
    Lost(Initiator, CloseCode, String),
    Failed(CloseCode),
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "text {}", Hex(text.as_bytes())),
            Self::Binary(data) => write!(f, "binary {}", Hex(data)),
            Self::Ping(data) => write!(f, "ping {}", Hex(data)),
            Self::Pong(data) => write!(f, "pong {}", Hex(data)),
            Self::Close(frame) => write!(f, "close {frame:?}"),
        }
    }
}

/// Bytes for the eye: their number, and the first of them.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:", self.0.len())?;
        for byte in self.0.iter().take(40) {
            write!(f, " {byte:02x}")?;
        }
        f.write_str(if self.0.len() > 40 { " …]" } else { "]" })
    }
}

/// Every vector of every file in the folder, files in the order of their names; those with
/// compression only if it is compiled in.
pub(crate) fn read_folder(folder: &Path) -> Vec<Vector> {
    let mut vectors: Vec<_> = files(folder).iter().flat_map(|path| read_file(path)).collect();
    vectors.retain(|vector| cfg!(feature = "deflate") || vector.deflate.is_none());
    vectors
}

/// The files of vectors in a folder, in the order of their names.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(!files.is_empty(), "no vectors in {}", folder.display());
    files
}

/// Shows each line of a file that says something, with its place.
pub(crate) fn each_line(path: &Path, mut read: impl FnMut(&str, &str)) {
    let text = std::fs::read_to_string(path).unwrap();
    let file = path.file_name().unwrap().to_string_lossy();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with(';') {
            read(&format!("{file}:{}", index + 1), line);
        }
    }
}

fn read_file(path: &Path) -> Vec<Vector> {
    let mut vectors = Vec::new();
    let mut draft: Option<Draft> = None;
    each_line(path, |place, line| {
        if let Some(name) = line.strip_prefix("# ") {
            assert!(draft.is_none(), "{place}: the vector before has no end");
            draft = Some(Draft::new(format!("{place} {name}")));
            return;
        }
        let Some(current) = &mut draft else { panic!("{place}: no vector has begun") };
        if let Some(end) = current.read(line, place) {
            vectors.push(draft.take().unwrap().finish(end, place));
        }
    });
    assert!(draft.is_none(), "{}: the last vector has no end", path.display());
    assert!(!vectors.is_empty(), "{} has no vectors", path.display());
    vectors
}

/// A vector whose end has not been read yet.
struct Draft {
    vector: Vector,
    has_role: bool,
    has_section: bool,
    checked: (usize, usize),
}

impl Draft {
    fn new(title: String) -> Self {
        let vector = Vector {
            title,
            is_client: false,
            mask: [0; 4],
            limits: Limits::default(),
            is_limited: false,
            fragment_size: 0,
            deflate: None,
            is_prompt: false,
            steps: Vec::new(),
            events: Vec::new(),
            output: Vec::new(),
            end: Ending::Open,
        };
        Self { vector, has_role: false, has_section: false, checked: (0, 0) }
    }

    /// Reads a line; what it says about the end, if it is the last.
    fn read(&mut self, line: &str, place: &str) -> Option<Ending> {
        let mut words = Words { rest: line, place };
        let vector = &mut self.vector;
        match words.next() {
            "section" => {
                self.has_section = true;
                while !words.rest.is_empty() {
                    assert!(words.next().starts_with('§'), "{place}: not a section");
                }
            }
            "role" => {
                self.has_role = true;
                vector.is_client = match words.next() {
                    "server" => false,
                    "client" => true,
                    other => panic!("{place}: no role {other}"),
                };
            }
            "mask" => vector.mask = words.bytes().try_into().unwrap(),
            "limit" => {
                vector.is_limited = true;
                match words.next() {
                    "frame" => vector.limits.frame = words.number(),
                    "message" => vector.limits.message = words.number(),
                    "fragments" => vector.limits.fragments = words.number(),
                    other => panic!("{place}: no limit {other}"),
                }
            }
            "fragment-size" => vector.fragment_size = words.number(),
            "deflate" => vector.deflate = Some(core::mem::take(&mut words.rest).to_owned()),
            "prompt" => vector.is_prompt = true,
            "in" => {
                let bytes = words.bytes();
                self.step(Step::Input(bytes));
            }
            "do" if words.rest == "eof" => {
                words.next();
                self.step(Step::Eof);
            }
            "do" => {
                let action = words.action();
                self.step(Step::Do(action));
            }
            "refuse" => {
                let action = words.action();
                self.step(Step::Refuse(action));
            }
            "event" => {
                let seen = words.seen();
                vector.events.push(seen);
            }
            "out" => vector.output.extend(words.bytes()),
            "end" => return Some(words.ending()),
            other => panic!("{place}: no keyword {other}"),
        }
        assert!(words.rest.is_empty(), "{place}: too much: {}", words.rest);
        None
    }

    fn step(&mut self, step: Step) {
        let (events, output) = (self.vector.events.len(), self.vector.output.len());
        if self.checked != (events, output) {
            self.vector.steps.push(Step::Check { events, output });
            self.checked = (events, output);
        }
        self.vector.steps.push(step);
    }

    fn finish(mut self, end: Ending, place: &str) -> Vector {
        assert!(self.has_role && self.has_section, "{place}: role or section is missing");
        self.vector.end = end;
        self.vector
    }
}

/// The words of a line.
pub(crate) struct Words<'a> {
    pub(crate) rest: &'a str,
    pub(crate) place: &'a str,
}

impl<'a> Words<'a> {
    pub(crate) fn next(&mut self) -> &'a str {
        let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        assert!(!word.is_empty(), "{}: something is missing", self.place);
        self.rest = rest.trim_start();
        word
    }

    pub(crate) fn number<N: core::str::FromStr>(&mut self) -> N {
        let word = self.next();
        word.parse().ok().unwrap_or_else(|| panic!("{}: no number: {word}", self.place))
    }

    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut characters = self.rest.chars().peekable();
        read_bytes(&mut characters, &mut bytes, None, self.place);
        self.rest = "";
        bytes
    }

    fn text(&mut self) -> String {
        String::from_utf8(self.bytes()).unwrap_or_else(|_| panic!("{}: not UTF-8", self.place))
    }

    fn kind(&mut self) -> Kind {
        match self.next() {
            "text" => Kind::Text,
            "binary" => Kind::Binary,
            other => panic!("{}: no kind of message: {other}", self.place),
        }
    }

    fn code(&mut self) -> CloseCode {
        CloseCode::new(self.number())
    }

    fn action(&mut self) -> Action {
        match self.next() {
            "send" => Action::Send(self.kind(), self.bytes()),
            "fragment" => {
                let kind = self.kind();
                let is_last = match self.next() {
                    "more" => false,
                    "last" => true,
                    other => panic!("{}: more or last, not {other}", self.place),
                };
                Action::Fragment(kind, is_last, self.bytes())
            }
            "ping" => Action::Ping(self.bytes()),
            "pong" => Action::Pong(self.bytes()),
            "close" => Action::Close(self.code(), self.text()),
            other => panic!("{}: no action {other}", self.place),
        }
    }

    fn seen(&mut self) -> Seen {
        match self.next() {
            "text" => Seen::Text(self.text()),
            "binary" => Seen::Binary(self.bytes()),
            "ping" => Seen::Ping(self.bytes()),
            "pong" => Seen::Pong(self.bytes()),
            "close" if self.rest.is_empty() => Seen::Close(None),
            "close" => Seen::Close(Some((self.code(), self.text()))),
            other => panic!("{}: no event {other}", self.place),
        }
    }

    fn ending(&mut self) -> Ending {
        match self.next() {
            "open" => Ending::Open,
            "closing" => Ending::Closing,
            "closed" => Ending::Closed(self.initiator(), self.code(), self.text()),
            "lost" => Ending::Lost(self.initiator(), self.code(), self.text()),
            "failed" => Ending::Failed(self.code()),
            other => panic!("{}: no end {other}", self.place),
        }
    }

    fn initiator(&mut self) -> Initiator {
        match self.next() {
            "local" => Initiator::Local,
            "peer" => Initiator::Peer,
            "transport" => Initiator::Transport,
            other => panic!("{}: {other} can't begin to close", self.place),
        }
    }
}

/// Reads tokens up to the end, or to `until`.
fn read_bytes(
    characters: &mut Peekable<Chars<'_>>,
    bytes: &mut Vec<u8>,
    until: Option<char>,
    place: &str,
) {
    while let Some(&next) = characters.peek() {
        match next {
            _ if Some(next) == until => {
                characters.next();
                return;
            }
            ' ' => {
                characters.next();
            }
            '"' => {
                characters.next();
                bytes.extend(read_text(characters, place).bytes());
            }
            '{' => {
                characters.next();
                let mut masked = Vec::new();
                read_bytes(characters, &mut masked, Some('}'), place);
                // By the definition of RFC 6455 §5.3, one byte after the other.
                let key = *masked.first_chunk::<4>().expect("a key");
                for (index, byte) in masked[4..].iter_mut().enumerate() {
                    *byte ^= key[index % 4];
                }
                bytes.extend(masked);
            }
            _ => read_hex(characters, bytes, place),
        }
    }
    assert!(until.is_none(), "{place}: a brace is missing");
}

fn read_text(characters: &mut Peekable<Chars<'_>>, place: &str) -> String {
    let mut text = String::new();
    loop {
        match characters.next() {
            Some('"') => return text,
            Some('\\') => text.extend(characters.next()),
            Some(character) => text.push(character),
            None => panic!("{place}: a quote is missing"),
        }
    }
}

fn read_hex(characters: &mut Peekable<Chars<'_>>, bytes: &mut Vec<u8>, place: &str) {
    let mut word = String::new();
    while let Some(next) = characters.next_if(|next| !" }".contains(*next)) {
        word.push(next);
    }
    let (digits, count) = word.split_once('*').unwrap_or((&word, "1"));
    assert!(!digits.is_empty() && digits.len() % 2 == 0, "{place}: not bytes: {word}");
    let group: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| {
            u8::from_str_radix(&digits[at..at + 2], 16)
                .unwrap_or_else(|_| panic!("{place}: not hexadecimal: {word}"))
        })
        .collect();
    for _ in 0..count.parse::<usize>().unwrap() {
        bytes.extend_from_slice(&group);
    }
}
