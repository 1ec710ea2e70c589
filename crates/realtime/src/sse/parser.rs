//! Reading an event stream.

use super::lines::find_line_end;
use alloc::{string::String, vec::Vec};
use core::{mem, time::Duration};

/// Parses an event stream, as WHATWG HTML §9.2.6 has it, from bytes that arrive in any pieces.
///
/// Events are lent: their texts stand in buffers of the parser, which the next event uses again. So
/// a stream of events costs no allocation, and you copy what you keep.
///
/// ```
/// use sansocket_realtime::sse::{Parser, Received};
///
/// let mut parser = Parser::default();
/// let mut messages = Vec::new();
/// for piece in ["data: on", "e\n\ndata: two\nid: 7\r", "\n\r\n"] {
///     let mut input = piece.as_bytes();
///     while let Some(received) = parser.next(&mut input)? {
///         if let Received::Message(message) = received {
///             messages.push(message.data.to_string());
///         }
///     }
/// }
/// assert_eq!(messages, ["one", "two"]);
/// assert_eq!(parser.last_event_id(), "7");
/// # Ok::<(), sansocket_realtime::sse::ParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Parser {
    config: ParserConfig,
    /// The start of a line whose end has not arrived.
    line: Vec<u8>,
    /// Whether a first LF belongs to a CR that ended a line.
    after_cr: bool,
    /// Whether the stream's first line is past, which alone can begin with a byte order mark.
    past_first_line: bool,
    data: String,
    event_type: String,
    /// The standard's "last event ID buffer", if it was set since the last blank line. Otherwise it
    /// equals the last event ID. So a blank line costs the same however long the ID is.
    id: String,
    has_id: bool,
    last_event_id: String,
    reconnection_time: Option<Duration>,
    comment: String,
    /// What was lent last, whose buffers are to be emptied.
    lent: Option<Ready>,
    failed: Option<ParseError>,
}

/// The limits of a [`Parser`], which the standard does not have, and what it reports.
///
/// ```
/// use sansocket_realtime::sse::{Parser, ParserConfig};
///
/// let parser = Parser::new(ParserConfig::default().line(64 << 10).data(64 << 10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParserConfig {
    /// The longest line in bytes, without its end. 4 MiB by default.
    ///
    /// The type and the ID of an event are each in one line, so this bounds them too, though bytes
    /// that are not UTF-8 become longer: U+FFFD has three bytes.
    pub line: usize,
    /// The most bytes of the data of one event, all of its lines together. 4 MiB by default.
    pub data: usize,
    /// Whether comments are reported, as [`Received::Comment`]. Not by default.
    pub comments: bool,
}

impl ParserConfig {
    setters! { line: usize, data: usize, comments: bool }
}

impl Default for ParserConfig {
    fn default() -> Self {
        Self { line: 4 << 20, data: 4 << 20, comments: false }
    }
}

/// What a [`Parser`] has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received<'a> {
    /// An event.
    Message(MessageEvent<'a>),
    /// A comment: what follows the colon of its line.
    Comment(&'a str),
}

/// An event of a stream, with the fields of the `MessageEvent` that a browser dispatches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageEvent<'a> {
    /// The type of the event, `message` if the stream names none.
    #[doc(alias = "type")]
    pub event_type: &'a str,
    /// The text. Its lines are separated by LF, however they ended in the stream.
    pub data: &'a str,
    /// The last event ID: that of this event or, if it has none, of an earlier block. Empty if there
    /// was none.
    pub last_event_id: &'a str,
}

/// Why a stream can't be parsed any further. The server sent more than a limit of the
/// [`ParserConfig`], so the same stream fails again unless you raise the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// A line is longer than [`ParserConfig::line`].
    #[error("a line of the event stream has more than {limit} bytes")]
    LineTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The data of an event is longer than [`ParserConfig::data`].
    #[error("an event of the stream has more than {limit} bytes of data")]
    DataTooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

impl Parser {
    /// Creates a parser for a stream from its first byte.
    #[must_use]
    pub fn new(config: ParserConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Sets the ID that the client resumes after, which events without an ID of their own report.
    ///
    /// To the letter of the standard, each stream begins without one. Then an event without an ID
    /// would have the client forget where it is, so browsers keep it across streams, and so does
    /// this parser.
    #[must_use]
    pub fn resume_after(mut self, last_event_id: &str) -> Self {
        self.last_event_id = last_event_id.into();
        self
    }

    /// Takes bytes from the front of `input` up to the next event, or all of them.
    ///
    /// Call it until it returns `None`; `input` is empty then.
    ///
    /// # Errors
    ///
    /// Returns an error if a limit is exceeded, and the same one at each later call.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Received<'_>>, ParseError> {
        self.release_lent();
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.lent = match self.advance(input) {
            Ok(ready) => ready,
            Err(error) => {
                self.failed = Some(error);
                return Err(error);
            }
        };
        Ok(self.lent.map(|ready| match ready {
            Ready::Comment => Received::Comment(&self.comment),
            Ready::Message => Received::Message(MessageEvent {
                event_type: if self.event_type.is_empty() { "message" } else { &self.event_type },
                data: &self.data,
                last_event_id: &self.last_event_id,
            }),
        }))
    }

