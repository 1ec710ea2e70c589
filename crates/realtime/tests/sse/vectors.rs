//! Runs the vectors of `tests/vectors/sse`, whose format is in `tests/vectors/README.md`.

use sansocket_realtime::sse::{
    Action, Client, ClientConfig, Event, InvalidEvent, ParseError, Parser, ParserConfig,
    ReadyState, Received,
};
use sansocket_testkit::vectors::{
    scripts::{Lines, read_lines},
    words::Words,
};
use std::{path::Path, time::Duration};

fn read(file: &str) -> Vec<Lines> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sse");
    read_lines(&folder.join(file))
}

fn text(mut words: Words<'_>) -> String {
    String::from_utf8(words.bytes()).expect("text")
}

/// How the bytes of each `in` line are cut into reads.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Nowhere,
    Everywhere,
    At(usize),
}

impl Cut {
    fn pieces(self, bytes: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Everywhere => bytes.chunks(1).collect(),
            Self::At(at) if at < bytes.len() => vec![&bytes[..at], &bytes[at..]],
            Self::Nowhere | Self::At(_) => vec![bytes],
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Message { event_type: String, data: String, id: String },
    Comment(String),
}

impl From<Received<'_>> for Seen {
    fn from(received: Received<'_>) -> Self {
        match received {
            Received::Message(message) => Self::Message {
                event_type: message.event_type.to_owned(),
                data: message.data.to_owned(),
                id: message.last_event_id.to_owned(),
            },
            Received::Comment(comment) => Self::Comment(comment.to_owned()),
            other => panic!("not in the vectors: {other:?}"),
        }
    }
}

/// A parser, what it has given since the last check, and what is expected by now.
struct Run {
    what: String,
    parser: Parser,
    seen: Vec<Seen>,
    expected: Vec<Seen>,
    last_event_id: String,
    retry: Option<Duration>,
    failed: Option<ParseError>,
}

impl Run {
    fn new(vector: &Lines, cut: Cut) -> Self {
        let mut config = ParserConfig::default();
        let mut last_event_id = String::new();
        for (keyword, mut words) in vector.iter() {
            match keyword {
                "comments" => config = config.comments(true),
                "resume" => last_event_id = text(words),
                "limit" => match words.word() {
                    "line" => config = config.line(words.number()),
                    "data" => config = config.data(words.number()),
                    other => panic!("{}: unknown limit {other}", vector.place),
                },
                _ => {}
            }
        }
        Self {
            what: format!("{}, cut {cut:?}", vector.place),
            parser: Parser::new(config).resume_after(&last_event_id),
            seen: Vec::new(),
            expected: Vec::new(),
            last_event_id,
            retry: None,
            failed: None,
        }
    }

    fn receive(&mut self, bytes: &[u8], cut: Cut) {
        for mut piece in cut.pieces(bytes) {
            loop {
                match self.parser.next(&mut piece) {
                    Ok(Some(received)) => self.seen.push(received.into()),
                    Ok(None) => {
                        assert!(piece.is_empty());
                        break;
                    }
                    Err(error) => {
                        assert!(self.failed.is_none_or(|earlier| earlier == error));
                        self.failed = Some(error);
                        break;
                    }
                }
            }
        }
    }

    fn expect(&mut self, keyword: &str, mut words: Words<'_>) {
        match (keyword, self.expected.last_mut()) {
            ("message", _) => self.expected.push(Seen::Message {
                event_type: "message".to_owned(),
                data: text(words),
                id: String::new(),
            }),
            ("comment", _) => self.expected.push(Seen::Comment(text(words))),
            ("type", Some(Seen::Message { event_type, .. })) => *event_type = text(words),
            ("id", Some(Seen::Message { id, .. })) => *id = text(words),
            ("last", _) => self.last_event_id = text(words),
            ("retry", _) => self.retry = Some(Duration::from_millis(words.number())),
            other => panic!("{}: not expected here: {other:?}", words.place),
        }
    }

    fn check(&mut self) {
        let what = &self.what;
        assert_eq!(self.seen, self.expected, "{what}");
        assert_eq!(self.parser.last_event_id(), self.last_event_id, "{what}");
        assert_eq!(self.parser.reconnection_time(), self.retry, "{what}");
        self.seen.clear();
        self.expected.clear();
    }

    fn check_end(&self, mut words: Words<'_>) {
        let expected = (!words.rest.is_empty()).then(|| (words.word(), words.word()));
        match (expected, self.failed) {
            (None, None)
            | (Some(("failed", "line")), Some(ParseError::LineTooLong { .. }))
            | (Some(("failed", "data")), Some(ParseError::DataTooLong { .. })) => {}
            other => panic!("{}: {other:?}", self.what),
        }
    }
}

/// Runs the script of a vector, and returns the length of its longest input.
fn run(vector: &Lines, cut: Cut) -> usize {
    let mut run = Run::new(vector, cut);
    let mut longest = 0;
    let mut is_input = false;
    for (keyword, mut words) in vector.iter() {
        let follows_input = std::mem::replace(&mut is_input, keyword == "in");
        match keyword {
            "section" | "comments" | "resume" | "limit" => {}
            "in" => {
                if !follows_input {
                    run.check();
                }
                let bytes = words.bytes();
                longest = longest.max(bytes.len());
                run.receive(&bytes, cut);
            }
            "do" => {
                run.check();
                assert_eq!(words.word(), "end");
                run.parser.end();
            }
            "end" => {
                run.check();
                run.check_end(words);
                return longest;
            }
            _ => run.expect(keyword, words),
        }
    }
    panic!("{}: no end", vector.place);
}

