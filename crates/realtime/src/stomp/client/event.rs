//! What a client is told.

use super::{Delivery, ReceiptId, SubscriptionId, TransactionId};
use crate::{
    cursor::Cursor,
    stomp::{
        Frame, Headers, Version,
        header::{self, HeartBeat},
    },
};
use alloc::{borrow::Cow, string::String};

/// What [`Client::receive`](super::Client::receive) has received. Each frame is one event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The server has accepted the connection. What is subscribed is subscribed again.
    Connected(Connected<'a>),
    /// The server has refused the connection, which is [over](super::State::Over). STOMP does not say
    /// whether trying again helps.
    Refused(ServerError<'a>),
    /// A subscription has got a message.
    Message(Delivery<'a>),
    /// A subscription may have missed messages, and can't get them any more. It continues after the gap.
    /// One whose topic was quiet can get a gap [too many](crate::stomp::server#gaps) after a reconnect.
    Gap(Gap),
    /// A subscription has begun, or has begun again on a new connection.
    Subscribed {
        /// The subscription.
        subscription: SubscriptionId,
        /// Where it has begun: it gets what comes after this. Without a cursor, the server can't
        /// resume the subscription: its messages come from a queue, or the server is not that of this
        /// crate.
        cursor: Option<Cursor>,
    },
    /// The server has processed a message that was sent with a receipt. Frames before it were received,
    /// and may not have been processed yet (1.2 §RECEIPT).
    Receipt {
        /// The receipt of the message.
        receipt: ReceiptId,
        /// The place of the message in the sequence, if the server is that of this crate and the
        /// message has one.
        cursor: Option<Cursor>,
    },
    /// The server has committed a transaction.
    Committed(TransactionId),
    /// The server has answered DISCONNECT, so it has received everything. The connection is
    /// [over](super::State::Over).
    Disconnected,
    /// The server has failed, and closes the connection, which is [over](super::State::Over).
    Error(ServerError<'a>),
    /// A message of a subscription that the client has never made. It comes only if
    /// [`ClientConfig::unsolicited`](super::ClientConfig::unsolicited) is set.
    Unsolicited(Delivery<'a>),
    /// A frame that has no effect. You can ignore it, too.
    Ignored(Ignored),
}

/// A frame that has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ignored {
    /// A message, or a gap, that the application has had on an earlier connection.
    Duplicate {
        /// The subscription.
        subscription: SubscriptionId,
        /// The cursor of the message, or the end of the gap.
        cursor: Cursor,
    },
    /// A message of a subscription that has ended: the server sent it before it got UNSUBSCRIBE.
    Unsubscribed(SubscriptionId),
    /// A message of 1.0 that does not name its subscription, and whose destination is that of none. Its
    /// subscription may have ended.
    Unassigned,
    /// A receipt that nobody waits for: it came before, or its subscription has ended.
    Receipt,
}

/// What a subscription may have missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The last cursor before the gap. It can be of another epoch.
    pub from: Cursor,
    /// Where the subscription continues: it gets what comes after this.
    pub to: Cursor,
}

/// What a server says when it accepts a connection.
#[derive(Clone, Debug)]
pub struct Connected<'a> {
    pub(super) version: Version,
    pub(super) heart_beat: HeartBeat,
    pub(super) frame: Frame<'a>,
}

impl<'a> Connected<'a> {
    /// Returns the version of the connection.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns how often the client sends something, and how often it expects something. Zero means
    /// never.
    #[must_use]
    pub const fn heart_beat(&self) -> HeartBeat {
        self.heart_beat
    }

    /// Returns the name of the session, if the server gives one.
    #[must_use]
    pub fn session(&self) -> Option<Cow<'a, str>> {
        self.frame.get(header::SESSION)
    }

    /// Returns the name and the version of the server, if it tells them.
    #[must_use]
    pub fn server(&self) -> Option<Cow<'a, str>> {
        self.frame.get(header::SERVER)
    }

    /// Returns all headers, in the order of transmission.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        self.frame.headers()
    }

    /// Returns the value of the first header with this name, such as `user-name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.frame.get(name)
    }
}

/// An ERROR of the server.
#[derive(Clone, Debug)]
pub struct ServerError<'a> {
    pub(super) cause: Option<Cause>,
    pub(super) frame: Frame<'a>,
}

/// Which frame of the client an ERROR is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// A message that was sent with a receipt.
    Send(ReceiptId),
    /// The SUBSCRIBE of this subscription, which has ended. Subscribe again if that can help.
    Subscribe(SubscriptionId),
    /// The COMMIT of this transaction.
    Commit(TransactionId),
    /// DISCONNECT.
    Disconnect,
}

impl<'a> ServerError<'a> {
    /// Returns the short description in the `message` header, if there is one.
    #[must_use]
    pub fn message(&self) -> Option<Cow<'a, str>> {
        self.frame.get(header::MESSAGE)
    }

    /// Returns which frame the server refuses, if it says so (1.2 §ERROR). Not all servers do: RabbitMQ
    /// does not for a SUBSCRIBE, which is then made and refused again on each connection until you
    /// [unsubscribe](super::Client::unsubscribe).
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// Returns the body, which can describe more.
    #[must_use]
    pub const fn body(&self) -> &'a [u8] {
        self.frame.body()
    }

    /// Returns the body as text, in which invalid bytes are replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.frame.body())
    }

    /// Returns all headers, in the order of transmission.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        self.frame.headers()
    }

    /// Returns the value of the first header with this name, such as the `version` that lists what
    /// the server accepts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.frame.get(name)
    }
}
