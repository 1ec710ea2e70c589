//! The server's end of one event stream.

use super::{
    config::EventStreamConfig,
    event::{Event, encode_cursor, encode_gap, encode_retry, heart_beat},
    request::{EventStreamForm, EventStreamRequest},
    response::{RESPONSE_FIELDS, STATUS},
};
use crate::{
    cursor::Cursor,
    guard::{Answer, EventStreamAnswer},
    http::{Head, Response, event},
    hub::{
        Command, ConnectionId, Effect, Gap, Principal, Refusal, SubscribeOptions, SubscriptionId,
    },
    message::{Encoded, Form, Published},
};
use alloc::{collections::VecDeque, format, string::ToString, sync::Arc};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use core::time::Duration;

/// The server's end of one event stream, between its request and the [hub](crate::hub).
///
/// To the hub, it is a connection with one subscription of all topics.
///
/// 1. For each request, call [`open`](Self::open), and have the hub handle the commands that it returns.
/// 2. Pass on each effect of the hub that is of the connection to [`effect`](Self::effect).
/// 3. Once there is a [`head`](Self::head), write it. Then write each [`next_chunk`](Self::next_chunk)
///    as soon as there is one, until the stream [has ended](Self::has_ended). End the response then.
/// 4. When [`next_deadline`](Self::next_deadline) has passed, call [`time_passed`](Self::time_passed).
/// 5. When the response has ended, or its client has gone, have the hub
///    [disconnect](Self::disconnect) it.
///
/// A client that reconnects resumes after the last event that it has got, so nothing is lost in a stream
/// that breaks.
///
/// What waits for a slow client are references to messages that all subscribers share.
/// [`queued`](Self::queued) says how many bytes they have: tell the hub to
/// [pause](Command::Pause) the connection when they are many, and to [resume](Command::Resume) when they
/// are few.
///
/// The [module](super) has an example.
#[derive(Debug)]
pub struct EventStream {
    connection: ConnectionId,
    form: EventStreamForm,
    config: EventStreamConfig,
    state: State,
    head: Option<Head>,
    chunks: VecDeque<Bytes>,
    queued: usize,
    /// Whether the stream has had an event.
    has_events: bool,
    /// The last event ID of the client once it has got everything that is queued.
    told: Option<Cursor>,
    /// Where the subscription has begun. Messages that were retained are older.
    begun: Option<Cursor>,
    /// When the client is sent something in any case, once the stream is open.
    beat: Duration,
    /// The reconnection time of clients that are not to come back all at once.
    late: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The subscription has not begun, and there is no head.
    Beginning {
        deadline: Duration,
    },
    Open,
    Ended,
}

/// The head of a stream.
const STREAM: Head = Head::new(STATUS, &RESPONSE_FIELDS);

/// The one subscription of each stream.
const SUBSCRIPTION: SubscriptionId = SubscriptionId(0);

/// The type of an event whose data is in Base64, because the body of the message is not UTF-8.
pub const BINARY: &str = "binary";

impl EventStream {
    /// Opens a stream, and returns the commands for the hub.
    ///
    /// `connection` is a number that no other connection of the hub has. `random` is a random number,
    /// uniformly distributed over its whole range.
    #[must_use]
    pub fn open(
        connection: ConnectionId,
        principal: Option<Principal>,
        request: EventStreamRequest,
        config: EventStreamConfig,
        now: Duration,
        random: u64,
    ) -> (Self, [Command; 2]) {
        let state = State::Beginning { deadline: now.saturating_add(config.begin) };
        let stream = Self::new(connection, request.form(), config, state, random);
        let options = SubscribeOptions::default().start(request.start()).gaps(true);
        let subscribe = Command::Subscribe {
            connection,
            subscription: SUBSCRIPTION,
            destinations: request.into_topics(),
            options,
            request: None,
        };
        (stream, [Command::Connect { connection, principal }, subscribe])
    }

    /// Refuses a stream that the hub need not know of, with an answer of the [guard](crate::guard). A
    /// client that can come back later gets a stream that ends at once, and others get the status.
    ///
    /// `random` is as for [`open`](Self::open).
    ///
    /// ```
    /// use sansocket_realtime::{
    ///     guard::{Answer, Breach, Scope},
    ///     hub::ConnectionId,
    ///     sse::{EventStreamConfig, EventStream},
    /// };
    ///
    /// let breach = Breach::Connections { scope: Scope::Address, limit: 10 };
    /// let (config, random) = (EventStreamConfig::default(), 1 << 63);
    /// let mut stream = EventStream::refused(ConnectionId(1), &Answer::from(&breach), config, random);
    /// assert_eq!(stream.head().expect("it is known").status, 200);
    /// assert_eq!(stream.next_chunk().as_deref(), Some(&b"retry: 18000\n\n"[..]));
    /// assert!(stream.has_ended());
    /// ```
    #[must_use]
    pub fn refused(
        connection: ConnectionId,
        answer: &Answer,
        config: EventStreamConfig,
        random: u64,
    ) -> Self {
        let mut stream = Self::new(connection, EventStreamForm::Text, config, State::Open, random);
        stream.refuse(answer);
        stream
    }

