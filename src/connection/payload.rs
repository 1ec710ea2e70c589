//! What can be sent as a message.

use super::{Message, MessageKind, PreparedMessage};
use crate::utf8::Text;
use alloc::{borrow::Cow, boxed::Box, string::String, sync::Arc, vec::Vec};
use bytes::Bytes;

/// A shared payload of at least this many bytes is linked into the output instead of copied.
pub(crate) const LINK_FROM: usize = 8 * 1024;

/// A value that can be sent as a message, by value or by reference.
///
/// Text is sent as a text message: `&str`, `String`, `Cow<str>`, [`Text`]. Bytes are sent as a
/// binary message: `&[u8]`, `Vec<u8>`, `[u8; N]`, `Cow<[u8]>`, [`Bytes`]. A [`Message`] and a
/// [`PreparedMessage`] keep their kind, and a server sends a large one without copying it. Pass a
/// reference if you may have to send a value again, for example after
/// [`SendError::QueueFull`](super::SendError::QueueFull).
///
/// You can implement this trait for your own types:
///
/// ```
/// use sansocket::{AsPayload, Payload};
///
/// struct Command(&'static str);
///
/// impl AsPayload for Command {
///     fn as_payload(&self) -> Payload<'_> {
///         self.0.as_payload()
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent as a message",
    note = "most types of text and bytes can be sent, and so can `Message` and `PreparedMessage`"
)]
pub trait AsPayload {
    /// Borrows the payload.
    fn as_payload(&self) -> Payload<'_>;
}

/// A borrowed message to send, as returned by [`AsPayload::as_payload`].
#[doc(alias = "Frame")]
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a>(pub(crate) Form<'a>);

/// The forms of a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Message(&'a Message),
    Prepared(&'a PreparedMessage),
    UncompressedText(&'a str),
    UncompressedBinary(&'a [u8]),
}

impl<'a> Payload<'a> {
    /// Creates the payload of a text message.
    #[must_use]
    pub const fn text(text: &'a str) -> Self {
        Self(Form::Text(text))
    }

    /// Creates the payload of a binary message.
    #[must_use]
    pub const fn binary(data: &'a [u8]) -> Self {
        Self(Form::Binary(data))
    }

    /// Returns the same payload, to be sent uncompressed even if the connection compresses. Use
    /// this for a secret that is sent next to data which others can choose, or for data that does
    /// not shrink. If a message is sent in fragments, its first fragment decides for all of them.
    ///
    /// A [`PreparedMessage`] is then sent like the [`Message`] that it was made from.
    ///
    /// ```
    /// use sansocket::{Config, Payload, buffer::WriteBuffer};
    /// use sansocket::connection::{Connection, Server};
    /// # let negotiated = sansocket::handshake::Negotiated::new();
    ///
    /// let mut connection = Connection::new(Server::new(), &negotiated, Config::default());
    /// let mut output = WriteBuffer::new();
    /// connection.send(Payload::text("a secret").uncompressed(), &mut output)?;
    /// # Ok::<(), sansocket::connection::SendError>(())
    /// ```
    #[must_use]
    pub fn uncompressed(self) -> Self {
        Self(match self.0 {
            Form::Text(text) | Form::UncompressedText(text) => Form::UncompressedText(text),
            Form::Binary(data) | Form::UncompressedBinary(data) => Form::UncompressedBinary(data),
            Form::Message(Message::Text(text)) => Form::UncompressedText(text),
            Form::Message(Message::Binary(data)) => Form::UncompressedBinary(data),
            Form::Prepared(message) => Self(Form::Message(message.message())).uncompressed().0,
        })
    }

    /// Returns the kind of message: text or binary.
    #[must_use]
    pub fn kind(self) -> MessageKind {
        self.0.parts().0
    }

    /// Returns the bytes of the message.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0.parts().1
    }
}

impl<'a> Form<'a> {
    /// Returns the kind, the bytes, and whether the bytes may be compressed.
    #[inline(always)]
    pub(crate) fn parts(self) -> (MessageKind, &'a [u8], bool) {
        match self {
            Self::Text(text) => (MessageKind::Text, text.as_bytes(), true),
            Self::Binary(data) => (MessageKind::Binary, data, true),
            Self::UncompressedText(text) => (MessageKind::Text, text.as_bytes(), false),
            Self::UncompressedBinary(data) => (MessageKind::Binary, data, false),
            Self::Message(message) => (message.kind(), message.as_bytes(), true),
            Self::Prepared(prepared) => Self::Message(prepared.message()).parts(),
        }
    }

    /// Returns the same [`parts`](Self::parts), but only if the payload is borrowed rather than
    /// shared.
    #[inline]
    pub(crate) fn borrowed(self) -> Option<(MessageKind, &'a [u8], bool)> {
        (!matches!(self, Self::Message(_) | Self::Prepared(_))).then(|| self.parts())
    }
}

impl<T: AsPayload + ?Sized> AsPayload for &T {
    #[inline(always)]
    fn as_payload(&self) -> Payload<'_> {
        (**self).as_payload()
    }
}

macro_rules! as_payload_of_pointee {
    ($($pointer:ident),+) => {
        $(
            impl<T: AsPayload + ?Sized> AsPayload for $pointer<T> {
                #[inline(always)]
                fn as_payload(&self) -> Payload<'_> {
                    (**self).as_payload()
                }
            }
        )+
    };
}

