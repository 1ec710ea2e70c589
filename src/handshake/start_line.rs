//! The first line of a head.

use super::error::{HandshakeError, HeadPart, excerpt};
use super::version::HttpVersion;
use crate::headers::is_token;
use alloc::boxed::Box;

/// The first line of a request or of a response.
pub(super) trait StartLine: Sized {
    /// `true` for requests. Servers must be stricter than clients (RFC 9112 §2.2, §5.2).
    const IS_REQUEST: bool;

    /// Checks a byte of a line that may be incomplete, to refuse at once what can't begin a head.
    /// `most` is the length limit of the line.
    fn check_byte(byte: u8, position: usize, most: usize) -> Result<(), HandshakeError>;

    /// Parses the line without its end.
    fn parse(line: &[u8]) -> Result<Self, HandshakeError>;
}

/// A request line: `GET /chat HTTP/1.1` (RFC 9112 §3). Everything but the target is valid for a
/// WebSocket unless `deferred` is set.
#[derive(Debug)]
pub(super) struct RequestLine {
    pub(super) target: Box<str>,
    pub(super) is_head: bool,
    /// Whether the version supports `Upgrade`: HTTP/1.0 does not (RFC 9110 §7.8).
    pub(super) has_upgrade: bool,
    /// The reason why the request opens no WebSocket, if it may still get a plain response.
    pub(super) deferred: Option<HandshakeError>,
}

/// A status line: `HTTP/1.1 101 Switching Protocols` (RFC 9112 §4).
#[derive(Debug)]
pub(super) struct StatusLine {
    pub(super) version: HttpVersion,
    pub(super) status: u16,
}

impl RequestLine {
    /// Refuses what this line alone rules out. In another major version the method may mean
    /// anything, so the version is the error. HEAD is an exception, because its response must have
    /// no body even then.
    pub(super) fn new(
        method: &str,
        target: &str,
        version: HttpVersion,
    ) -> Result<Self, HandshakeError> {
        if version.major != 1 && method != "HEAD" {
            return Err(HandshakeError::HttpVersion(version));
        }
        if method != "GET" {
            return Err(HandshakeError::Method(excerpt(method.as_bytes())));
        }
        // HTTP/1.0 has no Upgrade (RFC 9110 §7.8).
        if version < HttpVersion::HTTP_11 {
            return Err(HandshakeError::HttpVersion(version));
        }
        Ok(Self { target: target.into(), is_head: false, has_upgrade: true, deferred: None })
    }

    /// Parses a line that may also belong to a plain request, such as one with HEAD or HTTP/1.0.
    pub(super) fn parse_plain(line: &[u8]) -> Result<Self, HandshakeError> {
        let malformed = HandshakeError::Malformed(HeadPart::RequestLine);
        let (method, target, version) = Self::parts(line).ok_or(malformed)?;
        Self::new(method, target, version).or_else(|error| {
            let is_head = method == "HEAD";
            if version.major != 1 || !is_head && method != "GET" {
                return Err(error);
            }
            let has_upgrade = version >= HttpVersion::HTTP_11;
            Ok(Self { target: target.into(), is_head, has_upgrade, deferred: Some(error) })
        })
    }

    /// Returns the method, the target and the version.
    fn parts(line: &[u8]) -> Option<(&str, &str, HttpVersion)> {
        let mut parts = line.split(|&byte| byte == b' ');
        let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
        let valid = is_token(method)
            && !target.is_empty()
            && target.iter().all(u8::is_ascii_graphic)
            && parts.next().is_none();
        if !valid {
            return None;
        }
        let (method, target) = (core::str::from_utf8(method), core::str::from_utf8(target));
        Some((method.ok()?, target.ok()?, HttpVersion::parse(version)?))
    }
}

impl StartLine for RequestLine {
    const IS_REQUEST: bool = true;

    fn check_byte(byte: u8, position: usize, most: usize) -> Result<(), HandshakeError> {
        if !matches!(byte, b' '..=b'~' | b'\r') {
            return Err(HandshakeError::Malformed(HeadPart::RequestLine));
        }
        // The line end takes at least one more byte.
        if position + 1 >= most {
            return Err(HandshakeError::RequestLineTooLong { limit: most });
        }
        Ok(())
    }

    fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        let malformed = HandshakeError::Malformed(HeadPart::RequestLine);
        let (method, target, version) = Self::parts(line).ok_or(malformed)?;
        Self::new(method, target, version)
    }
}

impl StatusLine {
    fn parts(line: &[u8]) -> Option<Self> {
        let (version, rest) = line.split_first_chunk::<8>()?;
        let version = HttpVersion::parse(version)?;
        let ([b' ', digits @ ..], reason) = rest.split_first_chunk::<4>()? else { return None };
        let [hundreds @ b'1'..=b'9', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = digits else {
            return None;
        };
        // Many servers omit the space if they give no reason.
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

impl StartLine for StatusLine {
    const IS_REQUEST: bool = false;

    fn check_byte(byte: u8, position: usize, _: usize) -> Result<(), HandshakeError> {
        if b"HTTP/".get(position).is_some_and(|expected| *expected != byte) {
            return Err(HandshakeError::Malformed(HeadPart::StatusLine));
        }
        Ok(())
    }

    fn parse(line: &[u8]) -> Result<Self, HandshakeError> {
        Self::parts(line).ok_or(HandshakeError::Malformed(HeadPart::StatusLine))
    }
}
