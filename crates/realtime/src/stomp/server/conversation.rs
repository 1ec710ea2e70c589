//! What both sides have said so far, and what each of them waits for.

use super::{
    config::Config, error::SessionError, header as own_header, output::Outbox, receipts::Receipts,
    subscriptions::Subscriptions, transactions::Transactions,
};
use crate::{
    cursor::Cursor,
    hub::{ConnectionId, Principal},
    stomp::{
        Command, EncodedFrame, Encoder, Limits, Version, error::cut, header, heartbeat::Heartbeat,
    },
};
use alloc::{
    borrow::Cow,
    boxed::Box,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::time::Duration;
use sansocket::CloseCode;

/// A session without the bytes that it has not looked at yet.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) connection: ConnectionId,
    pub(super) config: Arc<Config>,
    pub(super) state: State,
    /// The version of the session, once a CONNECT has come.
    pub(super) version: Version,
    pub(super) principal: Option<Principal>,
    pub(super) registration: Registration,
    pub(super) subscriptions: Subscriptions,
    pub(super) transactions: Transactions,
    pub(super) receipts: Receipts,
    pub(super) heartbeat: Heartbeat,
    pub(super) outbox: Outbox,
    /// How many messages without a cursor the client has got.
    pub(super) replies: u64,
    pub(super) now: Duration,
    pub(super) error: Option<Box<SessionError>>,
}

/// How far the session is.
#[derive(Debug)]
pub(super) enum State {
    /// No CONNECT has come.
    Opening { deadline: Duration },
    /// The application has a CONNECT to answer.
    Answering,
    /// The client has got CONNECTED.
    Open,
    /// The client has sent DISCONNECT. What came before it has to be answered first.
    Disconnecting { deadline: Duration, receipt: Option<Box<str>> },
    /// The last frame is in the outbox.
    Ended,
}

/// What the hub knows of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Registration {
    None,
    /// The hub is to be told that the client has connected.
    Due,
    Done,
}

/// The frame that has caused an error.
#[derive(Debug)]
pub(super) struct Cause<'a> {
    pub(super) command: Command,
    pub(super) receipt: Option<Cow<'a, str>>,
}

impl Conversation {
    pub(super) fn new(connection: ConnectionId, config: Arc<Config>, now: Duration) -> Self {
        let deadline = now.saturating_add(config.connect_timeout);
        Self {
            connection,
            config,
            state: State::Opening { deadline },
            version: Version::V1_2,
            principal: None,
            registration: Registration::None,
            subscriptions: Subscriptions::default(),
            transactions: Transactions::default(),
            receipts: Receipts::default(),
            heartbeat: Heartbeat::NONE,
            outbox: Outbox::default(),
            replies: 0,
            now,
            error: None,
        }
    }

    /// Returns whether the client has got CONNECTED and the session has not ended.
    pub(super) const fn is_connected(&self) -> bool {
        matches!(self.state, State::Open | State::Disconnecting { .. })
    }

    /// Returns how the frames of the client are decoded.
    pub(super) fn rules(&self) -> (Version, Limits) {
        if self.is_connected() {
            (self.version, self.config.limits)
        } else {
            // The rules of 1.2 fit the CONNECT of every version.
            (Version::V1_2, self.config.limits_before_login)
        }
    }

    pub(super) fn accept(&mut self, principal: Option<Principal>) -> Result<(), SessionError> {
        self.principal = principal;
        self.registration = Registration::Due;
        self.state = State::Open;
        self.heartbeat.start(self.now);
        let Self { config, connection, principal, version, .. } = self;
        let mut headers = Vec::with_capacity(5);
        headers.push((header::VERSION, Cow::Borrowed(version.as_str())));
        if *version >= Version::V1_1 {
            headers.push((header::HEART_BEAT, config.heart_beat.to_string().into()));
        }
        headers.push((header::SESSION, connection.0.to_string().into()));
        headers.extend(config.server.as_deref().map(|name| (header::SERVER, name.into())));
        // CONNECTED has no escapes, so a name with a line end can't be told.
        let name = principal.as_ref().map(Principal::name);
        let name = name.filter(|name| !name.contains(['\0', '\n', '\r']));
        headers.extend(name.map(|name| (own_header::USER_NAME, name.into())));
        let frame = encode(*version, Command::Connected, headers)?;
        self.push(frame)
    }

    /// Queues a frame.
    pub(super) fn push(&mut self, frame: EncodedFrame) -> Result<(), SessionError> {
        let limit = self.config.queued_output;
        if self.outbox.frames.memory() >= limit {
            return Err(SessionError::QueueFull { limit });
        }
        self.outbox.frames.push(frame);
        self.heartbeat.sent(self.now);
        Ok(())
    }

