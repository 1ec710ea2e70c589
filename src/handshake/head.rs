//! The head of an HTTP/1 message: finding its end in bytes that come in pieces, and its parts.

use super::{HandshakeError, HeadPart, HttpVersion, error::excerpt};
use crate::{
    Limits,
    headers::{Fields, is_token},
};
use alloc::{borrow::Cow, vec, vec::Vec};
use core::ops::Range;

/// How the head begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartLine {
    Request,
    Status,
}

/// Looks at each byte once, in order, and remembers what it has seen: the outcome can't depend on
/// how the bytes were cut.
#[derive(Debug)]
pub(super) struct HeadScanner {
    kind: StartLine,
    max_line: usize,
    max_bytes: usize,
    max_headers: usize,
    /// Bytes of earlier heads that count towards the limit.
    before: usize,
    scanned: usize,
    line_start: usize,
    start_line: Option<Range<usize>>,
    header_lines: usize,
}

/// Where the parts of a complete head are.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) start_line: Range<usize>,
    fields: Range<usize>,
    count: usize,
    kind: StartLine,
}

impl HeadScanner {
    pub(super) fn new(kind: StartLine, limits: &Limits) -> Self {
        Self {
            kind,
            max_line: limits.handshake_line.min(limits.handshake_bytes),
            max_bytes: limits.handshake_bytes,
            max_headers: limits.handshake_headers,
            before: 0,
            scanned: 0,
            line_start: 0,
            start_line: None,
            header_lines: 0,
        }
    }

    /// Looks at what is new in `unread`; `None` if the head goes on.
    pub(super) fn scan(&mut self, unread: &[u8]) -> Result<Option<Head>, HandshakeError> {
        for &byte in unread.get(self.scanned..).unwrap_or_default() {
            let at = self.scanned;
            self.scanned += 1;
            if byte == b'\n' {
                if let Some(head) = self.end_line(unread, at)? {
                    return Ok(Some(head));
                }
            } else if self.start_line.is_none() {
                self.check_start(byte, at)?;
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
        self.start_line = None;
        self.header_lines = 0;
    }

    /// Bytes looked at so far.
    pub(super) fn total(&self) -> usize {
        self.before + self.scanned
    }

    fn end_line(&mut self, unread: &[u8], at: usize) -> Result<Option<Head>, HandshakeError> {
        // A line may end with LF alone (RFC 9112 §2.2).
        let start = self.line_start;
        let end = if at > start && unread[at - 1] == b'\r' { at - 1 } else { at };
        self.line_start = at + 1;
        match &self.start_line {
            // Empty lines before a request are passed over (RFC 9112 §2.2).
            None if start == end && self.kind == StartLine::Request => Ok(None),
            None => {
                match self.kind {
                    StartLine::Request => RequestLine::parse(&unread[start..end])?.check()?,
                    StartLine::Status => StatusLine::parse(&unread[start..end]).map(|_| ())?,
                }
                self.start_line = Some(start..end);
                Ok(None)
            }
            Some(line) if start == end => Ok(Some(Head {
                start_line: line.clone(),
                fields: line.end..at + 1,
                count: self.header_lines,
                kind: self.kind,
            })),
            Some(_) => {
                self.header_lines += 1;
                if self.header_lines > self.max_headers {
                    return Err(HandshakeError::TooManyHeaders { limit: self.max_headers });
                }
                Ok(None)
            }
        }
    }

    /// What can't begin a head is refused at once: TLS, another protocol, noise.
    fn check_start(&self, byte: u8, at: usize) -> Result<(), HandshakeError> {
        let position = at - self.line_start;
        match self.kind {
            StartLine::Request => {
                if !matches!(byte, b' '..=b'~' | b'\r') {
                    return Err(HandshakeError::Malformed(HeadPart::RequestLine));
                }
                // The line has one more byte at least, of its end.
                if position + 1 >= self.max_line {
                    return Err(HandshakeError::RequestLineTooLong { limit: self.max_line });
                }
            }
            StartLine::Status => {
                if b"HTTP/".get(position).is_some_and(|expected| *expected != byte) {
                    return Err(HandshakeError::Malformed(HeadPart::StatusLine));
                }
            }
        }
        Ok(())
    }
}

impl Head {
    /// Bytes of the head, from the first unread one on.
    pub(super) fn len(&self) -> usize {
        self.fields.end
    }

    pub(super) fn fields(&self, unread: &[u8]) -> Result<Fields, HandshakeError> {
        let lines = &unread[self.fields.clone()];
        // The end of the start line stands before them.
        let lines = lines.strip_prefix(b"\r").unwrap_or(lines);
        let lines = lines.strip_prefix(b"\n").unwrap_or(lines);
        let lines = match self.kind {
            StartLine::Request => Cow::Borrowed(lines),
            StartLine::Status => unfolded(lines),
        };
        let mut fields = vec![httparse::EMPTY_HEADER; self.count];
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

/// `GET /chat HTTP/1.1` (RFC 9112 §3).
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) version: HttpVersion,
}

impl<'a> RequestLine<'a> {
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, HandshakeError> {
        Self::parts(line).ok_or(HandshakeError::Malformed(HeadPart::RequestLine))
    }

    /// What needs no more than this line to be refused. In another major version the method may
    /// mean anything, so the version counts; except for HEAD, whose answer has no body then either.
    pub(super) fn check(&self) -> Result<(), HandshakeError> {
        if self.version.major != 1 && self.method != "HEAD" {
            return Err(HandshakeError::HttpVersion(self.version));
        }
        if self.method != "GET" {
            return Err(HandshakeError::Method(excerpt(self.method.as_bytes())));
        }
        // HTTP/1.0 has no Upgrade (RFC 9110 §7.8).
        if self.version < HttpVersion::HTTP_11 {
            return Err(HandshakeError::HttpVersion(self.version));
        }
        Ok(())
    }

    fn parts(line: &'a [u8]) -> Option<Self> {
        let mut parts = line.split(|&byte| byte == b' ');
        let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
        let valid = is_token(method)
            && !target.is_empty()
            && target.iter().all(u8::is_ascii_graphic)
            && parts.next().is_none();
        if !valid {
            return None;
        }
        Some(Self {
            method: core::str::from_utf8(method).ok()?,
            target: core::str::from_utf8(target).ok()?,
            version: HttpVersion::parse(version)?,
        })
    }
}

/// `HTTP/1.1 101 Switching Protocols` (RFC 9112 §4).
pub(super) struct StatusLine {
    pub(super) version: HttpVersion,
    pub(super) status: u16,
}

impl StatusLine {
    pub(super) fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        Self::parts(line).ok_or(HandshakeError::Malformed(HeadPart::StatusLine))
    }

    fn parts(line: &[u8]) -> Option<Self> {
        let (version, rest) = line.split_first_chunk::<8>()?;
        let version = HttpVersion::parse(version)?;
        let ([b' ', digits @ ..], reason) = rest.split_first_chunk::<4>()? else { return None };
        let [hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = digits else {
            return None;
        };
        // Many leave the space away when they give no reason.
        let reason_is_valid = match reason {
            [] => true,
            [b' ', text @ ..] => text.iter().all(|byte| !byte.is_ascii_control() || *byte == b'\t'),
            _ => false,
        };
        let number = |digit: &u8| u16::from(*digit - b'0');
        let status = number(hundreds) * 100 + number(tens) * 10 + number(ones);
        reason_is_valid.then_some(Self { version, status })
    }
}
