//! The session between one client and the hub.

use super::{
    config::Config,
    conversation::{Conversation, Registration, State},
    error::SessionError,
    event::Event,
    input::Input,
    output::Output,
};
use crate::{
    hub::{Command, ConnectionId, Effect, Principal},
    stomp::{EncodedFrame, Encoder, Version},
};
use alloc::{boxed::Box, string::String, sync::Arc};
use bytes::Bytes;
use core::{fmt, time::Duration};
use sansocket::CloseCode;

/// The server's side of STOMP for one client: its bytes become commands for the hub, and effects of the
/// hub become frames.
///
/// After each call that takes `now`, pull [events](Self::next_event) and
/// [output](Self::next_output) until there are none, and set a timer for the
/// [deadline](Self::next_deadline). The [module](super) has a loop that compiles.
///
/// The session tells the hub when the client connects and, exactly once, when it is gone, however that
/// happens.
///
/// While nothing happens, a session with one subscription takes less than 400 bytes on 64-bit targets.
pub struct Session {
    /// `None` while nothing is to be decoded.
    input: Option<Box<Input>>,
    conversation: Conversation,
}

impl Session {
    /// Creates the session of a client that has not sent anything. The number names the connection in
    /// the hub, and the client gets it as the `session` of CONNECTED.
    #[must_use]
    pub fn new(connection: ConnectionId, config: Arc<Config>, now: Duration) -> Self {
        Self { input: None, conversation: Conversation::new(connection, config, now) }
    }

    /// Sets the user, if it was authenticated before the session, such as by a cookie in the request for
    /// the WebSocket. The [`ConnectRequest`](super::ConnectRequest) then has it.
    #[must_use]
    pub fn authenticated(mut self, principal: Principal) -> Self {
        self.conversation.principal = Some(principal);
        self
    }

    /// Takes bytes of the client: the payload of a WebSocket message, or a piece of a TCP stream. Frames
    /// need not begin or end there.
    ///
    /// Before the next call, pull [events](Self::next_event) until there are none. What comes after a
    /// CONNECT that is not answered waits, up to a [limit](Config::waiting_input). After the end of the
    /// session, and after a DISCONNECT, bytes are dropped.
    ///
    /// A message that is sent in one piece keeps `bytes` alive. Smaller ones are copied.
    pub fn receive(&mut self, bytes: impl Into<Bytes>, now: Duration) {
        let bytes = bytes.into();
        self.conversation.now = now;
        if !bytes.is_empty() {
            self.conversation.heartbeat.received(now);
        }
        if matches!(self.conversation.state, State::Disconnecting { .. } | State::Ended) {
            return;
        }
        let (version, limits) = self.conversation.rules();
        let input = self.input.get_or_insert_with(|| Box::new(Input::new(version, limits)));
        input.push(bytes);
        self.check_waiting();
    }

