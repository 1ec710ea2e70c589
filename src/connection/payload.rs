use super::{Kind, Message, PreparedMessage};
use crate::utf8::Text;
use alloc::{string::String, vec::Vec};
use bytes::Bytes;

/// A message to be sent, in whichever form it is at hand.
///
/// Sending methods take anything that converts into it: `&str`, `&[u8]`, a reference to a
/// [`Message`], [`Text`] or [`PreparedMessage`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// Borrowed text.
    Text(&'a str),
    /// Borrowed bytes.
    Binary(&'a [u8]),
    /// A shared message: if it is large, a server sends it without a copy.
    Message(&'a Message),
    /// A message that was encoded before.
    Prepared(&'a PreparedMessage),
    /// Borrowed text that is not to be compressed, whatever was agreed on: a secret beside what
    /// others can choose, or what does not shrink. A piece of a message goes as its first does.
    UncompressedText(&'a str),
    /// Borrowed bytes that are not to be compressed, as
    /// [`UncompressedText`](Self::UncompressedText).
    UncompressedBinary(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// The kind and the bytes, and whether they may be compressed.
    #[inline(always)]
    pub(crate) fn parts(self) -> (Kind, &'a [u8], bool) {
        match self {
            Self::Text(text) => (Kind::Text, text.as_bytes(), true),
            Self::Binary(data) => (Kind::Binary, data, true),
            Self::UncompressedText(text) => (Kind::Text, text.as_bytes(), false),
            Self::UncompressedBinary(data) => (Kind::Binary, data, false),
            Self::Message(message) => (message.kind(), message.as_bytes(), true),
            Self::Prepared(prepared) => Self::Message(prepared.message()).parts(),
        }
    }

    /// The same of a borrowed payload.
    #[cfg(feature = "std")]
    #[inline]
    pub(crate) fn borrowed(self) -> Option<(Kind, &'a [u8], bool)> {
        (!matches!(self, Self::Message(_) | Self::Prepared(_))).then(|| self.parts())
    }
}

impl<'a> From<&'a str> for Payload<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Payload<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a Text> for Payload<'a> {
    fn from(text: &'a Text) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(data: &'a [u8]) -> Self {
        Self::Binary(data)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Payload<'a> {
    fn from(data: &'a [u8; N]) -> Self {
        Self::Binary(data)
    }
}

impl<'a> From<&'a Vec<u8>> for Payload<'a> {
    fn from(data: &'a Vec<u8>) -> Self {
        Self::Binary(data)
    }
}

impl<'a> From<&'a Bytes> for Payload<'a> {
    fn from(data: &'a Bytes) -> Self {
        Self::Binary(data)
    }
}

impl<'a> From<&'a Message> for Payload<'a> {
    fn from(message: &'a Message) -> Self {
        Self::Message(message)
    }
}

impl<'a> From<&'a PreparedMessage> for Payload<'a> {
    fn from(message: &'a PreparedMessage) -> Self {
        Self::Prepared(message)
    }
}
