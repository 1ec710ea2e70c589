//! Frames of the client become commands for the hub.

use super::{
    acknowledgement::AckId,
    conversation::{Cause, Conversation, State},
    error::{SessionError, invalid, missing, require},
    event::{ConnectRequest, Event},
    header as own_header,
    subscribe_options::subscribe_options,
    subscriptions::{Name, Target},
};
use crate::{
    cursor::Cursor,
    hub::{
        Command as HubCommand, DeliveryId, DeliveryOf, Operation, RequestId, Start, SubscriptionId,
    },
    message::Message,
    stomp::{
        Command, Frame, Version,
        header::{self, AckMode, HeartBeat},
    },
};
use alloc::{borrow::Cow, vec};
use bytes::Bytes;

impl Conversation {
    /// Handles a frame. Its body is shared with `input` if it makes up most of that.
    pub(super) fn handle(&mut self, frame: &Frame<'_>, input: &Bytes) -> Option<Event> {
        match self.try_handle(frame, input) {
            Ok(event) => event,
            Err(error) => {
                let command = frame.command();
                // 1.2 §ERROR: the `receipt-id` tells which frame it was.
                self.fail(error, Some(Cause { command, receipt: frame.receipt() }));
                None
            }
        }
    }

    fn try_handle(
        &mut self,
        frame: &Frame<'_>,
        input: &Bytes,
    ) -> Result<Option<Event>, SessionError> {
        let command = frame.command();
        let is_connect = matches!(command, Command::Connect | Command::Stomp);
        if matches!(self.state, State::Opening { .. }) {
            return match is_connect {
                true => self.connect(frame).map(|request| Some(Event::Connect(request))),
                false => Err(SessionError::NotConnected { command }),
            };
        }
        let command = match command {
            Command::Send => self.send(frame, input)?,
            Command::Subscribe => Some(self.subscribe(frame)?),
            Command::Unsubscribe => Some(self.unsubscribe(frame)?),
            Command::Ack | Command::Nack => self.acknowledge(frame)?,
            Command::Begin => self.begin(frame).map(|()| None)?,
            Command::Commit => Some(self.commit(frame)?),
            Command::Abort => self.abort(frame).map(|()| None)?,
            Command::Disconnect => self.disconnect(frame).map(|()| None)?,
            // The decoder of a server lets no commands of servers through.
            _ => return Err(SessionError::AlreadyConnected { command }),
        };
        Ok(command.map(Event::Command))
    }

    fn connect(&mut self, frame: &Frame<'_>) -> Result<ConnectRequest, SessionError> {
        let version =
            frame.highest_common_version(&Version::ALL).ok_or(SessionError::NoCommonVersion)?;
        // 1.0 has neither a host nor heart-beats.
        let mut offered = HeartBeat::default();
        if version >= Version::V1_1 {
            if self.config.require_host {
                require(frame, header::HOST, frame.get(header::HOST))?;
            }
            offered = frame.heart_beat().map_err(|_| {
                invalid(frame, header::HEART_BEAT, "is not two numbers of milliseconds")
            })?;
        }
        self.version = version;
        self.heartbeat.agree(self.config.heart_beat.agree(offered));
        self.state = State::Answering;
        Ok(ConnectRequest::new(version, self.principal.clone(), frame))
    }

    fn send(
        &mut self,
        frame: &Frame<'_>,
        input: &Bytes,
    ) -> Result<Option<HubCommand>, SessionError> {
        let [destination, content_type, transaction] =
            frame.pick([header::DESTINATION, header::CONTENT_TYPE, header::TRANSACTION]);
        let destination = require(frame, header::DESTINATION, destination)?.into_owned();
        let headers = frame.headers().filter(|(name, _)| !own_header::is_reserved(name));
        let mut message = Message::new(body(frame, input))
            .with_headers(headers.map(|(name, value)| (name.into_owned(), value.into_owned())));
        if let Some(content_type) = content_type {
            message = message.content_type(content_type);
        }
        let operation = Operation::Send { destination, message };
        self.perform(frame, operation, transaction)
    }

    fn subscribe(&mut self, frame: &Frame<'_>) -> Result<HubCommand, SessionError> {
        let [id, destination, selector] =
            frame.pick([header::ID, header::DESTINATION, own_header::SELECTOR]);
        let destination = require(frame, header::DESTINATION, destination)?.into_owned();
        let ack = self.ack_mode(frame)?;
        if selector.is_some() {
            // Without its filter, the client would get messages that it does not expect.
            return Err(invalid(frame, own_header::SELECTOR, "is not supported"));
        }
        let id = self.identifier(frame, header::ID, id)?;
        let name = match (&id, self.version) {
            (Some(id), _) => Name::Id(id),
            // 1.0 §SUBSCRIBE: the `id` is optional.
            (None, Version::V1_0) => Name::Destination(&destination),
            (None, _) => return Err(missing(frame, header::ID)),
        };
        let options = subscribe_options(frame, ack)?;
        let has_gaps = options.gaps || matches!(options.start, Start::After(_));
        // 1.0 §UNSUBSCRIBE: the destination can name it, too.
        let needs_target = has_gaps || self.version == Version::V1_0;
        let target = needs_target.then(|| Target::new(&destination));
        let subscription = self.subscriptions.add(name, ack, target)?;
        let request = self.request(frame)?;
        let connection = self.connection;
        let destinations = vec![destination];
        Ok(HubCommand::Subscribe { connection, subscription, destinations, options, request })
    }