    /// Queues a RECEIPT.
    pub(super) fn push_receipt(
        &mut self,
        receipt: &str,
        cursor: Option<Cursor>,
    ) -> Result<(), SessionError> {
        let cursor = cursor.map(|cursor| (own_header::CURSOR, Cow::Owned(cursor.to_string())));
        let headers = [(header::RECEIPT_ID, Cow::Borrowed(receipt))].into_iter().chain(cursor);
        let frame = encode(self.version, Command::Receipt, headers)?;
        self.push(frame)
    }

    /// Ends the session after a DISCONNECT, if everything before it is answered.
    pub(super) fn disconnect_if_answered(&mut self) -> Result<(), SessionError> {
        let State::Disconnecting { receipt, .. } = &mut self.state else { return Ok(()) };
        if !self.receipts.is_empty() {
            return Ok(());
        }
        if let Some(receipt) = receipt.take() {
            self.push_receipt(&receipt, None)?;
        }
        self.outbox.close(CloseCode::NORMAL);
        self.end();
        Ok(())
    }

    /// Ends the session with an ERROR and a Close, unless it has ended.
    pub(super) fn fail(&mut self, error: SessionError, cause: Option<Cause<'_>>) {
        if matches!(self.state, State::Ended) {
            return;
        }
        if matches!(error, SessionError::QueueFull { .. }) {
            self.outbox.clear();
        }
        // What a DISCONNECT waits for fails the DISCONNECT.
        let cause = cause.or_else(|| match &mut self.state {
            State::Disconnecting { receipt, .. } => {
                let receipt = receipt.take().map(|receipt| Cow::Owned(receipt.into_string()));
                Some(Cause { command: Command::Disconnect, receipt })
            }
            _ => None,
        });
        // Before CONNECTED, the client does not know whose escapes an ERROR has.
        let version = if self.is_connected() { Some(self.version) } else { None };
        self.outbox.frames.push(error_frame(version, &error, cause));
        self.outbox.close(error.close_code());
        self.error = Some(Box::new(error));
        self.end();
    }

    /// Ends the session, and with it its transactions (1.2 §BEGIN).
    pub(super) fn end(&mut self) {
        self.state = State::Ended;
        self.subscriptions.clear();
        self.transactions.clear();
        self.receipts.clear();
    }
}

/// Encodes a frame without a body.
pub(super) fn encode<'a>(
    version: Version,
    command: Command,
    headers: impl IntoIterator<Item = (&'static str, Cow<'a, str>)>,
) -> Result<EncodedFrame, SessionError> {
    let mut bytes = Vec::with_capacity(64);
    match Encoder::new(version).encode(command, headers, b"", &mut bytes) {
        Ok(()) => Ok(EncodedFrame::text(bytes)),
        Err(_) => Err(SessionError::Inexpressible),
    }
}

fn error_frame(
    version: Option<Version>,
    error: &SessionError,
    cause: Option<Cause<'_>>,
) -> EncodedFrame {
    let text = error.message();
    let message = summary(&text, version.is_none());
    let body = if message == text { "" } else { text.as_str() };
    let mut headers = Vec::with_capacity(5);
    if matches!(error, SessionError::NoCommonVersion) {
        headers.push((header::VERSION, Cow::Borrowed("1.0,1.1,1.2")));
    }
    headers.push((header::MESSAGE, Cow::Borrowed(message.as_str())));
    if !body.is_empty() {
        headers.push((header::CONTENT_TYPE, Cow::Borrowed("text/plain")));
    }
    if let Some(Cause { command, receipt }) = cause {
        headers.push((own_header::COMMAND, Cow::Borrowed(command.as_str())));
        headers.extend(receipt.map(|receipt| (header::RECEIPT_ID, receipt)));
    }
    let encoder = Encoder::new(version.unwrap_or(Version::V1_0));
    let mut bytes = Vec::with_capacity(128 + body.len());
    while encoder
        .encode(Command::Error, headers.iter().cloned(), body.as_bytes(), &mut bytes)
        .is_err()
    {
        // The `receipt-id` is the last header, and the only one that can have an octet which the version
        // can't write: the receipt of a frame before CONNECT. It is better to leave it out than to say
        // nothing.
        headers.pop();
    }
    EncodedFrame::text(bytes)
}

/// Returns the start of a text as one line. If the version is not known, it has nothing that one version
/// escapes and another does not.
fn summary(text: &str, is_plain: bool) -> String {
    let is_replaced = |octet: char| octet.is_control() || (is_plain && matches!(octet, ':' | '\\'));
    cut(text, 200).replace(is_replaced, " ")
}
