//! The server's end of one event stream.

use super::{
    config::EventStreamConfig,
    event::{block_of, encode_cursor, encode_gap, encode_retry, heart_beat},
    request::{EventStreamForm, EventStreamRequest},
    response::{RESPONSE_FIELDS, STATUS},
};
use crate::{
    cursor::Cursor,
    guard::{Answer, EventStreamAnswer},
    http::{Head, Response, event},
    hub::{
        Command, ConnectionId, Effect, Gap, Principal, Refusal, Start, SubscribeOptions,
        SubscriptionId,
    },
    message::Published,
};
use alloc::{collections::VecDeque, format, sync::Arc};
use bytes::Bytes;
use core::time::Duration;

/// The server's end of one event stream, between its request and the [hub](crate::hub).
///
/// To the hub, it is a connection with one subscription of all topics.
///
/// 1. For each request, call [`open`](Self::open), and have the hub handle the commands that it returns.
/// 2. Pass on each effect of the hub that is of the connection to [`apply`](Self::apply).
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
    /// Whether the client has no cursor yet because the stream begins with what no cursor leads back to:
    /// retained messages, which are older, or who is present. If the stream breaks before the client has
    /// them, it begins again.
    is_in_snapshot: bool,
    /// When the client is sent something in any case, once the stream is open.
    beat: Duration,
    /// How much longer this client waits than others, if they are not to come back all at once.
    spread: Duration,
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
const STREAM: Head = Head::new(STATUS, RESPONSE_FIELDS);

/// The one subscription of each stream.
const SUBSCRIPTION: SubscriptionId = SubscriptionId(0);

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
        let mut stream = Self::new(connection, request.form(), config, state, random);
        stream.is_in_snapshot = begins_with_snapshot(&request);
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
    /// client that can come back later gets a stream that ends at once, and others get the status. For
    /// status 401, add the challenge of [`Answer::fields`] to the [`head`](Self::head).
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
    pub fn apply(&mut self, effect: &Effect, now: Duration) -> bool {
        if effect.connection() != Some(self.connection) {
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
            self.end_for_now(Duration::ZERO);
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
            is_in_snapshot: false,
            beat: Duration::ZERO,
            spread: part(config.spread, random),
        }
    }

    fn has_begun(&mut self, cursor: Option<Cursor>, now: Duration) {
        self.begin_response(now);
        match cursor {
            Some(cursor) if !self.is_in_snapshot => self.tell_cursor(cursor, now),
            _ => self.sent(now),
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
                let start = match message.cursor() {
                    Some(cursor) => Bytes::from(format!("id: {cursor}\ndata: ")),
                    None => Bytes::from_static(b"data: "),
                };
                let block = [start, object.clone(), Bytes::from_static(b"\n\n")];
                if self.has_room(block.iter().map(Bytes::len).sum()) {
                    block.into_iter().for_each(|chunk| self.push(chunk));
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
        let answer = Answer::from(refusal);
        if self.head.is_none() {
            return self.refuse(&answer);
        }
        // An open stream has its status, so that it can only end.
        self.end_for_now(answer.retry_after.unwrap_or_default());
    }

    fn refuse(&mut self, answer: &Answer) {
        match answer.event_stream() {
            EventStreamAnswer::Retry(time) => self.end_for_now(time),
            _ => {
                let response = Response::from(answer);
                self.head = Some(response.head);
                self.push(response.body);
                self.state = State::Ended;
            }
        }
    }

    /// Ends the stream. The client comes back, but not before this time.
    fn end_for_now(&mut self, retry_after: Duration) {
        self.head.get_or_insert(STREAM);
        let retry = self.config.retry.max(retry_after);
        self.push(encode_retry(retry.saturating_add(self.spread)));
        self.state = State::Ended;
    }

    /// Sends something. `cursor` is where the subscription is, once it has got the snapshot.
    fn beat(&mut self, cursor: Option<Cursor>, now: Duration) {
        let has_snapshot = self.is_in_snapshot && cursor.is_some();
        self.is_in_snapshot &= !has_snapshot;
        let is_news = |cursor: &Cursor| self.told.is_none_or(|told| is_further(*cursor, told));
        match cursor.filter(is_news) {
            Some(cursor) if has_snapshot || self.chunks.is_empty() => self.tell_cursor(cursor, now),
            // A client that has not taken what is queued is not silent for lack of something to send.
            None if !has_snapshot && self.chunks.is_empty() => self.push(heart_beat()),
            _ => {}
        }
        self.beat = now.saturating_add(self.config.heart_beat);
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
        // The cursor is asked for at once, for it says whether the snapshot is complete.
        let silence = if self.is_in_snapshot { Duration::ZERO } else { self.config.heart_beat };
        self.beat = now.saturating_add(silence);
    }
}

fn begins_with_snapshot(request: &EventStreamRequest) -> bool {
    match request.start() {
        Start::After(_) => false,
        Start::Last => true,
        _ => request.topics().iter().any(|topic| topic.starts_with("/presence/")),
    }
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