    fn ack_mode(&self, frame: &Frame<'_>) -> Result<AckMode, SessionError> {
        match frame.ack_mode() {
            // 1.0 §SUBSCRIBE: the modes are `auto` and `client`.
            Ok(mode) if mode != AckMode::ClientIndividual || self.version >= Version::V1_1 => {
                Ok(mode)
            }
            _ => Err(invalid(frame, header::ACK, "is no mode of acknowledgement of this version")),
        }
    }

    fn unsubscribe(&mut self, frame: &Frame<'_>) -> Result<HubCommand, SessionError> {
        let [id, destination] = frame.pick([header::ID, header::DESTINATION]);
        let subscription = match (&id, &destination, self.version) {
            (Some(id), _, _) => self.subscriptions.remove(Name::Id(id))?,
            // 1.0 §UNSUBSCRIBE: either of them.
            (None, Some(destination), Version::V1_0) => {
                self.subscriptions.remove_to(destination)?
            }
            (None, _, _) => return Err(missing(frame, header::ID)),
        };
        let request = self.request(frame)?;
        Ok(HubCommand::Unsubscribe { connection: self.connection, subscription, request })
    }

    fn acknowledge(&mut self, frame: &Frame<'_>) -> Result<Option<HubCommand>, SessionError> {
        let [id, message_id, subscription, transaction] =
            frame.pick([header::ID, header::MESSAGE_ID, header::SUBSCRIPTION, header::TRANSACTION]);
        let delivery = if self.version >= Version::V1_2 {
            let id = require(frame, header::ID, id)?;
            self.delivery_by_ack(&id).ok_or_else(|| {
                invalid(frame, header::ID, "is not the \"ack\" of a message to a subscription")
            })?
        } else {
            let message_id = require(frame, header::MESSAGE_ID, message_id)?;
            // 1.1 §ACK demands the subscription, 1.0 does not have the header.
            let name = match self.version {
                Version::V1_0 => None,
                _ => Some(require(frame, header::SUBSCRIPTION, subscription)?),
            };
            self.delivery_by_message(frame, &message_id, name.as_deref())?
        };
        match delivery {
            Some(delivery) if frame.command() == Command::Ack => {
                self.perform(frame, Operation::Ack(delivery), transaction)
            }
            Some(delivery) => self.perform(frame, Operation::Nack(delivery), transaction),
            None => {
                self.check_transaction(transaction.as_deref())?;
                self.answer(frame).map(|()| None)
            }
        }
    }

    /// Returns what an ACK of 1.2 is about, which can be nothing. `None` if the client was never given this
    /// text.
    fn delivery_by_ack(&self, id: &str) -> Option<Option<DeliveryOf>> {
        let AckId { subscription, delivery, is_gap } = id.parse().ok()?;
        // A client may end a subscription before it has processed what it got there. The hub knows that
        // these messages are in other hands.
        if !self.subscriptions.has_existed(subscription) {
            return None;
        }
        Some(if is_gap {
            self.before_gap(subscription, delivery)
        } else {
            Some(DeliveryOf::Delivery(subscription, delivery))
        })
    }

    /// Returns what an ACK of a gap is about: in mode `client`, all messages before it (1.2 §SUBSCRIBE ack
    /// Header). A gap itself needs no acknowledgement.
    fn before_gap(&self, id: SubscriptionId, delivery: DeliveryId) -> Option<DeliveryOf> {
        let is_cumulative = self.subscriptions.get(id)?.ack == AckMode::Client;
        (is_cumulative && delivery.0 > 0).then_some(DeliveryOf::Delivery(id, delivery))
    }

    /// Returns what an ACK before 1.2 is about: nothing, if it is about a reply.
    fn delivery_by_message(
        &self,
        frame: &Frame<'_>,
        message_id: &str,
        name: Option<&str>,
    ) -> Result<Option<DeliveryOf>, SessionError> {
        let subscription = match name {
            Some(name) => Some(self.subscriptions.find(Name::Id(name))?),
            None => None,
        };
        if let Ok(cursor) = message_id.parse::<Cursor>() {
            return Ok(match self.subscriptions.gap_to(cursor, subscription) {
                Some((id, delivery)) => self.before_gap(id, delivery),
                None => Some(DeliveryOf::Message(subscription, cursor)),
            });
        }
        let reply = message_id.strip_prefix(REPLY).and_then(|number| number.parse::<u64>().ok());
        match reply {
            Some(number) if number < self.replies => Ok(None),
            _ => Err(invalid(frame, header::MESSAGE_ID, "is not that of a message to the client")),
        }
    }

