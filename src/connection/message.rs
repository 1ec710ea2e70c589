//! Messages and the other things that can be received (RFC 6455 §5.5, §5.6).

use crate::frame::{CloseFrame, OpCode};
use crate::utf8::Text;
use alloc::{borrow::Cow, string::String, vec::Vec};
use bytes::Bytes;
use core::fmt;

/// The two kinds of message (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "all other data opcodes are reserved and refused")]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Bytes whose meaning is up to the application.
    Binary,
}

impl MessageKind {
    pub(crate) const fn opcode(self) -> OpCode {
        match self {
            Self::Text => OpCode::Text,
            Self::Binary => OpCode::Binary,
        }
    }
}

/// An owned message. Clones share the payload.
///
/// ```
/// use sansocket::Message;
///
/// let message = Message::from("Hello");
/// assert!(message.is_text());
/// assert_eq!(message.len(), 5);
/// assert_eq!(message.as_text(), Some("Hello"));
/// assert_eq!(Message::from(vec![1, 2]).into_bytes(), [1, 2].as_slice());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two kinds of message")]
pub enum Message {
    /// A text message.
    Text(Text),
    /// A binary message.
    Binary(Bytes),
}

impl Message {
    /// Creates a text message.
    #[must_use]
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// Creates a binary message.
    #[must_use]
    pub fn binary(data: impl Into<Bytes>) -> Self {
        Self::Binary(data.into())
    }

    /// Returns the kind of this message.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }

    /// Returns `true` if this is a text message.
    #[must_use]
    pub const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Returns `true` if this is a binary message.
    #[must_use]
    pub const fn is_binary(&self) -> bool {
        matches!(self, Self::Binary(_))
    }

    /// Returns the length of the payload in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Returns `true` if the payload is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the text, if this is a text message.
    #[doc(alias = "to_text")]
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the text without copying it, if this is a text message.
    #[must_use]
    pub fn into_text(self) -> Option<Text> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the payload of a message of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }

    /// Returns the payload of a message of either kind without copying it.
    #[doc(alias = "into_data")]
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(data) => data,
        }
    }
}

/// Implements `From`: text becomes a text message, and bytes become a binary message.
macro_rules! from {
    ($($value:ty => $kind:ident),+ $(,)?) => {
        $(
            impl From<$value> for Message {
                fn from(value: $value) -> Self {
                    Self::$kind(value.into())
                }
            }
        )+
    };
}

from! {
    Text => Text,
    &Text => Text,
    &str => Text,
    String => Text,
    &String => Text,
    Cow<'_, str> => Text,
    Bytes => Binary,
    Vec<u8> => Binary,
}

impl From<&Bytes> for Message {
    fn from(data: &Bytes) -> Self {
        Self::Binary(data.clone())
    }
}

impl From<&Vec<u8>> for Message {
    fn from(data: &Vec<u8>) -> Self {
        Self::from(data.as_slice())
    }
}

impl From<Cow<'_, [u8]>> for Message {
    fn from(data: Cow<'_, [u8]>) -> Self {
        Self::from(data.into_owned())
    }
}

impl<const N: usize> From<[u8; N]> for Message {
    fn from(data: [u8; N]) -> Self {
        Self::from(data.as_slice())
    }
}

impl From<&Self> for Message {
    fn from(message: &Self) -> Self {
        message.clone()
    }
}

impl<const N: usize> From<&[u8; N]> for Message {
    fn from(data: &[u8; N]) -> Self {
        Self::Binary(Bytes::copy_from_slice(data))
    }
}

impl From<&[u8]> for Message {
    fn from(data: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(data))
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl From<Message> for Bytes {
    fn from(message: Message) -> Self {
        message.into_bytes()
    }
}

/// A received message or control frame. An event borrows only the read buffer.
///
/// ```
/// use sansocket::Event;
///
/// fn describe(event: Event<'_>) -> String {
///     match event {
///         Event::Text(text) => format!("the text {text:?}"),
///         Event::Binary(data) => format!("{} bytes", data.len()),
///         Event::Close(Some(close)) => format!("the Close {}: {}", close.code, close.reason),
///         _ => "a ping, a pong or an empty Close".to_string(),
///     }
/// }
/// assert_eq!(describe(Event::Text("hi")), "the text \"hi\"");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A text message.
    Text(&'b str),
    /// A binary message.
    Binary(&'b [u8]),
    /// A ping with at most 125 bytes. The connection answers it; with
    /// [`Receiver`](super::Receiver), you pass on its reply.
    Ping(&'b [u8]),
    /// A pong with at most 125 bytes: the answer to a ping, or unsolicited (RFC 6455 §5.5.3).
    Pong(&'b [u8]),
    /// The peer's Close frame, the last event. The connection answers it, unless this endpoint
    /// closed first.
    Close(Option<CloseFrame<'b>>),
}

/// Shows payloads as text, with escapes for bytes that are not printable ASCII.
impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |f: &mut fmt::Formatter<'_>, name, bytes: &[u8]| {
            f.debug_tuple(name).field(&format_args!("b\"{}\"", bytes.escape_ascii())).finish()
        };
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::Binary(data) => bytes(f, "Binary", data),
            Self::Ping(payload) => bytes(f, "Ping", payload),
            Self::Pong(payload) => bytes(f, "Pong", payload),
            Self::Close(frame) => f.debug_tuple("Close").field(frame).finish(),
        }
    }
}

impl Event<'_> {
    /// Returns an owned copy, if this is a message.
    #[must_use]
    pub fn to_message(&self) -> Option<Message> {
        match *self {
            Event::Text(text) => Some(Message::Text(text.into())),
            Event::Binary(data) => Some(Message::Binary(Bytes::copy_from_slice(data))),
            Event::Ping(_) | Event::Pong(_) | Event::Close(_) => None,
        }
    }
}

/// A piece of a message that is received in chunks, or a control frame between two pieces.
///
/// Chunks need not match the fragments of the message: each holds whatever has arrived. Text is
/// only split between characters.
///
/// ```
/// use sansocket::connection::{Connection, Server};
/// use sansocket::{Config, Event, buffer::{ReadBuffer, WriteBuffer}, handshake::Negotiated};
///
/// let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
/// let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
/// // A message of 4 bytes, of which 2 have arrived.
/// input.extend_from_slice(&[0x82, 0x84, 0, 0, 0, 0, 1, 2]);
/// connection.advance_chunk(&mut input, &mut output)?;
/// let chunk = connection.chunk(&input).expect("2 bytes have arrived");
/// assert_eq!((chunk.event, chunk.first, chunk.last), (Event::Binary(&[1, 2]), true, false));
/// # Ok::<(), sansocket::connection::ReceiveError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk<'b> {
    /// The piece, or the control frame.
    pub event: Event<'b>,
    /// Whether a message starts with this piece.
    pub first: bool,
    /// Whether the message ends with this piece. The last piece may be empty.
    pub last: bool,
}