    /// Takes an effect of the hub. Returns whether it is of this stream.
    pub fn effect(&mut self, effect: &Effect, now: Duration) -> bool {
        let (Effect::Deliver { connection, .. }
        | Effect::Gap { connection, .. }
        | Effect::Subscribed { connection, .. }
        | Effect::Refused { connection: Some(connection), .. }) = effect
        else {
            return false;
        };
        if *connection != self.connection {
            return false;
        }
        match effect {
            // What the hub had to say before it knew of the end is not lost: the client resumes.
            _ if self.state == State::Ended => {}
            Effect::Deliver { message, .. } => self.deliver(message, now),
            Effect::Gap { gap, .. } => self.tell_gap(gap, now),
            Effect::Subscribed { cursor, .. } => self.has_begun(*cursor, now),
            Effect::Refused { refusal, .. } => self.is_refused(refusal),
            _ => {}
        }
        true
    }

    /// Returns the head of the response, or `None` while it is not known yet.
    ///
    /// It is that of a stream, unless the hub refuses the subscription for good: then it has the
    /// [status](Answer) of the refusal, and the chunks are its description as a JSON object. A client
    /// that can come back later gets a stream that ends at once, because EventSource gives up for good
    /// on an error.
    #[must_use]
    pub const fn head(&self) -> Option<Head> {
        self.head
    }

    /// Returns the next part of the body, or `None` if there is none now.
    ///
    /// A part need not be a whole block, so write all that there are at once.
    pub fn next_chunk(&mut self) -> Option<Bytes> {
        if self.chunks.is_empty() {
            self.come_back_from_retained();
        }
        let Some(chunk) = self.chunks.pop_front() else {
            // A burst leaves no memory behind.
            self.chunks = VecDeque::new();
            return None;
        };
        self.queued = self.queued.saturating_sub(chunk.len());
        Some(chunk)
    }

    /// Returns how many bytes of the body wait to be taken.
    #[must_use]
    pub const fn queued(&self) -> usize {
        self.queued
    }

