//! Responses that do not open a WebSocket.

use super::version::OF_CONNECTIONS;
use crate::buffer::WriteBuffer;
use crate::headers::{HeaderError, check_header, put_header};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;
use thiserror::Error;

/// An HTTP response after which the connection ends: a refusal, or the answer to a
/// [`PlainRequest`](super::PlainRequest).
///
/// ```
/// use sansocket::{buffer::WriteBuffer, handshake::PlainResponse};
///
/// let mut output = WriteBuffer::new();
/// PlainResponse::new(401)
///     .header("WWW-Authenticate", "Bearer")
///     .body("who are you?\n")
///     .write(&mut output)?;
/// # Ok::<(), sansocket::handshake::PlainResponseError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PlainResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// `true` for the response to HEAD, which omits the length of the body that GET would get: the
    /// length may be left out, but must not be wrong (RFC 9110 §8.6, §9.3.2).
    to_head: bool,
    /// `true` for a response on a stream, whose end does not end the connection.
    on_stream: bool,
}

/// The reason why a [`PlainResponse`] can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PlainResponseError {
    /// The status is not that of a final response (RFC 9110 §15): 1xx is interim, and a status
    /// above 599 does not exist.
    #[error("status {status} is not a final status (200 to 599)")]
    Status {
        /// The status code.
        status: u16,
    },
    /// There is a body, but responses with this status have none (RFC 9110 §6.4.1).
    #[error("a response with status {status} has no body")]
    Body {
        /// The status code.
        status: u16,
    },
    /// A header field can't be sent.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// No request waits for an answer: none has arrived, or it was already answered.
    #[error("no request waits for an answer")]
    Over,
}

/// The headers that the response sets itself.
const RESERVED: [&str; 3] = ["Connection", "Content-Length", "Transfer-Encoding"];

impl PlainResponse {
    /// Creates a response with this status and no body.
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), to_head: false, on_stream: false }
    }

    /// Like [`new`](Self::new), for the response to HEAD.
    pub(super) fn to_head(status: u16) -> Self {
        Self { to_head: true, ..Self::new(status) }
    }

    /// Adds a header field. The fields for the end of the connection and the length of the body are
    /// added for you.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body to text. Unless you add a `Content-Type`, it is `text/plain`.
    #[must_use]
    pub fn body(self, text: impl Into<String>) -> Self {
        self.body_bytes(text.into())
    }

    /// Sets the body to arbitrary bytes. Add their `Content-Type` as a [`header`](Self::header).
    #[must_use]
    pub fn body_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = bytes.into();
        self
    }

    /// Returns the status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Returns the header fields for an HTTP library that sends the response: those that you added,
    /// the `Content-Type` of a text body, and the `Connection` that ends the connection. The library
    /// adds the length of the body.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let content_type = self.default_content_type().map(|value| ("Content-Type", value));
        let connection = (!self.on_stream).then(|| ("Connection", self.connection()));
        let added = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        content_type.into_iter().chain(connection).chain(added)
    }

    /// Returns the response for a stream of HTTP/2 or HTTP/3: without the fields that describe a
    /// connection of HTTP/1.1 (RFC 9113 §8.2.2), and with status 400 instead of 426, which asks for an
    /// upgrade that these versions don't have.
    #[must_use]
    pub fn for_stream(mut self) -> Self {
        self.headers.retain(|(name, _)| {
            !OF_CONNECTIONS.iter().any(|other| other.eq_ignore_ascii_case(name))
        });
        if self.status == 426 {
            self.status = 400;
        }
        self.on_stream = true;
        self
    }

    /// Returns the body. It is empty if there is none.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.body
    }

    /// Appends the response. End the connection after it.
    ///
    /// # Errors
    ///
    /// Returns an error if the response is invalid. In that case, nothing is appended.
    pub fn write(&self, output: &mut WriteBuffer) -> Result<(), PlainResponseError> {
        self.write_head(output)?;
        output.extend_from_slice(&self.body);
        Ok(())
    }

    /// Appends the response without its body, as HEAD requires (RFC 9110 §9.3.2).
    ///
    /// # Errors
    ///
    /// Returns an error if the response is invalid. In that case, nothing is appended.
    pub(crate) fn write_head(&self, output: &mut WriteBuffer) -> Result<(), PlainResponseError> {
        let status = self.status;
        if !(200..=599).contains(&status) {
            return Err(PlainResponseError::Status { status });
        }
        let bodiless = is_bodiless(status);
        if bodiless && !self.body.is_empty() {
            return Err(PlainResponseError::Body { status });
        }
        for (name, value) in &self.headers {
            check_header(name, value, &RESERVED)?;
        }
        output.extend_from_slice(b"HTTP/1.1 ");
        output.extend_from_slice(status.to_string().as_bytes());
        output.extend_from_slice(b" ");
        output.extend_from_slice(reason(status).as_bytes());
        output.extend_from_slice(b"\r\n");
        put_header(output, "Connection", self.connection().as_bytes());
        if !bodiless && !self.to_head {
            put_header(output, "Content-Length", self.body.len().to_string().as_bytes());
            if let Some(value) = self.default_content_type() {
                put_header(output, "Content-Type", value.as_bytes());
            }
        }
        for (name, value) in &self.headers {
            put_header(output, name, value.as_bytes());
        }
        output.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Returns the options of the connection, which ends: the peer may have sent frames already, and an
    /// intermediary may pass on everything as if the upgrade had succeeded. Nothing of that is another
    /// request. An `Upgrade` must be listed (RFC 9110 §7.8).
    fn connection(&self) -> &'static str {
        if self.has("Upgrade") { "Upgrade, close" } else { "close" }
    }

    /// Returns the content type if the body is text and you have not declared another one.
    fn default_content_type(&self) -> Option<&'static str> {
        let has_body = !is_bodiless(self.status) && !self.to_head;
        let is_text = has_body && core::str::from_utf8(&self.body).is_ok();
        (is_text && !self.has("Content-Type")).then_some("text/plain; charset=utf-8")
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }
}