    /// Returns what the session asks for next.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let conversation = &mut self.conversation;
            match (&conversation.state, conversation.registration) {
                (State::Ended, registration) => {
                    self.input = None;
                    self.conversation.registration = Registration::None;
                    let connection = self.conversation.connection;
                    return (registration == Registration::Done)
                        .then_some(Event::Command(Command::Disconnect { connection }));
                }
                (_, Registration::Due) => {
                    conversation.registration = Registration::Done;
                    let connection = conversation.connection;
                    let principal = conversation.principal.clone();
                    return Some(Event::Command(Command::Connect { connection, principal }));
                }
                (State::Answering, _) => return None,
                (State::Disconnecting { .. }, _) => {
                    // 1.2 §DISCONNECT: a client sends nothing after it.
                    self.input = None;
                    return None;
                }
                (State::Opening { .. } | State::Open, _) => {}
            }
            if self.waiting_input() == 0 {
                if self.input.as_ref().is_some_and(|input| input.is_idle()) {
                    self.input = None;
                }
                return None;
            }
            if let Some(event) = self.handle_frame() {
                return Some(event);
            }
        }
    }

    /// Accepts the CONNECT: the client gets CONNECTED. The principal is who the client is from now on;
    /// pass on that of the [request](super::ConnectRequest::principal) to keep it.
    ///
    /// Does nothing if no CONNECT waits for an answer, because the session has ended meanwhile.
    pub fn accept(&mut self, principal: Option<Principal>, now: Duration) {
        self.conversation.now = now;
        if !matches!(self.conversation.state, State::Answering) {
            return;
        }
        if let Err(error) = self.conversation.accept(principal) {
            self.conversation.fail(error, None);
        }
        let (version, limits) = self.conversation.rules();
        if let Some(input) = &mut self.input {
            input.set_rules(version, limits);
        }
    }

    /// Refuses the CONNECT: the client gets an ERROR with this reason and a Close with this code, such as
    /// the message and the code of the guard's [`Answer`](crate::guard::Answer) to an
    /// [`AuthenticationError`](crate::guard::AuthenticationError).
    ///
    /// Does nothing if no CONNECT waits for an answer, because the session has ended meanwhile.
    pub fn refuse(&mut self, reason: impl Into<String>, code: CloseCode, now: Duration) {
        self.conversation.now = now;
        if matches!(self.conversation.state, State::Answering) {
            let error = SessionError::ConnectRefused { reason: reason.into(), code };
            self.conversation.fail(error, None);
        }
    }

    /// Applies an effect of the hub. Effects of other connections change nothing.
    pub fn apply(&mut self, effect: &Effect, now: Duration) {
        self.conversation.now = now;
        self.conversation.apply(effect);
    }

    /// Ends the session: the client gets an ERROR with this reason, and a Close with this code, such as
    /// [`CloseCode::GOING_AWAY`] when the server shuts down.
    pub fn end(&mut self, reason: impl Into<String>, code: CloseCode, now: Duration) {
        self.conversation.now = now;
        self.conversation.fail(SessionError::Ended { reason: reason.into(), code }, None);
    }

    /// Says that the transport has ended, so nothing more can be sent or received. Open transactions
    /// are aborted (1.2 §BEGIN), and the hub has to know: pull the last [event](Self::next_event).
    pub fn transport_ended(&mut self) {
        self.conversation.outbox.clear();
        self.conversation.end();
    }

    /// Returns what to do for the client next. Each frame is to be one WebSocket message, or is appended
    /// to a stream of bytes.
    pub fn next_output(&mut self) -> Option<Output> {
        self.conversation.outbox.next()
    }

    /// Returns how many bytes wait in [`next_output`](Self::next_output). While a client does not read,
    /// [pause](Command::Pause) it in the hub before they reach the
    /// [limit](Config::queued_output), at which the session ends. What you have pulled counts no more: if
    /// it waits in a queue of yours, a [`SlowConsumer`](crate::guard::SlowConsumer) says when to pause.
    #[must_use]
    pub const fn output_bytes(&self) -> usize {
        self.conversation.outbox.frames.bytes()
    }

    /// Returns when to call [`time_passed`](Self::time_passed), at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let Conversation { state, heartbeat, config, .. } = &self.conversation;
        match state {
            State::Opening { deadline } => Some(*deadline),
            State::Answering | State::Ended => None,
            State::Open => {
                let silent_at = heartbeat.silent_at(config.heart_beat_margin);
                earlier(heartbeat.next_beat(), silent_at)
            }
            State::Disconnecting { deadline, .. } => {
                earlier(heartbeat.next_beat(), Some(*deadline))
            }
        }
    }

    /// Does what is due: sends a heart-beat, or ends the session if the client is late.
    ///
    /// Counts a client as silent by what you pass to [`receive`](Self::receive). So if you stop to read
    /// from clients for a while, do not call this meanwhile.
    pub fn time_passed(&mut self, now: Duration) {
        let conversation = &mut self.conversation;
        conversation.now = now;
        let has_passed = |deadline: Option<Duration>| deadline.is_some_and(|at| at <= now);
        let error = match &conversation.state {
            State::Opening { deadline } if *deadline <= now => {
                Some(SessionError::ConnectTimeout { timeout: conversation.config.connect_timeout })
            }
            State::Disconnecting { deadline, .. } if *deadline <= now => {
                let timeout = conversation.config.disconnect_timeout;
                Some(SessionError::DisconnectTimeout { timeout })
            }
            State::Open => {
                let margin = conversation.config.heart_beat_margin;
                let timeout = conversation.heartbeat.patience(margin);
                has_passed(conversation.heartbeat.silent_at(margin))
                    .then_some(SessionError::Silent { timeout })
            }
            _ => None,
        };
        if let Some(error) = error {
            conversation.fail(error, None);
        }
        if conversation.is_connected() && has_passed(conversation.heartbeat.next_beat()) {
            self.beat();
        }
    }

    /// Returns the name of the connection in the hub.
    #[must_use]
    pub const fn connection(&self) -> ConnectionId {
        self.conversation.connection
    }

    /// Returns the version that the session uses, once the client has connected.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        if self.conversation.is_connected() { Some(self.conversation.version) } else { None }
    }

    /// Returns who the client is, if it was authenticated.
    #[must_use]
    pub const fn principal(&self) -> Option<&Principal> {
        self.conversation.principal.as_ref()
    }

    /// Returns `true` if the session has ended. There may still be [output](Self::next_output), and an
    /// [event](Self::next_event) for the hub.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.conversation.state, State::Ended)
    }

    /// Returns why the session has ended with an ERROR, if it has.
    #[must_use]
    pub fn error(&self) -> Option<&SessionError> {
        self.conversation.error.as_deref()
    }

    /// Decodes and handles one frame, if one is complete.
    fn handle_frame(&mut self) -> Option<Event> {
        let Self { input, conversation } = self;
        let handled = input.as_mut()?.next(|frame, input| conversation.handle(frame, input));
        let event = match handled {
            Ok(handled) => handled.flatten(),
            Err(error) => {
                conversation.fail(error.into(), None);
                None
            }
        };
        let Some(Event::Connect(request)) = &event else { return event };
        let is_accepted = self.conversation.config.accept_authenticated;
        if let (true, Some(principal)) = (is_accepted, request.principal()) {
            self.accept(Some(principal.clone()), self.conversation.now);
            return None;
        }
        self.check_waiting();
        event
    }

    /// Bounds what waits behind a CONNECT.
    fn check_waiting(&mut self) {
        let limit = self.conversation.config.waiting_input;
        let is_waiting = matches!(self.conversation.state, State::Answering);
        if is_waiting && self.waiting_input() > limit {
            self.conversation.fail(SessionError::TooMuchWaiting { limit }, None);
        }
    }

    fn waiting_input(&self) -> usize {
        self.input.as_ref().map_or(0, |input| input.waiting())
    }

    /// Sends a heart-beat, unless something waits to be sent anyway.
    fn beat(&mut self) {
        let conversation = &mut self.conversation;
        if conversation.outbox.frames.is_empty() {
            conversation.outbox.frames.push(EncodedFrame::text(Encoder::HEART_BEAT.to_vec()));
        }
        conversation.heartbeat.sent(conversation.now);
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("connection", &self.conversation.connection)
            .field("version", &self.version())
            .field("principal", &self.conversation.principal)
            .field("state", &self.conversation.state)
            .field("waiting_input", &self.waiting_input())
            .field("output_bytes", &self.output_bytes())
            .field("error", &self.error())
            .finish_non_exhaustive()
    }
}

fn earlier(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