#[test]
fn streams_are_parsed_however_they_are_cut() {
    for file in ["decoding.txt", "lines.txt", "fields.txt", "limits.txt"] {
        for vector in read(file) {
            let longest = run(&vector, Cut::Nowhere);
            run(&vector, Cut::Everywhere);
            for at in 1..longest {
                run(&vector, Cut::At(at));
            }
        }
    }
}

/// The fields of a block to be encoded.
#[derive(Default)]
struct Fields {
    event: Option<String>,
    id: Option<String>,
    data: Option<String>,
    comment: Option<String>,
    retry: Option<Duration>,
}

impl Fields {
    fn set(&mut self, mut words: Words<'_>) {
        match words.word() {
            "event" => self.event = Some(text(words)),
            "id" => self.id = Some(text(words)),
            "data" => self.data = Some(text(words)),
            "comment" => self.comment = Some(text(words)),
            "retry" => self.retry = Some(Duration::from_micros(words.number())),
            other => panic!("{}: unknown field {other}", words.place),
        }
    }

    fn event(&self) -> Event<'_> {
        let mut event = Event::new();
        event.event = self.event.as_deref();
        event.id = self.id.as_deref();
        event.data = self.data.as_deref();
        event.comment = self.comment.as_deref();
        event.retry = self.retry;
        event
    }

    /// Checks that a parser reads what was meant.
    fn check_parsed(&self, mut encoded: &[u8], place: &str) {
        let mut parser = Parser::new(ParserConfig::default().comments(true));
        let lf = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
        let mut comments = Vec::new();
        let mut message = None;
        while let Some(received) = parser.next(&mut encoded).unwrap() {
            match Seen::from(received) {
                Seen::Comment(comment) => comments.push(comment),
                seen => assert!(message.replace(seen).is_none(), "{place}"),
            }
        }
        let id = self.id.clone().unwrap_or_default();
        let event_type = self.event.clone().filter(|event_type| !event_type.is_empty());
        let expected = self.data.as_ref().map(|data| Seen::Message {
            event_type: event_type.unwrap_or("message".to_owned()),
            data: lf(data),
            id: id.clone(),
        });
        assert_eq!(message, expected, "{place}");
        assert_eq!(comments.join("\n"), lf(self.comment.as_deref().unwrap_or_default()), "{place}");
        assert_eq!(comments.is_empty(), self.comment.is_none(), "{place}");
        assert_eq!(parser.last_event_id(), id, "{place}");
        assert_eq!(parser.reconnection_time().is_some(), self.retry.is_some(), "{place}");
    }
}

#[test]
fn blocks_are_encoded() {
    for vector in read("encoding.txt") {
        let place = &vector.place;
        let mut fields = Fields::default();
        let mut is_checked = false;
        for (keyword, mut words) in vector.iter() {
            match keyword {
                "section" => {}
                "field" => fields.set(words),
                "out" => {
                    let encoded = fields.event().encode().expect(place);
                    assert_eq!(encoded, words.bytes(), "{place}: {encoded:?}");
                    fields.check_parsed(&encoded, place);
                    is_checked = true;
                }
                "refused" => {
                    let why = words.word();
                    let (field, at) = (words.word(), words.number::<usize>());
                    let expected = match fields.event().encode() {
                        Err(InvalidEvent::LineBreak { field, at }) => ("line-break", field, at),
                        Err(InvalidEvent::Null { field, at }) => ("null", field, at),
                        other => panic!("{place}: {other:?}"),
                    };
                    assert_eq!((why, field, at), expected, "{place}");
                    is_checked = true;
                }
                other => panic!("{place}: unknown line {other}"),
            }
        }
        assert!(is_checked, "{place}: nothing is expected");
    }
}

#[test]
fn responses_open_or_fail() {
    for vector in read("response.txt") {
        let place = &vector.place;
        let (mut status, mut content_type) = (0, None);
        let mut is_checked = false;
        for (keyword, mut words) in vector.iter() {
            match keyword {
                "section" => {}
                "status" => status = words.number(),
                "content-type" => content_type = Some(words.bytes()),
                "end" => {
                    let mut client = Client::new(ClientConfig::default(), Duration::ZERO);
                    assert_eq!(client.next_action(Duration::ZERO, 0), Some(Action::Request));
                    let opened = client.response(status, content_type.as_deref(), Duration::ZERO);
                    let state = match words.word() {
                        "opened" => ReadyState::Open,
                        "failed" => ReadyState::Closed,
                        other => panic!("{place}: unknown end {other}"),
                    };
                    assert_eq!(client.ready_state(), state, "{place}: {opened:?}");
                    assert_eq!(opened.is_ok(), state == ReadyState::Open, "{place}");
                    is_checked = true;
                }
                other => panic!("{place}: unknown line {other}"),
            }
        }
        assert!(is_checked, "{place}: no end");
    }
}
