//! A server with a hub and one event stream.

use sansocket_realtime::{
    Epoch, Message, bridge,
    guard::Answer,
    hub::{self, Authorization, Command, ConnectionId, Effect, Hub, Open, Principal, Refusal},
    sse::{EventStream, EventStreamConfig, EventStreamRequest},
};
use std::time::Duration;

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) struct Server<A = Open> {
    pub(crate) hub: Hub<A>,
    pub(crate) stream: EventStream,
    pub(crate) config: EventStreamConfig,
    pub(crate) now: Duration,
    pub(crate) bridge: Vec<bridge::Command>,
    next: u64,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(EventStreamConfig::default(), hub::Config::default())
    }

    pub(crate) fn with(config: EventStreamConfig, hub: hub::Config) -> Self {
        Self::of(config, Hub::with_config(Epoch(0xa), hub, Open))
    }
}

impl<A: Authorization> Server<A> {
    pub(crate) fn of(config: EventStreamConfig, hub: Hub<A>) -> Self {
        let none = Answer::from(&Refusal::NotConnected);
        let stream = EventStream::refused(ConnectionId(0), &none, config, 0);
        Self { hub, stream, config, now: 100 * SECOND, bridge: Vec::new(), next: 1 }
    }

    /// Opens a stream in place of the one before.
    pub(crate) fn open(&mut self, query: &str, last_event_id: Option<&str>) {
        self.open_for(None, query, last_event_id);
    }

    pub(crate) fn open_for(
        &mut self,
        user: Option<&str>,
        query: &str,
        last_event_id: Option<&str>,
    ) {
        self.handle(self.stream.disconnect());
        let last_event_id = last_event_id.map(str::as_bytes);
        let request = EventStreamRequest::parse(query, last_event_id, &self.config).unwrap();
        let connection = ConnectionId(self.next);
        self.next += 1;
        let user = user.map(Principal::new);
        let random = 1 << 63;
        let (stream, commands) =
            EventStream::open(connection, user, request, self.config, self.now, random);
        self.stream = stream;
        commands.into_iter().for_each(|command| self.handle(command));
    }

    pub(crate) fn handle(&mut self, command: Command) {
        for effect in self.hub.handle(command, self.now) {
            self.stream.apply(&effect, self.now);
            if let Effect::Bridge(command) = effect {
                self.bridge.push(*command);
            }
        }
    }

    pub(crate) fn publish(&mut self, topic: &str, body: impl AsRef<[u8]>) {
        let message = Message::new(body.as_ref().to_vec());
        let destination = topic.into();
        self.handle(Command::Publish { destination, message, request: None });
    }

    /// Time passes, and the stream is told if its deadline has passed.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
        self.handle(Command::TimePassed);
        if self.stream.next_deadline().is_some_and(|deadline| deadline <= self.now) {
            let (connection, subscription) = self.stream.subscription();
            self.stream.time_passed(self.hub.cursor(connection, subscription), self.now);
        }
    }

    /// Returns what the client receives now.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::iter::from_fn(|| self.stream.next_chunk()).flatten().collect()
    }

    /// As [`take`](Self::take), as text.
    pub(crate) fn text(&mut self) -> String {
        String::from_utf8(self.take()).unwrap()
    }

    /// Returns the status, once there is one.
    pub(crate) fn status(&self) -> Option<u16> {
        self.stream.head().map(|head| head.status)
    }
}
