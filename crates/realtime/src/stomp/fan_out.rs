//! A MESSAGE for many subscribers: a head for each of them, and a tail that they share.

use super::{
    command::Command,
    encoder::{EncodeError, Encoder, message_kind, put_body, put_content_length},
    escape::Escapes,
    header,
    version::Version,
};
use alloc::vec::Vec;
use bytes::Bytes;
use sansocket::connection::MessageKind;

impl Encoder {
    /// Appends the first part of a MESSAGE: the command, and the headers that each subscriber has for
    /// itself, such as `subscription` and `ack`. A [`MessageTail`] of the same version follows.
    ///
    /// # Errors
    ///
    /// Returns an error if the version can't express a header. Then `out` is as before.
    ///
    /// ```
    /// use sansocket_realtime::stomp::{Encoder, MessageTail, Version, header};
    ///
    /// let tail = MessageTail::encode(Version::V1_2, "5f3a-1042", "/topic/a", header::NONE, b"Hi")?;
    /// let mut bytes = Vec::new();
    /// let head = [(header::SUBSCRIPTION, "0"), (header::ACK, "17")];
    /// Encoder::new(tail.version()).encode_message_head(head, &mut bytes)?;
    /// bytes.extend_from_slice(tail.bytes());
    /// let whole = b"MESSAGE\nsubscription:0\nack:17\n\
    ///     content-length:2\nmessage-id:5f3a-1042\ndestination:/topic/a\n\nHi\0";
    /// assert_eq!(bytes, whole);
    /// # Ok::<(), sansocket_realtime::stomp::EncodeError>(())
    /// ```
    pub fn encode_message_head<Name: AsRef<str>, Value: AsRef<str>>(
        self,
        headers: impl IntoIterator<Item = (Name, Value)>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let encoded = self.put_command(Command::Message, out).and_then(|()| {
            let escapes = Escapes::new(self.version(), true);
            headers
                .into_iter()
                .filter(|(name, _)| name.as_ref() != header::CONTENT_LENGTH)
                .try_for_each(|(name, value)| {
                    self.put_header(escapes, name.as_ref(), value.as_ref(), out)
                })
        });
        if encoded.is_err() {
            out.truncate(start);
        }
        encoded
    }
}

/// The part of a MESSAGE that all subscribers of one version share: everything behind the
/// [head](Encoder::encode_message_head) that each of them gets. Clones share their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageTail {
    version: Version,
    bytes: Bytes,
    kind: MessageKind,
    left_out: usize,
}

impl MessageTail {
    /// Headers that are not the publisher's to set. Some belong to the head, or are written here: a
    /// publisher's own would count for those subscribers whose head has none. The others are about
    /// the SEND frame rather than the message.
    const RESERVED: [&'static str; 8] = [
        header::ACK,
        header::CONTENT_LENGTH,
        header::DESTINATION,
        header::MESSAGE_ID,
        header::RECEIPT,
        header::REDELIVERED,
        header::SUBSCRIPTION,
        header::TRANSACTION,
    ];

    /// Encodes the `content-length`, the `message-id`, the `destination`, the publisher's headers, which
    /// include `content-type`, and the body.
    ///
    /// A publisher's header that the version has no way to write is left out and
    /// [counted](Self::left_out), because one publisher's line end must not keep a message from
    /// subscribers of an older version.
    ///
    /// So you can give it the headers of a SEND as they are: those that are not the publisher's to set
    /// are left out without being counted. These are `ack`, `content-length`, `destination`,
    /// `message-id`, `receipt`, `redelivered`, `subscription` and `transaction`.
    ///
    /// # Errors
    ///
    /// Returns an error if the version can't express the `message-id` or the `destination`.
    pub fn encode<Name: AsRef<str>, Value: AsRef<str>>(
        version: Version,
        message_id: &str,
        destination: &str,
        headers: impl IntoIterator<Item = (Name, Value)>,
        body: &[u8],
    ) -> Result<Self, EncodeError> {
        let encoder = Encoder::new(version);
        let escapes = Escapes::new(version, true);
        let mut bytes = Vec::with_capacity(body.len() + 200);
        put_content_length(body, &mut bytes);
        encoder.put_header(escapes, header::MESSAGE_ID, message_id, &mut bytes)?;
        encoder.put_header(escapes, header::DESTINATION, destination, &mut bytes)?;
        let mut left_out = 0;
        for (name, value) in headers {
            let (name, value) = (name.as_ref(), value.as_ref());
            if Self::RESERVED.contains(&name) {
                continue;
            }
            let start = bytes.len();
            if encoder.put_header(escapes, name, value, &mut bytes).is_err() {
                bytes.truncate(start);
                left_out += 1;
            }
        }
        put_body(body, &mut bytes);
        Ok(Self { version, bytes: bytes.into(), kind: message_kind(body), left_out })
    }

    /// Returns the version.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the bytes, which follow a head.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Returns the kind of the WebSocket message that can carry the frame. It is text if the body is
    /// UTF-8, as heads always are.
    #[must_use]
    pub const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Returns how many of the publisher's headers the version has no way to write.
    #[must_use]
    pub const fn left_out(&self) -> usize {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_can_not_be_written_leaves_nothing() {
        let mut out = b"before".to_vec();
        let headers = [(header::SUBSCRIPTION, "0"), (header::ACK, "a\nb")];
        let refused = Encoder::new(Version::V1_0).encode_message_head(headers, &mut out);
        let version = Version::V1_0;
        assert_eq!(refused, Err(EncodeError::Value { octet: b'\n', version }));
        assert_eq!(out, b"before");
    }

    #[test]
    fn a_head_has_no_length_of_its_own() {
        let mut out = Vec::new();
        let headers = [(header::CONTENT_LENGTH, "3"), (header::SUBSCRIPTION, "0")];
        Encoder::new(Version::V1_2).encode_message_head(headers, &mut out).unwrap();
        assert_eq!(out, b"MESSAGE\nsubscription:0\n");
    }

    #[test]
    fn a_destination_that_can_not_be_written_is_an_error() {
        let tail = MessageTail::encode(Version::V1_1, "1-2", "/topic/\r", header::NONE, b"");
        let version = Version::V1_1;
        assert_eq!(tail, Err(EncodeError::Value { octet: b'\r', version }));
        assert!(MessageTail::encode(Version::V1_2, "1-2", "/topic/\r", header::NONE, b"").is_ok());
    }

    #[test]
    fn all_tails_share_one_allocation() {
        let tail =
            MessageTail::encode(Version::V1_2, "1-2", "/topic/a", header::NONE, b"a").unwrap();
        assert_eq!(tail.clone().bytes().as_ptr(), tail.bytes().as_ptr());
    }
}
