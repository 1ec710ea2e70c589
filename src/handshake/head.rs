//! The head of an HTTP/1 message: finds its end in bytes that arrive in pieces, and parses it.

use super::error::{HandshakeError, HeadPart};
use super::start_line::StartLine;
use crate::headers::Fields;
use crate::limits::Limits;
use alloc::{borrow::Cow, vec, vec::Vec};

/// A scanner that reads each byte once, in order, and keeps its state. The result therefore does
/// not depend on how the bytes were split.
#[derive(Debug)]
pub(super) struct HeadScanner<L> {
    parse_line: fn(&[u8]) -> Result<L, HandshakeError>,
    max_line: usize,
    max_bytes: usize,
    max_headers: usize,
    /// The number of bytes of earlier heads, which count towards the limit.
    before: usize,
    scanned: usize,
    line_start: usize,
    /// The start line, once complete, and the position where the header lines begin.
    start: Option<(L, usize)>,
    header_lines: usize,
}

/// A complete head.
#[derive(Debug)]
pub(super) struct Head<L> {
    pub(super) line: L,
    pub(super) fields: Fields,
    /// The length of the head in bytes, from the first unread byte.
    pub(super) len: usize,
}

impl<L: StartLine> HeadScanner<L> {
    pub(super) fn new(limits: &Limits) -> Self {
        Self::with_line(L::parse, limits)
    }

    /// Creates a scanner that parses the start line with `parse_line`.
    pub(super) fn with_line(
        parse_line: fn(&[u8]) -> Result<L, HandshakeError>,
        limits: &Limits,
    ) -> Self {
        Self {
            parse_line,
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

    /// Scans the new bytes of `unread`. Returns `None` if the head is not complete.
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

    /// Starts another head after the complete one. The size limit applies to both together.
    pub(super) fn restart(&mut self) {
        self.before += self.scanned;
        self.scanned = 0;
        self.line_start = 0;
        self.start = None;
        self.header_lines = 0;
    }

    /// Returns the number of bytes scanned so far.
    pub(super) fn total(&self) -> usize {
        self.before + self.scanned
    }

    /// Takes the start line of a head that is incomplete, or invalid after that line.
    pub(super) fn take_line(&mut self) -> Option<L> {
        self.start.take().map(|(line, _)| line)
    }

    fn end_line(&mut self, unread: &[u8], at: usize) -> Result<Option<Head<L>>, HandshakeError> {
        // A line may end with LF alone (RFC 9112 §2.2).
        let start = self.line_start;
        let end = if at > start && unread[at - 1] == b'\r' { at - 1 } else { at };
        let is_empty = start == end;
        let len = at + 1;
        self.line_start = len;
        let Some((_, from)) = self.start else {
            // Skip empty lines before a request (RFC 9112 §2.2).
            if !(is_empty && L::IS_REQUEST) {
                self.start = Some(((self.parse_line)(&unread[start..end])?, len));
            }
            return Ok(None);
        };
        if is_empty {
            let fields = fields::<L>(&unread[from..len], self.header_lines)?;
            return Ok(self.take_line().map(|line| Head { line, fields, len }));
        }
        self.header_lines += 1;
        if self.header_lines > self.max_headers {
            return Err(HandshakeError::TooManyHeaders { limit: self.max_headers });
        }
        Ok(None)
    }
}

/// Parses `count` header lines and the empty line after them.
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

/// Replaces each line end before a continuation line with spaces, for a client. A server rejects
/// such headers (RFC 9112 §5.2), because a proxy in front of it may have parsed them differently.
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
