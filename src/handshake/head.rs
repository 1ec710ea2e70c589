//! The head of an HTTP/1 message: finding its end in bytes that come in pieces, and its parts.

use super::error::{HandshakeError, HeadPart};
use super::start_line::StartLine;
use crate::headers::Fields;
use crate::limits::Limits;
use alloc::{borrow::Cow, vec, vec::Vec};

/// Looks at each byte once, in order, and remembers what it has seen: the outcome can't depend on
/// how the bytes were cut.
#[derive(Debug)]
pub(super) struct HeadScanner<L> {
    max_line: usize,
    max_bytes: usize,
    max_headers: usize,
    /// Bytes of earlier heads that count towards the limit.
    before: usize,
    scanned: usize,
    line_start: usize,
    /// The start line, once it is there, and where the lines of fields begin.
    start: Option<(L, usize)>,
    header_lines: usize,
}

/// A complete head.
#[derive(Debug)]
pub(super) struct Head<L> {
    pub(super) line: L,
    pub(super) fields: Fields,
    /// Bytes of it, from the first unread one on.
    pub(super) len: usize,
}

impl<L: StartLine> HeadScanner<L> {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            max_line: limits.handshake_line.min(limits.handshake_bytes),
            max_bytes: limits.handshake_bytes,
            max_headers: limits.handshake_headers,
            before: 0,
            scanned: 0,
            line_start: 0,
            start: None,
            header_lines: 0,
        }
    }

    /// Looks at what is new in `unread`; `None` if the head goes on.
    pub(super) fn scan(&mut self, unread: &[u8]) -> Result<Option<Head<L>>, HandshakeError> {
        for &byte in unread.get(self.scanned..).unwrap_or_default() {
            let at = self.scanned;
            self.scanned += 1;
            if byte == b'\n' {
                if let Some(head) = self.end_line(unread, at)? {
                    return Ok(Some(head));
                }
            } else if self.start.is_none() {
                L::check_byte(byte, at - self.line_start, self.max_line)?;
            }
            if self.before + self.scanned >= self.max_bytes {
                return Err(HandshakeError::HeadTooLong { limit: self.max_bytes });
            }
        }
        Ok(None)
    }

    /// Begins another head behind the one that was found; the limit is of both together.
    pub(super) fn restart(&mut self) {
        self.before += self.scanned;
        self.scanned = 0;
        self.line_start = 0;
        self.start = None;
        self.header_lines = 0;
    }

    /// Bytes looked at so far.
    pub(super) fn total(&self) -> usize {
        self.before + self.scanned
    }

    fn end_line(&mut self, unread: &[u8], at: usize) -> Result<Option<Head<L>>, HandshakeError> {
        // A line may end with LF alone (RFC 9112 §2.2).
        let start = self.line_start;
        let end = if at > start && unread[at - 1] == b'\r' { at - 1 } else { at };
        let is_empty = start == end;
        let len = at + 1;
        self.line_start = len;
        match self.start.take() {
            // Empty lines before a request are passed over (RFC 9112 §2.2).
            None if is_empty && L::IS_REQUEST => {}
            None => self.start = Some((L::parse(&unread[start..end])?, len)),
            Some((line, from)) if is_empty => {
                let fields = fields::<L>(&unread[from..len], self.header_lines)?;
                return Ok(Some(Head { line, fields, len }));
            }
            Some(line) => {
                self.start = Some(line);
                self.header_lines += 1;
                if self.header_lines > self.max_headers {
                    return Err(HandshakeError::TooManyHeaders { limit: self.max_headers });
                }
            }
        }
        Ok(None)
    }
}

/// The fields of `count` lines, and the empty one behind them.
fn fields<L: StartLine>(lines: &[u8], count: usize) -> Result<Fields, HandshakeError> {
    let lines = if L::IS_REQUEST { Cow::Borrowed(lines) } else { unfolded(lines) };
    let mut fields = vec![httparse::EMPTY_HEADER; count];
    let part = match httparse::parse_headers(&lines, &mut fields) {
        Ok(httparse::Status::Complete((len, fields))) if len == lines.len() => {
            return Ok(fields.iter().map(|field| (field.name, field.value)).collect());
        }
        Err(httparse::Error::HeaderName) => HeadPart::HeaderName,
        Err(httparse::Error::HeaderValue) => HeadPart::HeaderValue,
        _ => HeadPart::LineEnd,
    };
    Err(HandshakeError::Malformed(part))
}

/// A header that goes on in the next line is one with spaces instead of the line end, for a client.
/// A server refuses it (RFC 9112 §5.2): a proxy in front of it may have read something else.
fn unfolded(lines: &[u8]) -> Cow<'_, [u8]> {
    let mut changed: Option<Vec<u8>> = None;
    for at in 1..lines.len() {
        if let ([.., b'\n'], [b' ' | b'\t', ..]) = lines.split_at(at) {
            let lines = changed.get_or_insert_with(|| lines.to_vec());
            lines[at - 1] = b' ';
            if at > 1 && lines[at - 2] == b'\r' {
                lines[at - 2] = b' ';
            }
        }
    }
    changed.map_or(Cow::Borrowed(lines), Cow::Owned)
}