as_payload_of_pointee!(Arc, Box);

macro_rules! as_payload {
    ($($form:ident: $($type:ty),+;)+) => {
        $($(
            impl AsPayload for $type {
                #[inline(always)]
                fn as_payload(&self) -> Payload<'_> {
                    Payload(Form::$form(self))
                }
            }
        )+)+
    };
}

as_payload! {
    Text: str, String, Cow<'_, str>, Text;
    Binary: [u8], Vec<u8>, Cow<'_, [u8]>, Bytes;
    Message: Message;
    Prepared: PreparedMessage;
}

impl<const N: usize> AsPayload for [u8; N] {
    #[inline(always)]
    fn as_payload(&self) -> Payload<'_> {
        Payload(Form::Binary(self))
    }
}

impl<'a, T: AsPayload + ?Sized> From<&'a T> for Payload<'a> {
    fn from(value: &'a T) -> Self {
        value.as_payload()
    }
}

impl AsPayload for Payload<'_> {
    #[inline(always)]
    fn as_payload(&self) -> Payload<'_> {
        *self
    }
}

#[cfg(test)]
#[expect(clippy::needless_borrows_for_generic_args, reason = "this tests references")]
mod tests {
    use super::*;
    use alloc::{borrow::ToOwned, vec};

    fn parts(payload: impl AsPayload) -> (MessageKind, Vec<u8>, bool) {
        let payload = payload.as_payload();
        let (kind, bytes, may_compress) = payload.0.parts();
        assert_eq!((payload.kind(), payload.as_bytes()), (kind, bytes));
        (kind, bytes.to_vec(), may_compress)
    }

    #[test]
    fn every_type_of_text_is_a_text_payload() {
        let message = Message::from("text");
        let prepared = PreparedMessage::new("text");
        let expected = (MessageKind::Text, b"text".to_vec(), true);
        assert_eq!(parts(Arc::<str>::from("text")), expected);
        assert_eq!(parts(Box::<str>::from("text")), expected);
        assert_eq!(parts(Arc::new(PreparedMessage::new("text"))), expected);
        assert_eq!(parts("text"), expected);
        assert_eq!(parts("text".to_owned()), expected);
        assert_eq!(parts(&"text".to_owned()), expected);
        assert_eq!(parts(Cow::Borrowed("text")), expected);
        assert_eq!(parts(&Cow::Borrowed("text")), expected);
        assert_eq!(parts(Cow::<str>::Owned("text".to_owned())), expected);
        assert_eq!(parts(&Text::from("text")), expected);
        assert_eq!(parts(Text::from("text")), expected);
        assert_eq!(parts(&message), expected);
        assert_eq!(parts(message), expected);
        assert_eq!(parts(&prepared), expected);
        assert_eq!(parts(prepared), expected);
        {
            let text = &"text";
            assert_eq!(parts(text), expected);
        }
    }

    #[test]
    fn every_type_of_bytes_is_a_binary_payload() {
        let expected = (MessageKind::Binary, vec![1, 2], true);
        assert_eq!(parts([1, 2]), expected);
        assert_eq!(parts(&[1, 2]), expected);
        assert_eq!(parts(&[1, 2][..]), expected);
        assert_eq!(parts(vec![1, 2]), expected);
        assert_eq!(parts(&vec![1, 2]), expected);
        assert_eq!(parts(Cow::Borrowed(&[1, 2][..])), expected);
        assert_eq!(parts(Bytes::from_static(&[1, 2])), expected);
        assert_eq!(parts(&Bytes::from_static(&[1, 2])), expected);
    }

    #[test]
    fn every_form_can_be_sent_uncompressed() {
        let prepared = PreparedMessage::new("a");
        let message = Message::from("a");
        let expected = (MessageKind::Text, b"a".to_vec(), false);
        for payload in ["a".as_payload(), prepared.as_payload(), message.as_payload()] {
            assert_eq!(parts(payload.uncompressed()), expected);
            assert_eq!(parts(payload.uncompressed().uncompressed()), expected);
        }
        assert_eq!(parts(Payload::binary(b"a").uncompressed()).0, MessageKind::Binary);
    }
}
