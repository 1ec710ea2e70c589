//! Writing an event stream.

use super::lines::lines;
use crate::{
    cursor::Cursor,
    http::event::write_gap,
    hub::Gap,
    message::{Encoded, Form, Published},
};
use alloc::{
    format,
    string::{String, ToString},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use core::{fmt::Write, time::Duration};

/// One block of an event stream, to be encoded: each field is left out if it is `None`.
///
/// What a client makes of the fields depends on [`data`](Self::data): without it there is no event,
/// and the other fields still have their effect. So a block of an [`id`](Self::id) alone moves the
/// client's last event ID, and one of a [`comment`](Self::comment) alone keeps the connection alive.
///
/// ```
/// use sansocket_realtime::sse::Event;
///
/// let event = Event::new().event("price").id("5f3a-7").data("first\nsecond");
/// assert_eq!(
///     event.encode()?,
///     "event: price\nid: 5f3a-7\ndata: first\ndata: second\n\n",
/// );
/// # Ok::<(), sansocket_realtime::sse::InvalidEvent>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The type of the event, `message` for a client if it is left out or empty. It can't contain
    /// line breaks.
    pub event: Option<&'a str>,
    /// What the client sends as `Last-Event-ID` when it reconnects. An empty one makes it send none.
    /// It can't contain line breaks or NUL.
    pub id: Option<&'a str>,
    /// The text of the event. All of it arrives, except that each CR LF and each CR arrives as LF:
    /// the format has no way to spell CR. Each line break is encoded in seven bytes.
    pub data: Option<&'a str>,
    /// How long the client waits before it reconnects. Encoded in whole milliseconds, rounded up.
    pub retry: Option<Duration>,
    /// A text that clients ignore. Each of its lines becomes a comment.
    pub comment: Option<&'a str>,
}

impl<'a> Event<'a> {
    /// Creates a block without fields.
    #[must_use]
    pub const fn new() -> Self {
        Self { event: None, id: None, data: None, retry: None, comment: None }
    }

    /// Sets the type of the [`event`](Self::event).
    #[must_use]
    pub const fn event(mut self, event_type: &'a str) -> Self {
        self.event = Some(event_type);
        self
    }

    /// Sets the [`id`](Self::id).
    #[must_use]
    pub const fn id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the [`data`](Self::data).
    #[must_use]
    pub const fn data(mut self, data: &'a str) -> Self {
        self.data = Some(data);
        self
    }

    /// Sets the reconnection time, [`retry`](Self::retry).
    #[must_use]
    pub const fn retry(mut self, time: Duration) -> Self {
        self.retry = Some(time);
        self
    }

    /// Sets the [`comment`](Self::comment).
    #[must_use]
    pub const fn comment(mut self, comment: &'a str) -> Self {
        self.comment = Some(comment);
        self
    }

    /// Encodes the block, the blank line at its end included.
    ///
    /// # Errors
    ///
    /// Returns an error if [`event`](Self::event) or [`id`](Self::id) contain a character that would
    /// end their line, or make the client ignore it. It is the fault of whoever chose them.
    pub fn encode(&self) -> Result<Bytes, InvalidEvent> {
        let mut out = String::with_capacity(self.estimated_len());
        self.encode_into(&mut out)?;
        Ok(Bytes::from(out))
    }

    /// Encodes the block as [`encode`](Self::encode) does, at the end of `out`.
    ///
    /// # Errors
    ///
    /// As for [`encode`](Self::encode). Then nothing is appended.
    pub fn encode_into(&self, out: &mut String) -> Result<(), InvalidEvent> {
        check_field("event", self.event, |character| matches!(character, '\n' | '\r'))?;
        check_id(self.id)?;
        for line in self.comment.into_iter().flat_map(lines) {
            write_line(":", line, out);
        }
        // A client drops one space behind the colon, so a value that begins with a space needs one
        // in front of it (§9.2.6). All values get one.
        if let Some(event_type) = self.event {
            write_line("event: ", event_type, out);
        }
        if let Some(id) = self.id {
            write_line("id: ", id, out);
        }
        if let Some(time) = self.retry {
            // Writing to a `String` can't fail.
            let _ = writeln!(out, "retry: {}", whole_milliseconds(time));
        }
        for line in self.data.into_iter().flat_map(lines) {
            write_line("data: ", line, out);
        }
        out.push('\n');
        Ok(())
    }

    /// Returns the exact length if no text has line breaks, and there is no `retry`. Then the memory
    /// of the shared bytes has no room left over, and none has to be counted apart.
    fn estimated_len(&self) -> usize {
        let texts = [(self.event, "event: \n"), (self.id, "id: \n"), (self.data, "data: \n")];
        let texts = texts.into_iter().chain([(self.comment, ":\n")]);
        texts.fold("\n".len(), |sum, (text, rest)| match text {
            Some(text) => sum.saturating_add(text.len()).saturating_add(rest.len()),
            None => sum,
        })
    }
}

/// Why an [`Event`] can't be encoded, or an ID can't be that of an event. Positions are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEvent {
    /// The field would end at this line break, and the rest would become another field.
    #[error("byte {at} of the field `{field}` is a line break, which can't be encoded")]
    LineBreak {
        /// `event` or `id`.
        field: &'static str,
        /// The position of the line break.
        at: usize,
    },
    /// Clients ignore an `id` with a NUL.
    #[error("byte {at} of the field `{field}` is NUL, for which clients ignore it")]
    Null {
        /// `id`.
        field: &'static str,
        /// The position of the NUL.
        at: usize,
    },
}

