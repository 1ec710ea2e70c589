//! Messages, and what else is received (RFC 6455 §5.5, §5.6).

use crate::frame::{CloseFrame, OpCode};
use crate::utf8::Text;
use bytes::Bytes;

/// The two kinds of message (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "all other data opcodes are reserved and refused")]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Bytes that mean what the application says.
    Binary,
}

impl Kind {
    pub(crate) const fn opcode(self) -> OpCode {
        match self {
            Self::Text => OpCode::Text,
            Self::Binary => OpCode::Binary,
        }
    }
}

/// A whole message, owned. A clone shares the payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two kinds of message")]
pub enum Message {
    /// Text.
    Text(Text),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// A text message.
    #[must_use]
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    #[must_use]
    pub fn binary(data: impl Into<Bytes>) -> Self {
        Self::Binary(data.into())
    }

    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
        }
    }

    /// The payload, of either kind.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(data) => data,
        }
    }

    /// The payload, of either kind, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(data) => data,
        }
    }
}

impl From<Text> for Message {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<Bytes> for Message {
    fn from(data: Bytes) -> Self {
        Self::Binary(data)
    }
}

/// What was received: a message, or a control frame. It borrows the read buffer, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A text message.
    Text(&'b str),
    /// A binary message.
    Binary(&'b [u8]),
    /// A ping, at most 125 bytes. Its pong has been queued already.
    Ping(&'b [u8]),
    /// A pong, at most 125 bytes: the answer to a ping, or unsolicited (RFC 6455 §5.5.3).
    Pong(&'b [u8]),
    /// The peer's Close: the last event. It has been answered already, unless it is the answer.
    Close(Option<CloseFrame<'b>>),
}

impl Event<'_> {
    /// An owned copy, if this is a message.
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
/// The chunks of a message need not be its fragments: they are what has arrived. Text is cut
/// between characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk<'b> {
    /// The piece, or the control frame.
    pub event: Event<'b>,
    /// Whether a message starts with this piece.
    pub first: bool,
    /// Whether the message ends with this piece, which may be empty then.
    pub last: bool,
}
