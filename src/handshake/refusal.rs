//! A server's refusal, as a client receives it.

use super::body::Body;
use super::retry_after::{http_date, retry_after};
use super::version::HttpVersion;
use crate::headers::{Fields, header_accessors, lists_token};
use alloc::vec::Vec;
use core::{fmt, time::Duration};

/// A server's response that does not open a WebSocket (RFC 6455 §4.1, item 1 of the response).
///
/// ```
/// use sansocket::handshake::Refusal;
///
/// fn explain(refusal: &Refusal) {
///     if let Some(url) = refusal.location() {
///         return println!("moved to {url}");
///     }
///     for challenge in refusal.challenges() {
///         println!("the server wants {challenge}");
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    fields: Fields,
    body: Vec<u8>,
    complete: bool,
    /// Whether the server keeps the connection once the body is complete.
    persistent: bool,
}

/// The number of body bytes that are stored.
const MAX_BODY: usize = 4096;

impl Refusal {
    /// Creates the refusal of a response whose body was not read.
    pub(super) fn new(status: u16, fields: Fields) -> Self {
        Self { status, fields, body: Vec::new(), complete: false, persistent: false }
    }

    /// Adds the body that an HTTP library has received, or its beginning. At most its first 4 KiB are
    /// kept.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>, is_complete: bool) -> Self {
        self.body = body.into();
        self.complete = is_complete && self.body.len() <= MAX_BODY;
        self.body.truncate(MAX_BODY);
        self
    }

    /// Returns the status code. It is 2xx if the server took the request for an ordinary one.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    header_accessors!();

    /// Returns the body, at most its first 4 KiB.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns `true` if [`body`](Self::body) is complete, as far as that is known: a body without
    /// a length ends with the transport, for whatever reason the transport ends.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Returns `true` if another request can follow on the same connection: the body is complete, and
    /// the server has not announced the end of the connection (RFC 9112 §9.3).
    #[must_use]
    pub fn keeps_connection(&self) -> bool {
        self.complete && self.persistent
    }

    /// Returns `true` if the same request may succeed later: the status is 408, 425, 429, or 5xx
    /// except 501, 505 and 511.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        // An unknown status of this class counts as 500 (RFC 9110 §15).
        matches!(self.status, 408 | 425 | 429 | 500..=599)
            && !matches!(self.status, 501 | 505 | 511)
    }

    /// Returns the target of a redirection (3xx): the `Location`, a URL that may be relative.
    ///
    /// If you follow it to another origin, do not send credentials there.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        if (300..400).contains(&self.status) { self.fields.first_text("Location") } else { None }
    }

    /// Returns how long the server asks to be left alone: its `Retry-After`, in seconds or as a date
    /// (RFC 9110 §10.2.3). A date in the past is no time.
    ///
    /// `now` is the time since the Unix epoch. It is used only for a date, and only if the response
    /// has no `Date` of its own: two clocks that differ would make the difference part of the wait.
    ///
    /// The server may ask for any time, so bound it, as [`Reconnecting`] does.
    ///
    /// [`Reconnecting`]: crate::client::Reconnecting
    #[must_use]
    pub fn retry_after(&self, now: Duration) -> Option<Duration> {
        let date = self.fields.first("Date").and_then(|date| http_date(date, now));
        retry_after(self.fields.first("Retry-After")?, date.unwrap_or(now))
    }

    /// Returns the authentication challenge of the server (401) or a proxy (407): the first of the
    /// [`challenges`](Self::challenges).
    #[must_use]
    pub fn challenge(&self) -> Option<&str> {
        self.challenges().next()
    }

    /// Iterates over the alternative authentication challenges of the server (401) or a proxy
    /// (407): every `WWW-Authenticate` or `Proxy-Authenticate` value that is valid UTF-8. Each
    /// value may be a list.
    pub fn challenges(&self) -> impl Iterator<Item = &str> {
        let name = match self.status {
            401 => Some("WWW-Authenticate"),
            407 => Some("Proxy-Authenticate"),
            _ => None,
        };
        name.into_iter()
            .flat_map(|name| self.fields.named(name))
            .filter_map(|value| core::str::from_utf8(value).ok())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server answered with status {}", self.status)?;
        if let Some(location) = self.location() {
            write!(f, ", location {location:?}")?;
        }
        if let Some(challenge) = self.challenge() {
            write!(f, ", challenge {challenge:?}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("status", &self.status)
            .field("headers", &self.fields)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("complete", &self.complete)
            .finish()
    }
}

impl core::error::Error for Refusal {}

/// Reads a refusal's body.
#[derive(Debug)]
pub(super) struct RefusalReader {
    refusal: Refusal,
    rest: Body,
    /// The number of bytes that may still be consumed. It bounds the framing of the body too.
    budget: usize,
    /// `true` if the body has ended, enough of it is stored, or its end can't be determined.
    done: bool,
}

impl RefusalReader {
    /// Creates a reader of at most [`MAX_BODY`] bytes of the body and `framing` bytes around it.
    pub(super) fn new(status: u16, version: HttpVersion, fields: Fields, framing: usize) -> Self {
        let rest = Body::of(status, &fields);
        // A chunked body ends with trailers, which a refusal does not read.
        let persistent = version >= HttpVersion::HTTP_11
            && !lists_token(fields.named("Connection"), "close")
            && matches!(rest, Some(Body::Sized(_)));
        let refusal = Refusal { status, fields, body: Vec::new(), complete: false, persistent };
        let budget = MAX_BODY.saturating_add(framing);
        let rest_or_none = rest.unwrap_or(Body::Sized(0));
        let mut reader = Self { refusal, rest: rest_or_none, budget, done: false };
        match rest {
            Some(_) => reader.update(),
            None => reader.done = true,
        }
        reader
    }

    /// Reads the next bytes of the body. Returns how many bytes were consumed.
    pub(super) fn read(&mut self, mut input: &[u8]) -> usize {
        let len = input.len();
        while !self.done && !input.is_empty() {
            let room = (MAX_BODY - self.refusal.body.len()).min(self.budget);
            let Ok((used, data)) = self.rest.next(input, room) else {
                self.done = true;
                break;
            };
            self.refusal.body.extend_from_slice(data);
            input = &input[used..];
            self.budget -= used;
            self.update();
        }
        len - input.len()
    }

    fn update(&mut self) {
        if self.rest.has_ended() {
            self.refusal.complete = true;
            self.done = true;
        } else if self.refusal.body.len() == MAX_BODY || self.budget == 0 {
            self.done = true;
        }
    }

    /// Returns the refusal if nothing more is to be read.
    pub(super) fn refusal(&mut self) -> Option<Refusal> {
        self.done.then(|| self.take())
    }

    /// Returns the refusal when no more input follows. `in_order` says whether the transport ended
    /// cleanly.
    pub(super) fn end(mut self, in_order: bool) -> Refusal {
        self.refusal.complete |= in_order && self.rest.ends_with_transport();
        self.take()
    }

    fn take(&mut self) -> Refusal {
        let empty = Refusal {
            status: 0,
            fields: Fields::default(),
            body: Vec::new(),
            complete: false,
            persistent: false,
        };
        core::mem::replace(&mut self.refusal, empty)
    }
}