/// The type of an event whose data is in Base64, because the body of the message is not UTF-8.
pub const BINARY: &str = "binary";

/// Returns a block with the body of a message, which is made once for all who get it.
pub(super) fn block_of(message: &Published) -> &Bytes {
    let encode = |published: &Published| {
        let id = published.cursor().map(|cursor| cursor.to_string());
        let event = Event { id: id.as_deref(), ..Event::new() };
        let message = published.message();
        let block = match message.text() {
            Some(text) => event.data(text).encode(),
            None => event.event(BINARY).data(&BASE64_STANDARD.encode(message.body())).encode(),
        };
        let bytes = block.expect("neither a cursor nor the type has a line break");
        Encoded { bytes, is_text: true }
    };
    &message.encoded(Form::EventStream, encode).bytes
}

/// Encodes a block that moves the client's last event ID to `cursor`, and is no event.
///
/// Send one from time to time to a client whose topics are silent while others are not: then it can
/// resume after messages that it did not subscribe to, however few of them are kept.
///
/// ```
/// use sansocket_realtime::{Cursor, Epoch, sse};
///
/// assert_eq!(sse::encode_cursor(Cursor::new(Epoch(0x5f3a), 7)), "id: 5f3a-7\n\n");
/// ```
#[must_use]
pub fn encode_cursor(cursor: Cursor) -> Bytes {
    Bytes::from(format!("id: {cursor}\n\n"))
}

/// The type of the event that tells of lost messages.
pub const GAP: &str = "gap";

/// Encodes the event [`GAP`]: messages after one cursor and up to another may have been lost for this
/// client, because they are not kept any more. The client resumes after the gap from then on, and is not
/// told of it again.
///
/// ```
/// use sansocket_realtime::{hub::Gap, sse};
///
/// let gap = Gap { from: "5f3a-7".parse()?, to: "5f3a-9".parse()? };
/// assert_eq!(
///     sse::encode_gap(&gap),
///     "event: gap\nid: 5f3a-9\ndata: {\"from\":\"5f3a-7\",\"to\":\"5f3a-9\"}\n\n",
/// );
/// # Ok::<(), sansocket_realtime::InvalidCursor>(())
/// ```
#[must_use]
pub fn encode_gap(gap: &Gap) -> Bytes {
    let mut out = format!("event: {GAP}\nid: {}\ndata: ", gap.to);
    write_gap(gap, &mut out);
    out.push_str("\n\n");
    Bytes::from(out)
}

/// Returns a comment that keeps proxies from ending a silent connection. Send one every 15 seconds
/// (§9.2.7).
///
/// ```
/// assert_eq!(sansocket_realtime::sse::heart_beat(), ":\n\n");
/// ```
#[must_use]
pub const fn heart_beat() -> Bytes {
    Bytes::from_static(b":\n\n")
}

/// Encodes a block of a reconnection time alone.
pub(super) fn encode_retry(time: Duration) -> Bytes {
    Bytes::from(format!("retry: {}\n\n", whole_milliseconds(time)))
}

fn write_line(start: &str, text: &str, out: &mut String) {
    out.push_str(start);
    out.push_str(text);
    out.push('\n');
}

/// Checks what an event stream can have as an ID: a client ignores one with NUL (§9.2.6).
pub(super) fn check_id(id: Option<&str>) -> Result<(), InvalidEvent> {
    check_field("id", id, |character| matches!(character, '\n' | '\r' | '\0'))
}

fn check_field(
    field: &'static str,
    text: Option<&str>,
    is_forbidden: impl Fn(char) -> bool,
) -> Result<(), InvalidEvent> {
    let text = text.unwrap_or_default();
    let Some(at) = text.find(is_forbidden) else {
        return Ok(());
    };
    if text.as_bytes().get(at) == Some(&b'\0') {
        return Err(InvalidEvent::Null { field, at });
    }
    Err(InvalidEvent::LineBreak { field, at })
}

/// A pause that is not zero stays one: `retry: 0` would have the client reconnect at once.
fn whole_milliseconds(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_appended_for_an_invalid_event() {
        let mut out = "kept".to_string();
        for event in [Event::new().data("a").id("1\n"), Event::new().event("a\rb").comment("c")] {
            assert!(event.encode_into(&mut out).is_err());
        }
        assert_eq!(out, "kept");
    }

    #[test]
    fn errors_say_where() {
        let event = Event::new().event("κ\nb").encode();
        assert_eq!(event, Err(InvalidEvent::LineBreak { field: "event", at: 2 }));
        let id = Event::new().id("\0\n").encode();
        assert_eq!(id, Err(InvalidEvent::Null { field: "id", at: 0 }));
    }

    #[test]
    fn the_allocation_fits_a_text_without_line_breaks() {
        let (comment, data) = ("c".repeat(10), "a".repeat(1000));
        let event = Event::new().event("e").id("1-1").data(&data);
        for event in [event, event.comment(&comment), Event::new(), Event::new().id("")] {
            let mut out = String::new();
            event.encode_into(&mut out).unwrap();
            assert_eq!(out.len(), event.estimated_len());
        }
    }
}