    /// Returns whether there is nothing more to come. The response ends here.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.state == State::Ended && self.chunks.is_empty()
    }

    /// Returns the command that has the hub forget the stream.
    #[must_use]
    pub const fn disconnect(&self) -> Command {
        Command::Disconnect { connection: self.connection }
    }

    /// Returns the names by which [`Hub::cursor`](crate::hub::Hub::cursor) knows the subscription.
    #[must_use]
    pub const fn subscription(&self) -> (ConnectionId, SubscriptionId) {
        (self.connection, SUBSCRIPTION)
    }

    /// Returns when to call [`time_passed`](Self::time_passed).
    #[must_use]
    pub const fn next_deadline(&self) -> Option<Duration> {
        match self.state {
            State::Beginning { deadline } => Some(deadline),
            State::Open => Some(self.beat),
            State::Ended => None,
        }
    }

    /// Tells the time. If the stream was silent for long, the client is sent something.
    ///
    /// `cursor` is where the [subscription](Self::subscription) is, from
    /// [`Hub::cursor`](crate::hub::Hub::cursor), after the effects that were passed on. If it has moved,
    /// the client is told, so that it can resume later although its own topics were quiet.
    pub fn time_passed(&mut self, cursor: Option<Cursor>, now: Duration) {
        match self.state {
            State::Beginning { deadline } if deadline <= now => self.begin_response(now),
            State::Open if self.beat <= now => self.beat(cursor, now),
            _ => {}
        }
    }

    /// Ends the stream in order: what is queued is written, and the client reconnects after a time of its
    /// own.
    pub fn shut_down(&mut self) {
        if self.state != State::Ended {
            self.end_for_now();
        }
    }

    fn new(
        connection: ConnectionId,
        form: EventStreamForm,
        config: EventStreamConfig,
        state: State,
        random: u64,
    ) -> Self {
        Self {
            connection,
            form,
            config,
            state,
            head: None,
            chunks: VecDeque::new(),
            queued: 0,
            has_events: false,
            told: None,
            begun: None,
            beat: Duration::ZERO,
            late: config.retry.saturating_add(part(config.spread, random)),
        }
    }

    fn has_begun(&mut self, cursor: Option<Cursor>, now: Duration) {
        self.begin_response(now);
        self.begun = cursor;
        if let Some(cursor) = cursor {
            self.tell_cursor(cursor, now);
        }
    }

    fn begin_response(&mut self, now: Duration) {
        if self.head.is_some() {
            return;
        }
        self.state = State::Open;
        self.head = Some(STREAM);
        self.push(encode_retry(self.config.retry));
        self.sent(now);
    }

    fn deliver(&mut self, message: &Arc<Published>, now: Duration) {
        match self.form {
            EventStreamForm::Text => {
                let block = block_of(message);
                if self.has_room(block.len()) {
                    self.push(block.clone());
                }
            }
            EventStreamForm::Json => {
                let object = event::of_message(message);
                if self.has_room(object.len()) {
                    self.push(match message.cursor() {
                        Some(cursor) => Bytes::from(format!("id: {cursor}\ndata: ")),
                        None => Bytes::from_static(b"data: "),
                    });
                    self.push(object.clone());
                    self.push(Bytes::from_static(b"\n\n"));
                }
            }
        }
        if self.state == State::Open {
            self.told = message.cursor().or(self.told);
            self.sent(now);
        }
    }

    fn tell_gap(&mut self, gap: &Gap, now: Duration) {
        let block = encode_gap(gap);
        if self.has_room(block.len()) {
            self.push(block);
            self.told = Some(gap.to);
            self.sent(now);
        }
    }

    fn is_refused(&mut self, refusal: &Refusal) {
        // An open stream has its status, so that it can only end.
        if self.head.is_some() {
            self.end_for_now();
        } else {
            self.refuse(&Answer::from(refusal));
        }
    }

    fn refuse(&mut self, answer: &Answer) {
        match answer.event_stream() {
            EventStreamAnswer::Retry(time) => {
                self.late = self.late.max(time);
                self.end_for_now();
            }
            _ => {
                let response = Response::from(answer);
                self.head = Some(response.head);
                self.push(response.body);
                self.state = State::Ended;
            }
        }
    }

    fn end_for_now(&mut self) {
        self.head.get_or_insert(STREAM);
        self.come_back_from_retained();
        self.push(encode_retry(self.late));
        self.state = State::Ended;
    }

    fn beat(&mut self, cursor: Option<Cursor>, now: Duration) {
        // A client that has not taken what is queued is not silent for lack of something to send.
        if self.chunks.is_empty() {
            match cursor.filter(|cursor| self.told.is_none_or(|told| is_further(*cursor, told))) {
                Some(cursor) => self.tell_cursor(cursor, now),
                None => self.push(heart_beat()),
            }
        }
        self.sent(now);
    }

    /// Retained messages are older than the place where the subscription has begun. A client that got
    /// nothing after them would resume too early.
    fn come_back_from_retained(&mut self) {
        let (Some(begun), Some(told)) = (self.begun, self.told) else { return };
        if self.state == State::Open && is_further(begun, told) {
            self.push(encode_cursor(begun));
            self.told = Some(begun);
        }
    }

    fn tell_cursor(&mut self, cursor: Cursor, now: Duration) {
        self.push(encode_cursor(cursor));
        self.told = Some(cursor);
        self.sent(now);
    }

    /// Returns whether there is room for something that the client can get later too. If not, the stream
    /// ends, and the client gets it once it has resumed. So that this comes to an end, each stream has
    /// room for at least one event.
    fn has_room(&mut self, bytes: usize) -> bool {
        let is_allowed = self.queued.saturating_add(bytes) <= self.config.queued;
        if !is_allowed && self.has_events {
            self.state = State::Ended;
            return false;
        }
        self.has_events = true;
        true
    }

    fn push(&mut self, chunk: Bytes) {
        self.queued = self.queued.saturating_add(chunk.len());
        self.chunks.push_back(chunk);
    }

    fn sent(&mut self, now: Duration) {
        self.beat = now.saturating_add(self.config.heart_beat);
    }
}

/// Returns a block with the body of a message, which is made once for all who get it.
fn block_of(message: &Published) -> &Bytes {
    let encode = |published: &Published| {
        let id = published.cursor().map(|cursor| cursor.to_string());
        let event = Event { id: id.as_deref(), ..Event::new() };
        let message = published.message();
        let block = match message.text() {
            Some(text) => event.data(text).encode(),
            None => event.event(BINARY).data(&BASE64_STANDARD.encode(message.body())).encode(),
        };
        let bytes = block.expect("neither a cursor nor the type has a line break");
        Encoded { bytes, is_text: true }
    };
    &message.encoded(Form::EventStream, encode).bytes
}

fn is_further(cursor: Cursor, than: Cursor) -> bool {
    cursor.epoch == than.epoch && cursor.position > than.position
}

/// Returns a random part of a time, by a random number.
fn part(whole: Duration, random: u64) -> Duration {
    // The product of two numbers of 64 bits fits.
    let nanoseconds = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    let part = (u128::from(nanoseconds) * u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
}
