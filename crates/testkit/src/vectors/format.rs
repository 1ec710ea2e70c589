//! Reads the vector files.

use super::words::Words;
use core::fmt;
use sansocket::{
    CloseCode, Event, Limits, Message,
    connection::{Initiator, MessageKind},
};
use std::path::{Path, PathBuf};

/// A role and its configuration, what happens to it, and the expected outcome.
#[derive(Clone, Debug)]
pub struct Vector {
    /// The file, the line and the name.
    pub title: String,
    /// Whether the endpoint under test is a client.
    pub is_client: bool,
    /// A client's mask key.
    pub mask: [u8; 4],
    /// The limits of what it receives.
    pub limits: Limits,
    /// Whether limits are set. They don't apply to messages received in chunks, so such vectors are
    /// not run that way.
    pub is_limited: bool,
    /// The size of the frames that it sends; 0 means any size.
    pub fragment_size: usize,
    /// The agreed parameters of permessage-deflate, in the form of a response.
    pub deflate: Option<String>,
    /// Whether it must fail on the last byte and not before.
    pub is_prompt: bool,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// The expected events.
    pub events: Vec<Seen>,
    /// The expected output.
    pub output: Vec<u8>,
    /// The expected end.
    pub end: Ending,
}

/// Something that happens to the endpoint under test.
#[derive(Clone, Debug)]
pub enum Step {
    /// Bytes arrive.
    Input(Vec<u8>),
    /// The user does something, which succeeds.
    Do(Action),
    /// The user does something, which is refused.
    Refuse(Action),
    /// The user does something, which may be refused.
    Attempt(Action),
    /// The transport ends.
    Eof,
    /// At this point there are exactly this many events and bytes of output.
    Check {
        /// The number of events.
        events: usize,
        /// The number of bytes.
        output: usize,
    },
}

/// Something that the user does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Sends a message.
    Send(MessageKind, Vec<u8>),
    /// Sends a fragment, the last one or not.
    Fragment(MessageKind, bool, Vec<u8>),
    /// Sends a ping.
    Ping(Vec<u8>),
    /// Sends an unsolicited pong.
    Pong(Vec<u8>),
    /// Closes.
    Close(CloseCode, String),
}

/// What was received.
#[derive(Clone, PartialEq, Eq)]
pub enum Seen {
    /// A text message, or a part of one.
    Text(String),
    /// A binary message, or a part of one.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A Close, with its code and reason if it has them.
    Close(Option<(CloseCode, String)>),
}

/// The state of a connection after the last step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Open.
    Open,
    /// This endpoint has closed, and waits for the peer's Close.
    Closing,
    /// Closed by a closing handshake: who began it, and the resulting code and reason.
    Closed(Initiator, CloseCode, String),
    /// Closed without a complete closing handshake.
    Lost(Initiator, CloseCode, String),
    /// Failed; the peer was told with this code.
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

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into()),
            Event::Binary(data) => Self::Binary(data.into()),
            Event::Ping(data) => Self::Ping(data.into()),
            Event::Pong(data) => Self::Pong(data.into()),
            Event::Close(frame) => {
                Self::Close(frame.map(|frame| (frame.code, frame.reason.into())))
            }
            other => panic!("unknown event {other:?}"),
        }
    }
}

impl From<&Message> for Seen {
    fn from(message: &Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.as_str().into()),
            Message::Binary(data) => Self::Binary(data.to_vec()),
        }
    }
}

/// Formats bytes for display: their number, and the first of them.
#[derive(Debug)]
pub struct Hex<'a>(
    /// The bytes.
    pub &'a [u8],
);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}:", self.0.len())?;
        for byte in self.0.iter().take(40) {
            write!(f, " {byte:02x}")?;
        }
        f.write_str(if self.0.len() > 40 { " …]" } else { "]" })
    }
}

/// Reads all vectors in a folder, files in order of their names. Skips those with compression
/// unless it is compiled in.
pub fn read_folder(folder: &Path) -> Vec<Vector> {
    let mut vectors: Vec<_> = files(folder).iter().flat_map(|path| read_file(path)).collect();
    vectors.retain(|vector| cfg!(feature = "deflate") || vector.deflate.is_none());
    vectors
}

/// Lists the vector files in a folder, in order of their names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(!files.is_empty(), "no vectors in {}", folder.display());
    files
}

/// Calls `read` with each meaningful line of a file, and with its place.
pub fn each_line(path: &Path, mut read: impl FnMut(&str, &str)) {
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
            assert!(draft.is_none(), "{place}: the previous vector has no end");
            draft = Some(Draft::new(format!("{place} {name}")));
            return;
        }
        let Some(current) = &mut draft else { panic!("{place}: outside of a vector") };
        if let Some(end) = current.read(line, place) {
            vectors.push(draft.take().unwrap().finish(end, place));
        }
    });
    assert!(draft.is_none(), "{}: the last vector has no end", path.display());
    assert!(!vectors.is_empty(), "{} has no vectors", path.display());
    vectors
}

/// A vector whose `end` line has not been read yet.
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

    /// Reads a line. Returns the end if this is the last line.
    fn read(&mut self, line: &str, place: &str) -> Option<Ending> {
        let mut words = Words { rest: line, place };
        let vector = &mut self.vector;
        match words.word() {
            "section" => {
                self.has_section = true;
                while !words.rest.is_empty() {
                    assert!(words.word().starts_with('§'), "{place}: not an RFC section");
                }
            }
            "role" => {
                self.has_role = true;
                vector.is_client = match words.word() {
                    "server" => false,
                    "client" => true,
                    other => panic!("{place}: unknown role {other}"),
                };
            }
            "mask" => vector.mask = words.bytes().try_into().unwrap(),
            "limit" => {
                vector.is_limited = true;
                match words.word() {
                    "frame" => vector.limits.frame = Some(words.number()),
                    "message" => vector.limits.message = words.number(),
                    "fragments" => vector.limits.fragments = words.number(),
                    other => panic!("{place}: unknown limit {other}"),
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
                words.word();
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
            other => panic!("{place}: unknown keyword {other}"),
        }
        assert!(words.rest.is_empty(), "{place}: trailing text: {}", words.rest);
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
