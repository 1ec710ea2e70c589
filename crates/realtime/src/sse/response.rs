//! The head of the response that is an event stream, and the field of the request that resumes one.

use crate::cursor::{Cursor, InvalidCursor};

/// The status of a response that is an event stream.
///
/// `EventSource` gives up for good on any other. So shed load with this status, a
/// [`retry`](super::Event::retry) and the end of the response, and never with 503. Answer with
/// [`NO_CONTENT`] what a client should not ask for again.
pub const STATUS: u16 = 200;

/// The status, 204, that has a client stop deliberately: it does not reconnect (§9.2.1).
pub const NO_CONTENT: u16 = 204;

/// The media type of an event stream. Its encoding is always UTF-8, so it needs no `charset`.
pub const CONTENT_TYPE: &str = "text/event-stream";

/// The header fields of a response that is an event stream, with names in lowercase.
///
/// - `content-type` is [`CONTENT_TYPE`].
/// - `cache-control` keeps caches from answering with an old stream, and `no-transform` keeps
///   proxies from compressing it (RFC 9111 §5.2.2), for which they would have to buffer.
/// - `x-content-type-options` keeps a browser from running the stream as a script, which it could be:
///   to JavaScript, the names of fields are labels.
/// - `x-accel-buffering` has nginx, and proxies that follow it, pass on each event at once.
///
/// Leave out `content-length`: the end is not known.
///
/// ```
/// use sansocket_realtime::sse;
///
/// let mut head = format!("HTTP/1.1 {} OK\r\n", sse::STATUS);
/// for (name, value) in sse::RESPONSE_FIELDS {
///     head.push_str(&format!("{name}: {value}\r\n"));
/// }
/// assert!(head.contains("content-type: text/event-stream\r\n"));
/// ```
pub const RESPONSE_FIELDS: &[(&str, &str)] = &[
    ("content-type", CONTENT_TYPE),
    ("cache-control", "no-cache, no-transform"),
    ("x-content-type-options", "nosniff"),
    ("x-accel-buffering", "no"),
];

/// Reads the value of the header field `Last-Event-ID`: where a client resumes.
///
/// Spaces around the value are no part of it, as HTTP libraries differ in whether they remove them
/// (RFC 9110 §5.5).
///
/// # Errors
///
/// Returns an error if the value is not a [`Cursor`]. It is the client's fault, or that of an earlier
/// server at the same address. Begin the stream nevertheless, but have it tell a gap, as
/// [`EventStreamRequest::parse`](super::EventStreamRequest::parse) does: the client believes that it resumes. A
/// client that sends [`Empty`](InvalidLastEventId::Empty) has no ID, so it loses nothing.
///
/// ```
/// use sansocket_realtime::{Cursor, Epoch, sse};
///
/// assert_eq!(sse::parse_last_event_id(b"5f3a-7"), Ok(Cursor::new(Epoch(0x5f3a), 7)));
/// assert!(sse::parse_last_event_id(b"17").is_err());
/// ```
pub fn parse_last_event_id(value: &[u8]) -> Result<Cursor, InvalidLastEventId> {
    let value = value.trim_ascii();
    if value.is_empty() {
        return Err(InvalidLastEventId::Empty);
    }
    let length = value.len();
    if length > LONGEST_CURSOR {
        return Err(InvalidLastEventId::TooLong { length, limit: LONGEST_CURSOR });
    }
    let text = core::str::from_utf8(value).map_err(|_| InvalidCursor)?;
    Ok(text.parse()?)
}

/// 16 hexadecimal digits, `-`, and 20 decimal digits.
const LONGEST_CURSOR: usize = 37;

/// Why a `Last-Event-ID` is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLastEventId {
    /// The value is empty.
    #[error("the Last-Event-ID is empty")]
    Empty,
    /// The value is longer than any cursor.
    #[error("the Last-Event-ID has {length} bytes, and a cursor has at most {limit}")]
    TooLong {
        /// The length of the value in bytes.
        length: usize,
        /// The length of the longest cursor in bytes.
        limit: usize,
    },
    /// The value is something else.
    #[error("the Last-Event-ID is not a cursor")]
    NotACursor(#[from] InvalidCursor),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::Epoch;
    use alloc::string::ToString;

    #[test]
    fn a_last_event_id_is_a_cursor_or_says_what_it_is() {
        let longest = Cursor::new(Epoch(u64::MAX), u64::MAX);
        let text = longest.to_string();
        assert_eq!(text.len(), LONGEST_CURSOR);
        assert_eq!(parse_last_event_id(text.as_bytes()), Ok(longest));
        assert_eq!(parse_last_event_id(b" \ta-1 "), Ok(Cursor::new(Epoch(10), 1)));
        for empty in [&b""[..], b" ", b"\t \t"] {
            assert_eq!(parse_last_event_id(empty), Err(InvalidLastEventId::Empty));
        }
        let too_long = Err(InvalidLastEventId::TooLong { length: 38, limit: 37 });
        assert_eq!(parse_last_event_id("1".repeat(38).as_bytes()), too_long);
        for other in [&b"1"[..], b"a-", b"-1", b"\xff-1", b"a-1\xc3", b"A-1", b"a -1", b"1-1,1-2"] {
            let invalid = Err(InvalidLastEventId::NotACursor(InvalidCursor));
            assert_eq!(parse_last_event_id(other), invalid, "{other:?}");
        }
    }
}
