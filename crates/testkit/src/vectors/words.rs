//! The words of a line in a vector file, and the notation of bytes.

use super::format::{Action, Ending, Seen};
use core::{iter::Peekable, str::Chars};
use sansocket::{
    CloseCode,
    connection::{Initiator, MessageKind},
};

/// The words of a line.
#[derive(Debug)]
pub struct Words<'a> {
    /// The part that has not been read yet.
    pub rest: &'a str,
    /// The file and the line, for panic messages.
    pub place: &'a str,
}

impl<'a> Words<'a> {
    /// Returns the next word. This and the other methods panic if it is missing or invalid.
    pub fn word(&mut self) -> &'a str {
        let (word, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        assert!(!word.is_empty(), "{}: a word is missing", self.place);
        self.rest = rest.trim_start();
        word
    }

    /// Returns the next word as a number.
    pub fn number<N: core::str::FromStr>(&mut self) -> N {
        let word = self.word();
        word.parse().ok().unwrap_or_else(|| panic!("{}: not a number: {word}", self.place))
    }

    /// Returns the rest of the line as bytes.
    pub fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut characters = self.rest.chars().peekable();
        read_bytes(&mut characters, &mut bytes, None, self.place);
        self.rest = "";
        bytes
    }

    fn text(&mut self) -> String {
        String::from_utf8(self.bytes()).unwrap_or_else(|_| panic!("{}: not UTF-8", self.place))
    }

    fn kind(&mut self) -> MessageKind {
        match self.word() {
            "text" => MessageKind::Text,
            "binary" => MessageKind::Binary,
            other => panic!("{}: unknown kind of message: {other}", self.place),
        }
    }

    fn code(&mut self) -> CloseCode {
        CloseCode::new(self.number())
    }

    /// Returns an action of the user.
    pub fn action(&mut self) -> Action {
        match self.word() {
            "send" => Action::Send(self.kind(), self.bytes()),
            "fragment" => {
                let kind = self.kind();
                let is_last = match self.word() {
                    "more" => false,
                    "last" => true,
                    other => panic!("{}: expected more or last, got {other}", self.place),
                };
                Action::Fragment(kind, is_last, self.bytes())
            }
            "ping" => Action::Ping(self.bytes()),
            "pong" => Action::Pong(self.bytes()),
            "close" => Action::Close(self.code(), self.text()),
            other => panic!("{}: unknown action {other}", self.place),
        }
    }

    /// Returns an event that is received.
    pub fn seen(&mut self) -> Seen {
        match self.word() {
            "text" => Seen::Text(self.text()),
            "binary" => Seen::Binary(self.bytes()),
            "ping" => Seen::Ping(self.bytes()),
            "pong" => Seen::Pong(self.bytes()),
            "close" if self.rest.is_empty() => Seen::Close(None),
            "close" => Seen::Close(Some((self.code(), self.text()))),
            other => panic!("{}: unknown event {other}", self.place),
        }
    }

    /// Returns the end of a connection.
    pub fn ending(&mut self) -> Ending {
        match self.word() {
            "open" => Ending::Open,
            "closing" => Ending::Closing,
            "closed" => Ending::Closed(self.initiator(), self.code(), self.text()),
            "lost" => Ending::Lost(self.initiator(), self.code(), self.text()),
            "failed" => Ending::Failed(self.code()),
            other => panic!("{}: unknown end {other}", self.place),
        }
    }

    fn initiator(&mut self) -> Initiator {
        match self.word() {
            "local" => Initiator::Local,
            "peer" => Initiator::Peer,
            "transport" => Initiator::Transport,
            other => panic!("{}: unknown initiator {other}", self.place),
        }
    }
}

/// Reads tokens up to the end, or up to `until`.
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
                // Follows the definition in RFC 6455 §5.3, one byte at a time.
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
    assert!(!digits.is_empty() && digits.len() % 2 == 0, "{place}: not hexadecimal bytes: {word}");
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
