//! Messages: what is published, and what subscribers get.

use crate::cursor::Cursor;
use alloc::{boxed::Box, sync::Arc};
use bytes::Bytes;
use core::fmt;
use std::sync::OnceLock;

/// What a publisher sends: a body, its content type, and headers of the application.
///
/// Cloning is cheap, because clones share their parts.
///
/// ```
/// use sansocket_realtime::Message;
///
/// let message = Message::new(r#"{"status":"shipped"}"#)
///     .content_type("application/json")
///     .header("priority", "9");
/// assert_eq!(message.text(), Some(r#"{"status":"shipped"}"#));
/// assert_eq!(message.headers().collect::<Vec<_>>(), [("priority", "9")]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    content_type: Option<Arc<str>>,
    headers: Option<Arc<[(Box<str>, Box<str>)]>>,
    body: Bytes,
}

impl Message {
    /// Creates a message with this body, without a content type and headers.
    #[must_use]
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { content_type: None, headers: None, body: body.into() }
    }

    /// Sets the content type: a MIME type such as `application/json`.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<Arc<str>>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Adds a header. To add many, use [`with_headers`](Self::with_headers).
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        let headers: alloc::vec::Vec<_> = self
            .headers()
            .chain([(name, value)])
            .map(|(name, value)| (Box::from(name), Box::from(value)))
            .collect();
        Self { headers: Some(headers.into()), ..self }
    }

    /// Replaces the headers by these.
    #[must_use]
    pub fn with_headers<N, V>(self, headers: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<Box<str>>,
        V: Into<Box<str>>,
    {
        let headers: Arc<[_]> =
            headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { headers: Some(headers).filter(|headers| !headers.is_empty()), ..self }
    }

    /// Returns the content type, if the publisher has named one.
    #[must_use]
    pub fn get_content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Returns the headers of the application, in the order in which they were given.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .flat_map(|headers| headers.iter())
            .map(|(name, value)| (&**name, &**value))
    }

    /// Returns the value of the first header with this name.
    #[must_use]
    pub fn get_header(&self, name: &str) -> Option<&str> {
        self.headers().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body as text, or `None` if it is not UTF-8. Each call validates the body.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        core::str::from_utf8(&self.body).ok()
    }

    /// Returns how many bytes the message counts against limits: its body, its content type, and for
    /// each header its name, its value and 32 bytes more.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize =
            self.headers().map(|(name, value)| name.len() + value.len() + 32).sum();
        self.body.len() + self.get_content_type().map_or(0, str::len) + headers
    }
}

/// A message as subscribers get it: with its cursor and its destination.
///
/// All subscribers share one `Published`. It keeps each [form](Form) in which it was encoded, so that
/// it is encoded once for all subscribers that want the same form.
pub struct Published {
    cursor: Option<Cursor>,
    destination: Arc<str>,
    message: Message,
    encoded: OnceLock<Box<[OnceLock<Encoded>; Form::COUNT]>>,
}

impl Published {
    /// What a message that is kept takes beside its size, in bytes, so that many empty messages are
    /// bounded too.
    pub(crate) const OVERHEAD: usize = 200;

    /// Creates a message with its place in the sequence. The destination is the one that subscribers
    /// know: that of a user queue has no name of a user.
    #[must_use]
    pub fn new(cursor: Option<Cursor>, destination: Arc<str>, message: Message) -> Self {
        Self { cursor, destination, message, encoded: OnceLock::new() }
    }

    /// Returns the place of the message in the sequence. A reply to one connection has none: it is not
    /// kept, so nobody can resume after it.
    #[must_use]
    pub fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// Returns where the message was published, as subscribers know it.
    #[must_use]
    pub fn destination(&self) -> &Arc<str> {
        &self.destination
    }

    /// Returns what was published.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Returns the message in this form. If it is the first call for the form, `encode` makes it.
    pub fn encoded(&self, form: Form, encode: impl FnOnce(&Self) -> Encoded) -> &Encoded {
        let forms = self.encoded.get_or_init(Box::default);
        forms[form as usize].get_or_init(|| encode(self))
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published")
            .field("cursor", &self.cursor)
            .field("destination", &self.destination)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// In which form subscribers get a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// The part of a MESSAGE of STOMP 1.0 that is the same for all subscribers.
    Stomp1_0,
    /// The part of a MESSAGE of STOMP 1.1 that is the same for all subscribers.
    Stomp1_1,
    /// The part of a MESSAGE of STOMP 1.2 that is the same for all subscribers.
    Stomp1_2,
    /// An event of Server-Sent Events, with the body as its data.
    EventStream,
    /// A JSON object, as answers to polls contain it.
    Json,
}

impl Form {
    const COUNT: usize = 5;
}

/// An encoded message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The encoded bytes.
    pub bytes: Bytes,
    /// Whether the bytes are UTF-8, and so can be a text message of WebSocket.
    pub is_text: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::Epoch;

    #[test]
    fn a_form_is_encoded_once() {
        let cursor = Some(Cursor::new(Epoch(1), 2));
        let published = Published::new(cursor, "/topic/a".into(), Message::new("a"));
        let encode = |published: &Published| Encoded {
            bytes: published.message().body().clone(),
            is_text: true,
        };
        let first = published.encoded(Form::Json, encode).clone();
        let second = published.encoded(Form::Json, |_| panic!("it is encoded already"));
        assert_eq!(&first, second);
        let other = |_: &Published| Encoded { bytes: Bytes::new(), is_text: true };
        assert_eq!(published.encoded(Form::EventStream, other).bytes, "");
    }

    #[test]
    fn headers_are_kept_in_order_and_counted() {
        let message = Message::new("body").content_type("a/b").header("x", "1").header("x", "2");
        assert_eq!(message.headers().collect::<alloc::vec::Vec<_>>(), [("x", "1"), ("x", "2")]);
        assert_eq!(message.get_header("x"), Some("1"));
        assert_eq!(message.size(), 4 + 3 + 2 * (2 + 32));
        let message = message.with_headers::<&str, &str>([]);
        assert_eq!(message.headers().count(), 0);
    }
}
