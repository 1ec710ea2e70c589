use crate::buffer::WriteBuffer;
use crate::headers::{HeaderError, check_header, put_header};
use alloc::{borrow::Cow, string::ToString, vec::Vec};
use core::fmt;
use thiserror::Error;

/// How a server refuses to open a WebSocket: an HTTP response, after which the connection ends.
///
/// ```
/// use sansocket::{Reject, WriteBuffer};
///
/// let mut output = WriteBuffer::new();
/// Reject::new(401)
///     .header("WWW-Authenticate", "Bearer")
///     .body("who are you?\n")
///     .write(&mut output)?;
/// # Ok::<(), sansocket::RejectError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reject<'a> {
    /// The status code.
    pub status: u16,
    /// Header fields beside those that say that the connection ends, and of what length the body
    /// is. Without a `Content-Type` among them the body is plain text, if it is text.
    pub headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// The body.
    pub body: Cow<'a, [u8]>,
    /// It answers HEAD, so nothing is said of the body that another method would get: its length
    /// may be left out, but must not be wrong (RFC 9110 §8.6, §9.3.2).
    to_head: bool,
}

/// An answer that may not be given: the server's own doing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RejectError {
    /// A status that does not end the request (RFC 9110 §15): 1xx is none, above 599 is nothing.
    #[error("status {status} is no final answer, 200 to 599 are")]
    Status {
        /// The status code.
        status: u16,
    },
    /// A body with a status that has none (RFC 9110 §6.4.1).
    #[error("a response with status {status} has no body")]
    Body {
        /// The status code.
        status: u16,
    },
    /// A header field that can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// No request waits for an answer: it has one already, or none has come.
    #[error("no request waits for an answer")]
    Over,
}

/// What the answer says by itself.
const RESERVED: [&str; 3] = ["Connection", "Content-Length", "Transfer-Encoding"];

impl<'a> Reject<'a> {
    /// Refuses with a status and no body.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Cow::Borrowed(&[]), to_head: false }
    }

    /// The same for an answer to HEAD.
    pub(super) fn to_head(status: u16) -> Self {
        Self { to_head: true, ..Self::new(status) }
    }

    /// Adds a header field to the [`headers`](Self::headers).
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the [`body`](Self::body) to a text.
    #[must_use]
    pub fn body(self, text: impl Into<Cow<'a, str>>) -> Self {
        self.body_bytes(match text.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
    }

    /// Sets the [`body`](Self::body) to bytes of any kind; their `Content-Type` belongs among the
    /// [`headers`](Self::headers).
    #[must_use]
    pub fn body_bytes(mut self, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// Appends the response. Then the connection is to be ended.
    ///
    /// # Errors
    ///
    /// If the answer is not allowed. Then nothing is appended.
    pub fn write(&self, output: &mut WriteBuffer) -> Result<(), RejectError> {
        let status = self.status;
        if !(200..=599).contains(&status) {
            return Err(RejectError::Status { status });
        }
        let bodiless = matches!(status, 204 | 205 | 304);
        if bodiless && !self.body.is_empty() {
            return Err(RejectError::Body { status });
        }
        for (name, value) in &self.headers {
            check_header(name, value, &RESERVED)?;
        }
        output.extend_from_slice(b"HTTP/1.1 ");
        output.extend_from_slice(status.to_string().as_bytes());
        output.extend_from_slice(b" ");
        output.extend_from_slice(reason(status).as_bytes());
        output.extend_from_slice(b"\r\n");
        // An Upgrade has to be listed in Connection (RFC 9110 §7.8).
        let upgrade = self.has("Upgrade");
        put_header(output, "Connection", if upgrade { b"Upgrade, close" } else { b"close" });
        if !bodiless && !self.to_head {
            put_header(output, "Content-Length", self.body.len().to_string().as_bytes());
            if !self.has("Content-Type") && core::str::from_utf8(&self.body).is_ok() {
                put_header(output, "Content-Type", b"text/plain; charset=utf-8");
            }
        }
        for (name, value) in &self.headers {
            put_header(output, name, value.as_bytes());
        }
        output.extend_from_slice(b"\r\n");
        output.extend_from_slice(&self.body);
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }
}

/// The reason phrase, for people who look at the bytes.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Content Too Large",
        414 => "URI Too Long",
        421 => "Misdirected Request",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

impl fmt::Debug for Reject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets: cookies.
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Reject")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn written(reject: &Reject<'_>) -> Result<String, RejectError> {
        let mut output = WriteBuffer::new();
        let result = reject.write(&mut output);
        assert!(result.is_ok() || output.is_empty(), "nothing is written");
        result.map(|()| String::from_utf8(output.front().to_vec()).unwrap())
    }

    #[test]
    fn the_answer_ends_the_connection() {
        let reject = Reject::new(404).header("X", "y").body("no \u{e4}\n");
        assert_eq!(
            written(&reject).unwrap(),
            "HTTP/1.1 404 Not Found\r\n\
            Connection: close\r\n\
            Content-Length: 6\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\
            X: y\r\n\r\nno \u{e4}\n",
        );
        let text = written(&Reject::new(299).header("content-type", "a/b")).unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 299 \r\nConnection: close\r\nContent-Length: 0\r\ncontent-type: a/b\r\n\r\n",
        );
        let text = written(&Reject::new(426).header("upgrade", "websocket")).unwrap();
        assert!(text.contains("\r\nConnection: Upgrade, close\r\n"), "{text}");
    }

    #[test]
    fn a_body_of_bytes_is_not_called_text() {
        let bytes = Reject::new(403).body_bytes(&b"\xff\0"[..]);
        let mut output = WriteBuffer::new();
        bytes.write(&mut output).unwrap();
        let expected: &[u8] =
            b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\n\xff\0";
        assert_eq!(output.front(), expected);
        assert_eq!(Reject::new(403).body_bytes(&b"x"[..]), Reject::new(403).body("x"));
    }

    #[test]
    fn statuses() {
        for status in 0..=1000 {
            let expected = if (200..600).contains(&status) {
                Ok(())
            } else {
                Err(RejectError::Status { status })
            };
            assert_eq!(written(&Reject::new(status)).map(drop), expected);
        }
        for status in [204, 205, 304] {
            let text = written(&Reject::new(status)).unwrap();
            assert!(!text.contains("Content-"), "{text}");
            let error = written(&Reject::new(status).body("x"));
            assert_eq!(error, Err(RejectError::Body { status }));
        }
    }

    #[test]
    fn headers_that_may_not_be_sent() {
        for name in ["connection", "Content-Length", "Transfer-Encoding"] {
            let expected = HeaderError::Reserved(name.into());
            assert_eq!(written(&Reject::new(400).header(name, "x")), Err(expected.into()));
        }
        let expected = HeaderError::InvalidName("a:".into());
        assert_eq!(written(&Reject::new(400).header("a:", "x")), Err(expected.into()));
        for byte in [b'\r', b'\n', 0] {
            let expected = HeaderError::InvalidValue { name: "a".into(), byte };
            let value = String::from(char::from(byte));
            assert_eq!(written(&Reject::new(400).header("a", value)), Err(expected.into()));
        }
    }
}