    /// Tells the parser that the stream has ended. The next byte is the first of another stream.
    ///
    /// A block without a blank line at its end is discarded, its ID included. The last event ID and
    /// the reconnection time stay.
    pub fn end(&mut self) {
        // §9.2.6: what is pending at the end of the file is discarded.
        let kept = Self {
            last_event_id: mem::take(&mut self.last_event_id),
            reconnection_time: self.reconnection_time,
            ..Self::new(self.config)
        };
        *self = kept;
    }

    /// Returns the last event ID, that of the last complete block that has one: what to send as
    /// `Last-Event-ID`, unless it is empty.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// Returns the time that the stream tells the client to wait before it reconnects, if it does.
    /// A time of more than 2⁶⁴ − 1 milliseconds is reported as that.
    #[must_use]
    pub const fn reconnection_time(&self) -> Option<Duration> {
        self.reconnection_time
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Ready>, ParseError> {
        while let Some(&first) = input.first() {
            // §9.2.6: CR LF ends one line. Its CR ended the line already, without waiting for more.
            if mem::take(&mut self.after_cr) && first == b'\n' {
                *input = input.get(1..).unwrap_or_default();
                continue;
            }
            let Some(end) = find_line_end(input) else {
                self.check_line(input)?;
                self.line.extend_from_slice(input);
                *input = &[];
                return Ok(None);
            };
            let (piece, rest) = input.split_at(end);
            self.after_cr = rest.first() == Some(&b'\r');
            *input = rest.get(1..).unwrap_or_default();
            let ready = self.end_line(piece)?;
            if ready.is_some() {
                return Ok(ready);
            }
        }
        Ok(None)
    }

    /// Processes a line whose last piece this is.
    fn end_line(&mut self, piece: &[u8]) -> Result<Option<Ready>, ParseError> {
        self.check_line(piece)?;
        if self.line.is_empty() {
            return self.process_line(piece);
        }
        let mut line = mem::take(&mut self.line);
        line.extend_from_slice(piece);
        let ready = self.process_line(&line);
        line.clear();
        line.shrink_to(KEPT);
        self.line = line;
        ready
    }

    fn check_line(&self, piece: &[u8]) -> Result<(), ParseError> {
        let limit = self.config.line;
        if self.line.len().saturating_add(piece.len()) > limit {
            return Err(ParseError::LineTooLong { limit });
        }
        Ok(())
    }

    /// §9.2.6, "Lines must be processed". Lines and fields are told apart as bytes and decoded alone:
    /// an ASCII byte is neither part of a longer character, nor of what U+FFFD stands for.
    fn process_line(&mut self, line: &[u8]) -> Result<Option<Ready>, ParseError> {
        let is_first = !mem::replace(&mut self.past_first_line, true);
        // "UTF-8 decode" drops one byte order mark. Another is part of the name of a field.
        let line = if is_first { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line };
        // A blank line dispatches the event.
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        match line.iter().position(|&byte| byte == b':') {
            // A line that starts with a colon is ignored.
            Some(0) => Ok(self.comment(line.get(1..).unwrap_or_default())),
            // The name is what stands before the first colon, the value what stands after it and,
            // if there is one, a space.
            Some(colon) => {
                let (name, value) = line.split_at(colon);
                let value = value.strip_prefix(b": ").or_else(|| value.get(1..));
                self.field(name, value.unwrap_or_default())?;
                Ok(None)
            }
            // A line without a colon is the name of a field with an empty value.
            None => {
                self.field(line, b"")?;
                Ok(None)
            }
        }
    }

    /// §9.2.6, "process the field". Names are compared with case.
    fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), ParseError> {
        match name {
            b"event" => set_decoded(value, &mut self.event_type),
            // Each value is followed by LF, so there is data even if all values are empty.
            b"data" => {
                let limit = self.config.data;
                if !append_decoded(value, limit, &mut self.data) {
                    return Err(ParseError::DataTooLong { limit });
                }
                self.data.push('\n');
            }
            // A value with NUL is ignored.
            b"id" if !value.contains(&0) => {
                set_decoded(value, &mut self.id);
                self.has_id = true;
            }
            // Only ASCII digits. An empty value has none, and is no integer.
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                self.reconnection_time = Some(Duration::from_millis(saturating_integer(value)));
            }
            // Other fields are ignored.
            _ => {}
        }
        Ok(())
    }

    /// §9.2.6, "dispatch the event".
    fn dispatch(&mut self) -> Option<Ready> {
        // Step 1: the ID counts even if there is no event.
        if mem::take(&mut self.has_id) {
            mem::swap(&mut self.last_event_id, &mut self.id);
            empty(&mut self.id);
        }
        // Step 2: without data there is no event, and its type is forgotten.
        if self.data.is_empty() {
            empty(&mut self.event_type);
            return None;
        }
        // Step 3: the last LF, which `field` has appended, is no part of the data.
        self.data.pop();
        // Steps 4 to 8: the event. Step 7, emptying the buffers, waits until it is not lent any more.
        Some(Ready::Message)
    }

    fn comment(&mut self, text: &[u8]) -> Option<Ready> {
        if !self.config.comments {
            return None;
        }
        set_decoded(text, &mut self.comment);
        Some(Ready::Comment)
    }

    fn release_lent(&mut self) {
        let used = match self.lent.take() {
            Some(Ready::Message) => [Some(&mut self.data), Some(&mut self.event_type)],
            Some(Ready::Comment) => [Some(&mut self.comment), None],
            None => return,
        };
        used.into_iter().flatten().for_each(empty);
    }
}