/// Returns `true` if responses with this status have no body (RFC 9110 §6.4.1).
const fn is_bodiless(status: u16) -> bool {
    matches!(status, 204 | 205 | 304)
}

/// Returns the reason phrase, which is only for people who read the raw bytes.
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

impl fmt::Debug for PlainResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Hide the values: they may be secrets, such as cookies.
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("PlainResponse")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &PlainResponse) -> Result<String, PlainResponseError> {
        let mut output = WriteBuffer::new();
        let result = response.write(&mut output);
        assert!(result.is_ok() || output.is_empty(), "output despite an error");
        result.map(|()| String::from_utf8(output.front().to_vec()).unwrap())
    }

    #[test]
    fn the_response_ends_the_connection() {
        let response = PlainResponse::new(404).header("X", "y").body("no \u{e4}\n");
        assert_eq!(
            written(&response).unwrap(),
            "HTTP/1.1 404 Not Found\r\n\
            Connection: close\r\n\
            Content-Length: 6\r\n\
            Content-Type: text/plain; charset=utf-8\r\n\
            X: y\r\n\r\nno \u{e4}\n",
        );
        let text = written(&PlainResponse::new(299).header("content-type", "a/b")).unwrap();
        assert_eq!(
            text,
            "HTTP/1.1 299 \r\nConnection: close\r\nContent-Length: 0\r\ncontent-type: a/b\r\n\r\n",
        );
        let text = written(&PlainResponse::new(426).header("upgrade", "websocket")).unwrap();
        assert!(text.contains("\r\nConnection: Upgrade, close\r\n"), "{text}");
    }

    #[test]
    fn an_http_library_gets_the_response_as_data() {
        fn fields(response: &PlainResponse) -> Vec<(&str, &str)> {
            response.headers().collect()
        }
        let response = PlainResponse::new(429).header("Retry-After", "5").body("later\n");
        assert_eq!((response.status(), response.as_bytes()), (429, &b"later\n"[..]));
        let text = ("Content-Type", "text/plain; charset=utf-8");
        let close = ("Connection", "close");
        assert_eq!(fields(&response), [text, close, ("Retry-After", "5")]);
        let html = PlainResponse::new(200).header("content-type", "text/html").body("<p>");
        assert_eq!(fields(&html), [close, ("content-type", "text/html")]);
        assert_eq!(fields(&PlainResponse::new(403).body_bytes(&b"\xff"[..])), [close]);
        assert_eq!(fields(&PlainResponse::new(204)), [close]);
        assert_eq!(fields(&PlainResponse::to_head(405)), [close]);
        assert_eq!(fields(&PlainResponse::to_head(405).for_stream()), []);
        let upgrade = PlainResponse::to_head(426).header("Upgrade", "websocket");
        assert_eq!(fields(&upgrade), [("Connection", "Upgrade, close"), ("Upgrade", "websocket")]);
    }

    #[test]
    fn a_body_of_bytes_is_not_declared_as_text() {
        let bytes = PlainResponse::new(403).body_bytes(&b"\xff\0"[..]);
        let mut output = WriteBuffer::new();
        bytes.write(&mut output).unwrap();
        let expected: &[u8] =
            b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\n\xff\0";
        assert_eq!(output.front(), expected);
        assert_eq!(
            PlainResponse::new(403).body_bytes(&b"x"[..]),
            PlainResponse::new(403).body("x")
        );
    }

    #[test]
    fn checks_the_status() {
        for status in 0..=1000 {
            let expected = if (200..600).contains(&status) {
                Ok(())
            } else {
                Err(PlainResponseError::Status { status })
            };
            assert_eq!(written(&PlainResponse::new(status)).map(drop), expected);
        }
        for status in [204, 205, 304] {
            let text = written(&PlainResponse::new(status)).unwrap();
            assert!(!text.contains("Content-"), "{text}");
            let error = written(&PlainResponse::new(status).body("x"));
            assert_eq!(error, Err(PlainResponseError::Body { status }));
        }
    }

    #[test]
    fn rejects_invalid_and_reserved_headers() {
        for name in ["connection", "Content-Length", "Transfer-Encoding"] {
            let expected = HeaderError::Reserved(name.into());
            assert_eq!(written(&PlainResponse::new(400).header(name, "x")), Err(expected.into()));
        }
        let expected = HeaderError::InvalidName("a:".into());
        assert_eq!(written(&PlainResponse::new(400).header("a:", "x")), Err(expected.into()));
        for byte in [b'\r', b'\n', 0] {
            let expected = HeaderError::InvalidValue { name: "a".into(), byte };
            let value = String::from(char::from(byte));
            assert_eq!(written(&PlainResponse::new(400).header("a", value)), Err(expected.into()));
        }
    }
}
