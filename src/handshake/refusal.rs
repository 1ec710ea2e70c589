use super::body::Body;
use crate::headers::{Fields, header_accessors};
use alloc::vec::Vec;
use core::fmt;

/// A server's answer that does not open a WebSocket (RFC 6455 §4.1, item 1 of the response).
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    fields: Fields,
    body: Vec<u8>,
    complete: bool,
}

/// Bytes of a body that are kept.
const MAX_BODY: usize = 4096;

impl Refusal {
    /// The status code: 2xx if the server took the request for an ordinary one.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    header_accessors!();

    /// The body, at most its first 4 KiB.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether [`body`](Self::body) is all of it, as far as can be told: without a length it ends
    /// where the transport does, whatever the reason.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Where a redirection (3xx) leads to: the `Location`, a URL that may be relative.
    ///
    /// Whoever follows it to another origin must not send credentials there.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        if (300..400).contains(&self.status) { self.fields.first_text("Location") } else { None }
    }

    /// What the server (401) or a proxy (407) wants to be shown: the first of the
    /// [`challenges`](Self::challenges).
    #[must_use]
    pub fn challenge(&self) -> Option<&str> {
        self.challenges().next()
    }

    /// What the server (401) or a proxy (407) wants to be shown, one way or another: every
    /// `WWW-Authenticate` or `Proxy-Authenticate` that is text. One of them may be a list.
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

/// Collects the body of a refusal.
#[derive(Debug)]
pub(super) struct RefusalReader {
    refusal: Refusal,
    rest: Body,
    /// Bytes that may still be used up, so that what frames the body is bounded too.
    budget: usize,
    /// The body has ended, or enough of it was kept, or it can't be told where it ends.
    done: bool,
}

impl RefusalReader {
    /// Reads no more than [`MAX_BODY`] bytes of the body and `framing` of what stands around it.
    pub(super) fn new(status: u16, fields: Fields, framing: usize) -> Self {
        let rest = Body::of(status, &fields);
        let refusal = Refusal { status, fields, body: Vec::new(), complete: false };
        let budget = MAX_BODY.saturating_add(framing);
        let rest_or_none = rest.unwrap_or(Body::Sized(0));
        let mut reader = Self { refusal, rest: rest_or_none, budget, done: false };
        match rest {
            Some(_) => reader.update(),
            None => reader.done = true,
        }
        reader
    }

    /// Reads what came of the body; returns how many bytes of it that were.
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

    /// The refusal, once nothing more is to be read.
    pub(super) fn refusal(&mut self) -> Option<Refusal> {
        self.done.then(|| self.take())
    }

    /// The refusal when nothing more will come; `in_order` if the transport has ended so.
    pub(super) fn end(mut self, in_order: bool) -> Refusal {
        self.refusal.complete |= in_order && self.rest.ends_with_transport();
        self.take()
    }

    fn take(&mut self) -> Refusal {
        let empty =
            Refusal { status: 0, fields: Fields::default(), body: Vec::new(), complete: false };
        core::mem::replace(&mut self.refusal, empty)
    }
}