    fn begin(&mut self, frame: &Frame<'_>) -> Result<(), SessionError> {
        let transaction = self.transaction(frame)?;
        self.transactions.begin(&transaction, &self.config)?;
        self.answer(frame)
    }

    fn commit(&mut self, frame: &Frame<'_>) -> Result<HubCommand, SessionError> {
        let transaction = self.transaction(frame)?;
        let operations = self.transactions.close(&transaction)?;
        let request = self.request(frame)?;
        Ok(HubCommand::Commit { connection: self.connection, operations, request })
    }

    fn abort(&mut self, frame: &Frame<'_>) -> Result<(), SessionError> {
        let transaction = self.transaction(frame)?;
        self.transactions.close(&transaction)?;
        self.answer(frame)
    }

    fn disconnect(&mut self, frame: &Frame<'_>) -> Result<(), SessionError> {
        let receipt = self.receipt(frame)?;
        let deadline = self.now.saturating_add(self.config.disconnect_timeout);
        self.state = State::Disconnecting {
            deadline,
            receipt: receipt.map(|text| text.into_owned().into()),
        };
        self.disconnect_if_answered()
    }

    /// Does something at once, or in a transaction once that is committed.
    fn perform(
        &mut self,
        frame: &Frame<'_>,
        operation: Operation,
        transaction: Option<Cow<'_, str>>,
    ) -> Result<Option<HubCommand>, SessionError> {
        if let Some(transaction) = transaction {
            self.transactions.add(&transaction, operation, &self.config)?;
            return self.answer(frame).map(|()| None);
        }
        let request = self.request(frame)?;
        Ok(Some(HubCommand::Perform { connection: self.connection, operation, request }))
    }

    fn check_transaction(&self, transaction: Option<&str>) -> Result<(), SessionError> {
        transaction.map_or(Ok(()), |transaction| self.transactions.check(transaction))
    }

    /// Returns the `transaction` of BEGIN, COMMIT and ABORT.
    fn transaction<'a>(&self, frame: &Frame<'a>) -> Result<Cow<'a, str>, SessionError> {
        let transaction = frame.get(header::TRANSACTION);
        let transaction = self.identifier(frame, header::TRANSACTION, transaction)?;
        require(frame, header::TRANSACTION, transaction)
    }

    fn receipt<'a>(&self, frame: &Frame<'a>) -> Result<Option<Cow<'a, str>>, SessionError> {
        self.identifier(frame, header::RECEIPT, frame.receipt())
    }

    /// Returns the name for a command whose answer becomes a RECEIPT, if the client has asked for that.
    fn request(&mut self, frame: &Frame<'_>) -> Result<Option<RequestId>, SessionError> {
        let Some(receipt) = self.receipt(frame)? else { return Ok(None) };
        let receipt = receipt.into_owned().into();
        self.receipts.add(frame.command(), receipt, self.config.receipts).map(Some)
    }

    /// Answers a frame that needs nothing of the hub, if the client has asked for that.
    fn answer(&mut self, frame: &Frame<'_>) -> Result<(), SessionError> {
        match self.receipt(frame)? {
            Some(receipt) => self.push_receipt(&receipt, None),
            None => Ok(()),
        }
    }

    /// Checks the length of a text by which the client names something.
    fn identifier<'a>(
        &self,
        frame: &Frame<'_>,
        header: &'static str,
        value: Option<Cow<'a, str>>,
    ) -> Result<Option<Cow<'a, str>>, SessionError> {
        let limit = self.config.identifier;
        match value {
            Some(value) if value.len() > limit => {
                let (command, len) = (frame.command(), value.len());
                Err(SessionError::IdentifierTooLong { command, header, len, limit })
            }
            value => Ok(value),
        }
    }
}

/// What the `message-id` of a message without a cursor begins with. No cursor does.
pub(super) const REPLY: &str = "reply-";

/// Returns the body of a frame. It is shared with the input only if it is at least half of all of that:
/// otherwise a small message that a topic keeps would keep a large input.
fn body(frame: &Frame<'_>, input: &Bytes) -> Bytes {
    let body = frame.body();
    let is_within = input.as_ptr_range().contains(&body.as_ptr());
    if is_within && !body.is_empty() && body.len() >= input.len() / 2 {
        input.slice_ref(body)
    } else {
        Bytes::copy_from_slice(body)
    }
}
