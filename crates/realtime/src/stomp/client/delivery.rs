//! A message that a subscription has got.

use super::{SubscriptionId, error::ProtocolError};
use crate::{
    cursor::Cursor,
    message::Message,
    stomp::{Command, Frame, Headers, Version, header, server},
};
use alloc::{borrow::Cow, boxed::Box, collections::BTreeSet, string::String, vec::Vec};
use bytes::Bytes;

/// A message that a subscription has got. It borrows what has arrived: take the
/// [token](Self::ack_token) and the [message](Self::to_message) out of it, if you need them longer.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    pub(super) subscription: Option<SubscriptionId>,
    pub(super) headers: MessageHeaders<'a>,
    pub(super) cursor: Option<Cursor>,
    /// The connection, and the number of the delivery, if it has to be acknowledged.
    pub(super) to_acknowledge: Option<(u64, u64)>,
    pub(super) frame: Frame<'a>,
}

impl<'a> Delivery<'a> {
    /// Returns the subscription. A message that is [unsolicited](super::Event::Unsolicited) has none.
    #[must_use]
    pub const fn subscription(&self) -> Option<SubscriptionId> {
        self.subscription
    }

    /// Returns where the message was sent.
    #[must_use]
    pub fn destination(&self) -> &str {
        &self.headers.destination
    }

    /// Returns the `message-id`, by which the server tells messages apart.
    #[must_use]
    pub fn message_id(&self) -> &str {
        &self.headers.message_id
    }

    /// Returns the `message-id` as a cursor, if it is one. Keep it in order to
    /// [resume](crate::hub::Start::After) after this message.
    #[must_use]
    pub const fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    /// Returns `true` if the server says that it has delivered the message before, to this or to another
    /// client.
    #[must_use]
    pub fn is_redelivered(&self) -> bool {
        self.get(header::REDELIVERED).as_deref() == Some("true")
    }

    /// Returns the name of the message for [`Client::ack`](super::Client::ack) and
    /// [`Client::nack`](super::Client::nack), or `None` if it need not be acknowledged.
    #[must_use]
    pub fn ack_token(&self) -> Option<AckToken> {
        let (connection, delivery) = self.to_acknowledge?;
        Some(AckToken {
            connection,
            subscription: self.subscription?,
            delivery,
            name: Box::from(self.headers.acknowledged_as(self.frame.version())?),
        })
    }

    /// Returns all headers, in the order of transmission.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        self.frame.headers()
    }

    /// Returns the value of the first header with this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.frame.get(name)
    }

    /// Returns the body.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.frame.body()
    }

    /// Returns the body as text, or `None` if it is not UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        core::str::from_utf8(self.frame.body()).ok()
    }

    /// Copies the body, the content type and the headers of the application. Headers of STOMP are left
    /// out, and so are repeated ones (1.2 §Repeated Header Entries: the first counts).
    #[must_use]
    pub fn to_message(&self) -> Message {
        let mut content_type: Option<String> = None;
        let mut headers: Vec<(String, String)> = Vec::new();
        let mut names = BTreeSet::new();
        for (name, value) in self.headers() {
            let is_first = names.insert(name.clone());
            if name == header::CONTENT_TYPE {
                content_type.get_or_insert(value.into_owned());
            } else if is_first && !OF_STOMP.contains(&&*name) {
                headers.push((name.into_owned(), value.into_owned()));
            }
        }
        let message = Message::new(Bytes::copy_from_slice(self.body())).with_headers(headers);
        match content_type {
            Some(content_type) => message.content_type(content_type),
            None => message,
        }
    }
}

/// Headers of MESSAGE that are not the application's.
const OF_STOMP: [&str; 6] = [
    header::SUBSCRIPTION,
    header::DESTINATION,
    header::MESSAGE_ID,
    header::ACK,
    header::CONTENT_LENGTH,
    header::REDELIVERED,
];

/// The name of a message in its ACK or NACK.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AckToken {
    pub(super) connection: u64,
    pub(super) subscription: SubscriptionId,
    pub(super) delivery: u64,
    /// What the server calls the message: the `ack` header, or, before 1.2, the `message-id`.
    pub(super) name: Box<str>,
}

impl AckToken {
    /// Returns the subscription that has got the message.
    #[must_use]
    pub const fn subscription(&self) -> SubscriptionId {
        self.subscription
    }
}

/// The headers of a MESSAGE that the client needs, found in one pass.
#[derive(Clone, Debug)]
pub(super) struct MessageHeaders<'a> {
    pub(super) destination: Cow<'a, str>,
    pub(super) message_id: Cow<'a, str>,
    pub(super) subscription: Option<Cow<'a, str>>,
    ack: Option<Cow<'a, str>>,
    /// The ends of a gap, if the message tells one.
    pub(super) gap: Option<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> MessageHeaders<'a> {
    pub(super) fn read(frame: &Frame<'a>) -> Result<Self, ProtocolError> {
        let [destination, message_id, subscription, ack, gap_from, gap_to] = frame.pick([
            header::DESTINATION,
            header::MESSAGE_ID,
            header::SUBSCRIPTION,
            header::ACK,
            server::header::GAP_FROM,
            server::header::GAP_TO,
        ]);
        let version = frame.version();
        let missing =
            |header| ProtocolError::MissingHeader { command: Command::Message, header, version };
        Ok(Self {
            destination: destination.ok_or_else(|| missing(header::DESTINATION))?,
            message_id: message_id.ok_or_else(|| missing(header::MESSAGE_ID))?,
            subscription,
            ack,
            gap: gap_from.zip(gap_to),
        })
    }

    /// Returns what ACK and NACK call the message: in 1.2 the `ack` header (1.2 §ACK), before that
    /// the `message-id`. Without an `ack` header, the server of 1.2 expects no acknowledgement.
    pub(super) fn acknowledged_as(&self, version: Version) -> Option<&str> {
        match version {
            Version::V1_2 => self.ack.as_deref(),
            Version::V1_0 | Version::V1_1 => Some(&self.message_id),
        }
    }
}
