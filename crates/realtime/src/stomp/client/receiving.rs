//! What a client makes of the frames of a server.

use super::{
    Connected, Delivery, Event, Gap, Ignored, ServerError, SubscriptionId,
    delivery::MessageHeaders,
    endpoint::{Endpoint, Subscription},
    error::{ClientError, ProtocolError},
    event::Cause,
    ids::{ReceiptId, own_number},
    progress::Arrival,
    receipts::Purpose,
    state::State,
};
use crate::{
    cursor::Cursor,
    stomp::{
        Command, Frame, Version,
        error::shortened,
        header::{self, AckMode, HeartBeat},
        server,
    },
};
use alloc::vec::Vec;
use core::time::Duration;

impl Endpoint {
    /// Handles a frame. An error fails the connection.
    pub(super) fn handle<'a>(
        &mut self,
        frame: Frame<'a>,
        now: Duration,
    ) -> Result<Event<'a>, ClientError> {
        let state = self.state;
        match (state, frame.command()) {
            (State::Connecting, Command::Connected) => self.connected(frame, now),
            (State::Connecting, Command::Error) => {
                self.end();
                Ok(Event::Refused(ServerError { cause: None, frame }))
            }
            (State::Connected | State::Disconnecting, Command::Message) => self.message(frame),
            (State::Connected | State::Disconnecting, Command::Receipt) => self.receipt(&frame),
            (State::Connected | State::Disconnecting, Command::Error) => Ok(self.error(frame)),
            (_, command) => Err(ProtocolError::UnexpectedFrame { command, state }.into()),
        }
    }

    fn connected<'a>(&mut self, frame: Frame<'a>, now: Duration) -> Result<Event<'a>, ClientError> {
        // 1.2 §Protocol Negotiation: the version is one that both have.
        let agreed =
            frame.agreed_version().ok().filter(|version| self.offer.versions.contains(version));
        self.version = agreed.ok_or_else(|| {
            let version = frame.get(header::VERSION);
            let version = version.as_deref().unwrap_or(Version::V1_0.as_str());
            ProtocolError::Version { version: shortened(version) }
        })?;
        let heart_beat = self.heart_beat(&frame)?;
        self.heartbeat.agree(heart_beat);
        self.heartbeat.received(now);
        self.answer_by = None;
        self.state = State::Connected;
        self.connected_at = Some(now);
        let subscriptions: Vec<_> = self.subscriptions.keys().copied().collect();
        for subscription in subscriptions {
            self.push_subscribe(subscription)
                .map_err(|reason| ClientError::Subscription { subscription, reason })?;
        }
        Ok(Event::Connected(Connected { version: self.version, heart_beat, frame }))
    }

    /// Returns the agreed heart-beats. 1.0 has none.
    fn heart_beat(&self, frame: &Frame<'_>) -> Result<HeartBeat, ProtocolError> {
        if self.version == Version::V1_0 {
            return Ok(HeartBeat::default());
        }
        let server = frame.heart_beat().map_err(|_| {
            let value = frame.get(header::HEART_BEAT).unwrap_or_default();
            invalid(Command::Connected, header::HEART_BEAT, &value)
        })?;
        Ok(self.offer.heart_beat.agree(server))
    }

    fn message<'a>(&mut self, frame: Frame<'a>) -> Result<Event<'a>, ClientError> {
        let headers = MessageHeaders::read(&frame)?;
        let id = match self.subscription_of(&headers)? {
            Of::Subscription(id) => id,
            Of::Ended(id) => return Ok(Event::Ignored(Ignored::Unsubscribed(id))),
            Of::AnyEnded => return Ok(Event::Ignored(Ignored::Unassigned)),
            Of::Unknown => {
                let cursor = headers.message_id.parse().ok();
                let to_acknowledge = None;
                return Ok(Event::Unsolicited(Delivery {
                    subscription: None,
                    headers,
                    cursor,
                    to_acknowledge,
                    frame,
                }));
            }
        };
        if let Some(gap) = self.gap(id, &headers)? {
            return Ok(gap);
        }
        self.deliver(id, headers, frame)
    }

    /// Finds the subscription of a message.
    fn subscription_of(&self, headers: &MessageHeaders<'_>) -> Result<Of, ProtocolError> {
        let Some(name) = &headers.subscription else {
            // 1.0 §SUBSCRIBE: brokers should say it.
            if self.version == Version::V1_0 {
                return self.subscription_to(&headers.destination);
            }
            return Err(ProtocolError::MissingHeader {
                command: Command::Message,
                header: header::SUBSCRIPTION,
                version: self.version,
            });
        };
        match own_number(name).map(SubscriptionId) {
            Some(id) if self.subscriptions.contains_key(&id) => Ok(Of::Subscription(id)),
            Some(id) if id.0 < self.next_subscription => Ok(Of::Ended(id)),
            _ => self.unknown(name),
        }
    }

    /// Finds the subscription of a message that does not name it.
    fn subscription_to(&self, destination: &str) -> Result<Of, ProtocolError> {
        let mut subscriptions = self.subscriptions.iter();
        let found = subscriptions.find(|(_, found)| found.destination == destination);
        let have_ended = self.next_subscription > self.subscriptions.len() as u64;
        match found {
            Some((id, _)) => Ok(Of::Subscription(*id)),
            // The server sent it before it got UNSUBSCRIBE, for all that is known.
            None if have_ended && !self.config.unsolicited => Ok(Of::AnyEnded),
            None => self.unknown(destination),
        }
    }

    fn unknown(&self, subscription: &str) -> Result<Of, ProtocolError> {
        if self.config.unsolicited {
            return Ok(Of::Unknown);
        }
        Err(ProtocolError::UnknownSubscription { subscription: shortened(subscription) })
    }

    /// Returns the event of a message that tells a gap.
    fn gap(
        &mut self,
        id: SubscriptionId,
        headers: &MessageHeaders<'_>,
    ) -> Result<Option<Event<'static>>, ProtocolError> {
        let Some((from, to)) = &headers.gap else { return Ok(None) };
        let Some(subscription) = self.subscriptions.get_mut(&id) else { return Ok(None) };
        // Other servers pass on headers of this name as the application's.
        if !subscription.progress.is_resumable {
            return Ok(None);
        }
        let cursor =
            |header, text: &str| text.parse().map_err(|_| invalid(Command::Message, header, text));
        let from: Cursor = cursor(server::header::GAP_FROM, from)?;
        let to: Cursor = cursor(server::header::GAP_TO, to)?;
        Ok(Some(if subscription.progress.gap(to) {
            Event::Gap(Gap { subscription: id, from, to })
        } else {
            Event::Ignored(Ignored::Duplicate { subscription: id, cursor: to })
        }))
    }

    fn deliver<'a>(
        &mut self,
        id: SubscriptionId,
        headers: MessageHeaders<'a>,
        frame: Frame<'a>,
    ) -> Result<Event<'a>, ClientError> {
        let cursor: Option<Cursor> = headers.message_id.parse().ok();
        let (connection, delivery) = (self.connection, self.next_delivery);
        let Some(subscription) = self.subscriptions.get_mut(&id) else {
            return Ok(Event::Ignored(Ignored::Unsubscribed(id)));
        };
        let Subscription { options, progress, .. } = subscription;
        let name = headers.acknowledged_as(self.version);
        let name = name.filter(|_| options.ack != AckMode::Auto);
        let arrival = progress.judge(cursor);
        if let (Arrival::Duplicate, Some(cursor)) = (arrival, cursor) {
            // In mode `client`, the ACK of a later message is for this one, too.
            if let Some(name) = name.filter(|_| options.ack == AckMode::ClientIndividual) {
                self.acknowledge_duplicate(id, name)?;
            }
            return Ok(Event::Ignored(Ignored::Duplicate { subscription: id, cursor }));
        }
        let mut to_acknowledge = None;
        if name.is_some() {
            let limit = self.config.limits.unacknowledged;
            // Before the message counts as delivered. So it comes again on the next connection.
            if arrival == Arrival::New && progress.unsettled() >= limit {
                return Err(ClientError::TooManyUnacknowledged { subscription: id, limit });
            }
            progress.wait(delivery, cursor);
            self.next_delivery = delivery.wrapping_add(1);
            to_acknowledge = Some((connection, delivery));
        }
        if let Some(cursor) = cursor {
            progress.delivered(cursor);
        }
        let subscription = Some(id);
        Ok(Event::Message(Delivery { subscription, headers, cursor, to_acknowledge, frame }))
    }

    fn receipt(&mut self, frame: &Frame<'_>) -> Result<Event<'static>, ClientError> {
        let text = frame.get(header::RECEIPT_ID).ok_or(ProtocolError::MissingHeader {
            command: Command::Receipt,
            header: header::RECEIPT_ID,
            version: self.version,
        })?;
        let receipt = own_number(&text)
            .filter(|receipt| self.receipts.was_asked(*receipt))
            .ok_or_else(|| ProtocolError::UnknownReceipt { receipt: shortened(&text) })?;
        let cursor =
            || frame.get(server::header::CURSOR).and_then(|cursor| cursor.parse::<Cursor>().ok());
        Ok(match self.receipts.take(receipt) {
            Some(Purpose::Send { .. }) => {
                Event::Receipt { receipt: ReceiptId(receipt), cursor: cursor() }
            }
            Some(Purpose::Subscribe(id)) => {
                let cursor = cursor();
                if let Some(subscription) = self.subscriptions.get_mut(&id) {
                    subscription.receipt = None;
                    subscription.has_begun = true;
                    subscription.progress.subscribed(cursor);
                }
                Event::Subscribed { subscription: id, cursor }
            }
            Some(Purpose::Commit(id)) => {
                self.end_transaction(id, true);
                Event::Committed(id)
            }
            Some(Purpose::Disconnect) => {
                self.end();
                Event::Disconnected
            }
            None => Event::Ignored(Ignored::Receipt),
        })
    }

    fn error<'a>(&mut self, frame: Frame<'a>) -> Event<'a> {
        let receipt = frame.get(header::RECEIPT_ID).and_then(|text| own_number(&text));
        let refused = receipt.and_then(|receipt| Some((receipt, self.receipts.take(receipt)?)));
        let cause = refused.map(|(receipt, purpose)| match purpose {
            Purpose::Send { .. } => Cause::Send(ReceiptId(receipt)),
            Purpose::Subscribe(id) => Cause::Subscribe(id),
            Purpose::Commit(id) => Cause::Commit(id),
            Purpose::Disconnect => Cause::Disconnect,
        });
        match cause {
            // The next connection would be refused for the same reason, and with it all that is on it.
            Some(Cause::Subscribe(id)) => {
                self.remove_subscription(id);
            }
            Some(Cause::Commit(id)) => self.end_transaction(id, false),
            _ => {}
        }
        self.end();
        Event::Error(ServerError { cause, frame })
    }
}

/// What a message belongs to.
enum Of {
    Subscription(SubscriptionId),
    /// A subscription that has ended.
    Ended(SubscriptionId),
    /// One of several that have ended, or none.
    AnyEnded,
    Unknown,
}

fn invalid(command: Command, header: &'static str, value: &str) -> ProtocolError {
    ProtocolError::InvalidHeader { command, header, value: shortened(value) }
}
