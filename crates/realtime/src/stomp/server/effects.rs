//! Effects of the hub become frames for the client.

use super::{
    acknowledgement::AckId,
    conversation::{Cause, Conversation},
    error::SessionError,
    frames::REPLY,
    header as own_header,
    subscriptions::{Name, Subscription},
};
use crate::{
    cursor::Cursor,
    hub::{DeliveryId, Effect, Gap, RequestId, SubscriptionId},
    message::{Encoded, Form, Published},
    stomp::{
        EncodedFrame, Encoder, MessageTail, Version,
        header::{self, AckMode},
    },
};
use alloc::{
    borrow::Cow,
    format,
    string::{String, ToString},
    vec::Vec,
};
use bytes::Bytes;
use sansocket::connection::MessageKind;

/// The longest tail of a message that each subscriber gets a copy of. For one that is so short, sharing it
/// costs more than it saves.
const COPIED: usize = 1 << 10;

impl Conversation {
    /// Applies an effect. Those of other connections change nothing.
    pub(super) fn apply(&mut self, effect: &Effect) {
        if !self.is_connected() || effect.connection() != Some(self.connection) {
            return;
        }
        let applied = match effect {
            Effect::Deliver { subscription, delivery, is_redelivered, message, .. } => {
                self.deliver(*subscription, *delivery, *is_redelivered, message)
            }
            Effect::Gap { subscription, gap, .. } => self.tell_gap(*subscription, *gap),
            Effect::Subscribed { request: Some(request), cursor, .. }
            | Effect::Processed { request, cursor, .. } => self.processed(*request, *cursor),
            Effect::Refused { request, subscription, refusal, .. } => {
                let error = SessionError::Refused(refusal.clone());
                return self.refused(*request, *subscription, error);
            }
            _ => Ok(()),
        };
        if let Err(error) = applied {
            self.fail(error, None);
        }
    }

    fn deliver(
        &mut self,
        id: SubscriptionId,
        delivery: Option<DeliveryId>,
        is_redelivered: bool,
        message: &Published,
    ) -> Result<(), SessionError> {
        // The client may have ended the subscription while the message was on its way.
        let Some(subscription) = self.subscriptions.get(id) else { return Ok(()) };
        let is_reply = message.cursor().is_none();
        let tail = message.encoded(form(self.version), |message| {
            encode_tail(self.version, message, self.replies).unwrap_or_else(|| Encoded {
                // No tail of a message is empty, so this stands for one that can't be written.
                bytes: Bytes::new(),
                is_text: true,
            })
        });
        if tail.bytes.is_empty() {
            return Err(SessionError::Inexpressible);
        }
        let redelivered = is_redelivered.then_some((header::REDELIVERED, Cow::Borrowed("true")));
        let ack = delivery.map(|delivery| AckId { subscription: id, delivery, is_gap: false });
        let (bytes, is_text) = (&tail.bytes, tail.is_text);
        let (copied, shared) = match bytes.len() {
            ..=COPIED => (&**bytes, Bytes::new()),
            _ => (&[][..], bytes.clone()),
        };
        let mut head = encode_head(self.version, subscription, ack, redelivered, copied.len())?;
        head.extend_from_slice(copied);
        self.replies = self.replies.saturating_add(u64::from(is_reply));
        if let Some(delivery) = delivery {
            self.subscriptions.delivered(id, delivery);
        }
        self.push(EncodedFrame::new(head, shared, is_text))
    }

    fn tell_gap(&mut self, id: SubscriptionId, gap: Gap) -> Result<(), SessionError> {
        let Gap { from, to } = gap;
        let delivery = self.subscriptions.set_gap(id, to);
        let Some(subscription) = self.subscriptions.get(id) else { return Ok(()) };
        let cursor = |name, cursor: Cursor| (name, Cow::Owned(cursor.to_string()));
        // 1.2 §MESSAGE: a message to a subscription that acknowledges has an `ack`.
        let ack = AckId { subscription: id, delivery, is_gap: true };
        let ack = (subscription.ack != AckMode::Auto).then_some(ack);
        let gap = [cursor(own_header::GAP_FROM, from), cursor(own_header::GAP_TO, to)];
        let head = encode_head(self.version, subscription, ack, gap, 0)?;
        let message_id = to.to_string();
        let destination = subscription.destination();
        let tail = MessageTail::encode(self.version, &message_id, destination, header::NONE, b"")
            .map_err(|_| SessionError::Inexpressible)?;
        self.push(EncodedFrame::new(head, tail.bytes().clone(), true))
    }

    fn processed(
        &mut self,
        request: RequestId,
        cursor: Option<Cursor>,
    ) -> Result<(), SessionError> {
        if let Some(receipt) = self.receipts.take(request) {
            self.push_receipt(&receipt.text, cursor)?;
        }
        self.disconnect_if_answered()
    }

    fn refused(
        &mut self,
        request: Option<RequestId>,
        subscription: Option<SubscriptionId>,
        error: SessionError,
    ) {
        let is_of_ended_subscription =
            subscription.is_some_and(|id| self.subscriptions.get(id).is_none());
        if request.is_none() && is_of_ended_subscription {
            // The client has ended it too, so it misses nothing.
            return;
        }
        let receipt = request.and_then(|request| self.receipts.take(request));
        let cause = receipt.map(|receipt| Cause {
            command: receipt.command,
            receipt: Some(Cow::Owned(String::from(receipt.text))),
        });
        self.fail(error, cause);
    }
}

const fn form(version: Version) -> Form {
    match version {
        Version::V1_0 => Form::Stomp1_0,
        Version::V1_1 => Form::Stomp1_1,
        Version::V1_2 => Form::Stomp1_2,
    }
}

/// Encodes the part of a MESSAGE that one subscription has for itself, with room for so many bytes behind it.
fn encode_head<'a>(
    version: Version,
    subscription: &'a Subscription,
    ack: Option<AckId>,
    more: impl IntoIterator<Item = (&'a str, Cow<'a, str>)>,
    room: usize,
) -> Result<Vec<u8>, SessionError> {
    let id = match subscription.name() {
        Name::Id(id) => Some((header::SUBSCRIPTION, Cow::Borrowed(id))),
        // 1.0 §SUBSCRIBE: the header is there if the client has given an `id`.
        Name::Destination(_) => None,
    };
    // Only 1.2 has the header.
    let ack = ack.filter(|_| version >= Version::V1_2);
    let ack = ack.map(|ack| (header::ACK, Cow::Owned(ack.to_string())));
    let mut head = Vec::with_capacity(64 + room);
    Encoder::new(version)
        .encode_message_head(id.into_iter().chain(ack).chain(more), &mut head)
        .map_err(|_| SessionError::Inexpressible)?;
    Ok(head)
}

/// Encodes the part of a MESSAGE that all subscribers of a version share, or returns `None` if the
/// version can't express it. A reply gets this number.
fn encode_tail(version: Version, published: &Published, reply: u64) -> Option<Encoded> {
    let message_id = match published.cursor() {
        Some(cursor) => cursor.to_string(),
        None => format!("{REPLY}{reply}"),
    };
    let message = published.message();
    let content_type = message.get_content_type().map(|value| (header::CONTENT_TYPE, value));
    let headers = message.headers().filter(|(name, _)| !own_header::is_reserved(name));
    let headers = content_type.into_iter().chain(headers);
    let (destination, body) = (published.destination(), message.body());
    let tail = MessageTail::encode(version, &message_id, destination, headers, body).ok()?;
    Some(Encoded { bytes: tail.bytes().clone(), is_text: tail.kind() == MessageKind::Text })
}