#[derive(Clone, Copy, Debug)]
enum Ready {
    Message,
    Comment,
}

/// How many bytes of a buffer are kept for the next line or event.
const KEPT: usize = 16 << 10;

/// Empties a buffer, and returns its memory after something large.
fn empty(text: &mut String) {
    text.clear();
    text.shrink_to(KEPT);
}

fn set_decoded(bytes: &[u8], text: &mut String) {
    empty(text);
    append_decoded(bytes, usize::MAX, text);
}

/// Decodes UTF-8 with U+FFFD for each maximal part of an invalid character, as the Encoding Standard
/// has it. Returns `false` if `text` would become longer than `limit`.
fn append_decoded(bytes: &[u8], limit: usize, text: &mut String) -> bool {
    if let Ok(valid) = core::str::from_utf8(bytes) {
        return append(valid, limit, text);
    }
    bytes.utf8_chunks().all(|chunk| {
        let replacement = if chunk.invalid().is_empty() { "" } else { "\u{fffd}" };
        append(chunk.valid(), limit, text) && append(replacement, limit, text)
    })
}

fn append(piece: &str, limit: usize, text: &mut String) -> bool {
    if text.len().saturating_add(piece.len()) > limit {
        return false;
    }
    text.push_str(piece);
    true
}

/// Returns the integer in base ten, or `u64::MAX` if it is larger.
fn saturating_integer(digits: &[u8]) -> u64 {
    digits.iter().fold(0_u64, |value, digit| {
        value.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(parser: &mut Parser, mut input: &[u8]) -> usize {
        let mut count = 0;
        while parser.next(&mut input).unwrap().is_some() {
            count += 1;
        }
        count
    }

    #[test]
    fn memory_returns_after_large_events() {
        let mut parser = Parser::new(ParserConfig::default().comments(true));
        let large = "x".repeat(1 << 20);
        for start in ["data:", "event:", ":"] {
            // Cut, so that the parser has to keep the line as well.
            assert_eq!(count(&mut parser, start.as_bytes()), 0);
            assert_eq!(count(&mut parser, large.as_bytes()), 0);
            assert!(parser.line.capacity() > 1 << 20);
            count(&mut parser, b"\ndata\n\n");
            for buffer in [&parser.data, &parser.event_type, &parser.comment] {
                assert!(buffer.capacity() <= KEPT, "{start}");
            }
            assert!(parser.line.capacity() <= KEPT, "{start}");
        }
        let large = alloc::format!("event:{large}\nid:{large}\n\n");
        assert_eq!(count(&mut parser, large.as_bytes()), 0);
        assert!(parser.event_type.capacity() <= KEPT);
        assert_eq!(count(&mut parser, b"id:1\n\n"), 0);
        assert!(parser.id.capacity() + parser.last_event_id.capacity() <= 2 * KEPT);
    }

    #[test]
    fn a_stream_of_small_events_allocates_nothing_more() {
        let mut parser = Parser::default();
        for _ in 0..2 {
            assert_eq!(count(&mut parser, b"event:e\nid:1\ndata:12345678\n\n"), 1);
        }
        let before = [&parser.data, &parser.event_type, &parser.id, &parser.last_event_id];
        let before = before.map(|buffer| buffer.as_ptr());
        assert_eq!(count(&mut parser, b"event:f\nid:2\ndata:abcdefgh\n\n"), 1);
        assert_eq!(count(&mut parser, b"event:g\nid:3\ndata:87654321\n\n"), 1);
        let after = [&parser.data, &parser.event_type, &parser.id, &parser.last_event_id];
        assert_eq!(before, after.map(|buffer| buffer.as_ptr()));
    }

    #[test]
    fn promises_of_a_peer_allocate_nothing() {
        let parser = Parser::new(ParserConfig::default().line(usize::MAX).data(usize::MAX));
        assert_eq!(parser.line.capacity() + parser.data.capacity(), 0);
    }
}
