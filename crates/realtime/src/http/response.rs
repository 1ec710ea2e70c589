//! Responses whose body is JSON.

use crate::{
    guard::Answer,
    json::{Escape, write_string},
};
use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
};
use bytes::Bytes;
use core::{fmt::Write, time::Duration};

/// A whole response, to be written to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// Its status and header fields.
    pub head: Head,
    /// The body.
    pub body: Bytes,
}

/// The head of a response: its status, and its header fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Head {
    /// The status.
    pub status: u16,
    /// After which time the same request can succeed, if it ever can: it becomes the field `retry-after`.
    pub retry_after: Option<Duration>,
    fields: &'static [(&'static str, &'static str)],
}

/// Events are for one client and one moment. They contain what others have published, which a browser
/// must not take for anything but JSON.
const JSON: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
];

const PROBLEM: &[(&str, &str)] = &[
    ("content-type", "application/problem+json"),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
];

impl Head {
    /// Returns a head of these fields.
    pub(crate) const fn new(status: u16, fields: &'static [(&'static str, &'static str)]) -> Self {
        Self { status, retry_after: None, fields }
    }

    /// Returns the header fields, with names in lowercase. `content-length` is left to the HTTP library.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
        let fields = self.fields.iter().map(|(name, value)| (*name, Cow::Borrowed(*value)));
        // RFC 9110 §10.2.3: whole seconds.
        let seconds = self.retry_after.map(|time| time.as_secs().max(1).to_string());
        fields.chain(seconds.map(|seconds| ("retry-after", Cow::Owned(seconds))))
    }
}

impl Response {
    /// Returns the response with status 200 and this JSON.
    pub(crate) const fn json(body: Bytes) -> Self {
        Self { head: Head::new(200, JSON), body }
    }

    /// Returns the response with this status that describes a problem (RFC 9457), like all refusals of polls.
    ///
    /// ```
    /// use sansocket_realtime::http::Response;
    ///
    /// let response = Response::problem(400, "name one topic");
    /// assert_eq!(
    ///     response.body,
    ///     r#"{"title":"Bad Request","status":400,"detail":"name one topic"}"#,
    /// );
    /// ```
    #[must_use]
    pub fn problem(status: u16, detail: &str) -> Self {
        let mut body = String::from("{");
        if let Some(title) = title(status) {
            // Writing to a `String` can't fail.
            let _ = write!(body, "\"title\":\"{title}\",");
        }
        body.push_str(&format!("\"status\":{status},\"detail\":"));
        write_string(detail, Escape::Required, &mut body);
        body.push('}');
        Self { head: Head::new(status, PROBLEM), body: body.into() }
    }

    /// Returns the response by which a client can come back after a time.
    pub(crate) fn later(detail: &str, retry_after: Duration) -> Self {
        let mut response = Self::problem(503, detail);
        response.head.retry_after = Some(retry_after);
        response
    }
}

/// The response that tells of an answer of the [guard](crate::guard) as a problem, like all refusals of
/// polls. For status 401, add the challenge of [`Answer::fields`].
impl From<&Answer> for Response {
    fn from(answer: &Answer) -> Self {
        let mut response = Self::problem(answer.status, &answer.message);
        response.head.retry_after = answer.retry_after;
        response
    }
}

/// Returns the name of a status. A problem without a type has it as its title (RFC 9457 §4.2.1).
const fn title(status: u16) -> Option<&'static str> {
    Some(match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => return None,
    })
}
