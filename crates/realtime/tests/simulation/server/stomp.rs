//! Sessions of STOMP, over a stream, a WebSocket, or SockJS.

use super::{Peer, Server};
use crate::{
    link::{Arrival, LinkId, Network, Side},
    truth::Truth,
    websocket::WebSocket,
};
use sansocket::{CloseCode, connection};
use sansocket_realtime::{
    guard::{Answer, Breach, Reaction, SlowConsumer, SlowConsumerConfig},
    hub::{Acknowledgement, Command, ConnectionId, Effect, Operation, Principal, SubscriptionId},
    sockjs::{self, Effect as SockJsEffect, SessionKey},
    stomp::{
        Version,
        server::{Event, Session},
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// How the bytes of a session travel.
pub(super) enum Via {
    /// As they are: STOMP over TCP.
    Bytes(LinkId),
    WebSocket(Box<WebSocket<connection::Server>>),
    SockJsWebSocket(Box<WebSocket<connection::Server>>, Box<sockjs::Session>, sockjs::Receiver),
    /// Over requests, each with a link of its own.
    SockJs(SessionKey),
}

pub(super) struct Stomp {
    pub(super) session: Session,
    pub(super) via: Via,
    pub(super) consumer: SlowConsumer,
    /// What has arrived and the session has not taken.
    inbox: VecDeque<Vec<u8>>,
    /// The guard wants to know what a subscription was of when it ends.
    subscribed: BTreeMap<SubscriptionId, (Vec<String>, Acknowledgement)>,
    /// What remains to be done once everything is written.
    pub(super) close: Option<CloseCode>,
    /// Until when a stream that has ended waits for the end of its client.
    pub(super) lingers_until: Option<Duration>,
    pub(super) is_gone: bool,
}

/// How long that is at most.
pub(super) const LINGER: Duration = Duration::from_secs(5);

/// Small, so that slow clients are paused and resumed.
pub(super) fn slow_consumer() -> SlowConsumer {
    let config = SlowConsumerConfig::default().high_water(8 << 10).low_water(2 << 10);
    SlowConsumer::new(config.unsent(512 << 10))
}

impl Stomp {
    pub(super) fn apply(&mut self, effect: &Effect, now: Duration) {
        self.session.apply(effect, now);
    }

    pub(super) fn mode(&self, subscription: SubscriptionId) -> Option<Acknowledgement> {
        self.subscribed.get(&subscription).map(|(_, mode)| *mode)
    }

    pub(super) fn is_queue(&self, subscription: SubscriptionId) -> bool {
        let found = self.subscribed.get(&subscription);
        found.is_some_and(|(destinations, _)| destinations[0].starts_with("/queue/"))
    }

    const fn link(&self) -> Option<LinkId> {
        match &self.via {
            Via::Bytes(link) => Some(*link),
            Via::WebSocket(socket) | Via::SockJsWebSocket(socket, ..) => Some(socket.link),
            Via::SockJs(_) => None,
        }
    }
}

impl Server {
    pub(super) fn open_stomp(
        &mut self,
        user: Option<&str>,
        via: Via,
        now: Duration,
    ) -> ConnectionId {
        self.connected += 1;
        let connection = ConnectionId(self.connected);
        let mut session = Session::new(connection, self.stomp_config.clone(), now);
        if let Some(user) = user {
            session = session.authenticated(Principal::new(user));
        }
        let (inbox, subscribed) = (VecDeque::new(), BTreeMap::new());
        let consumer = slow_consumer();
        let (close, lingers_until, is_gone) = (None, None, false);
        let stomp =
            Stomp { session, via, consumer, inbox, subscribed, close, lingers_until, is_gone };
        self.sessions.insert(connection, stomp);
        self.dirty.insert(connection);
        connection
    }

    pub(super) fn stomp_arrived(
        &mut self,
        connection: ConnectionId,
        arrival: Arrival,
        network: &mut Network,
    ) {
        let Some(stomp) = self.sessions.get_mut(&connection) else { return };
        self.dirty.insert(connection);
        let is_end = matches!(arrival, Arrival::Finished | Arrival::Lost | Arrival::TimedOut);
        let has_heart_beats = stomp.session.version().is_some_and(|it| it != Version::V1_0);
        let is_found = arrival != Arrival::TimedOut || !has_heart_beats;
        assert!(is_found, "a session with heart-beats has not noticed that its client is dead");
        match &mut stomp.via {
            Via::Bytes(_) => match arrival {
                Arrival::Bytes(bytes) => stomp.inbox.push_back(bytes),
                _ if is_end => stomp.is_gone = true,
                _ => {}
            },
            Via::WebSocket(socket) => {
                for message in socket.arrived(arrival) {
                    stomp.inbox.push_back(message.as_bytes().to_vec());
                }
            }
            Via::SockJsWebSocket(socket, session, _) => {
                for message in socket.arrived(arrival) {
                    let text = message.as_text().unwrap_or_default();
                    match session.received_text(text, network.now) {
                        Ok(texts) => stomp.inbox.extend(texts.into_iter().map(String::into_bytes)),
                        Err(_) => socket.reset(network),
                    }
                }
            }
            Via::SockJs(_) => {}
        }
    }

    pub(super) fn sockjs_effect(&mut self, effect: SockJsEffect, network: &mut Network) {
        match effect {
            SockJsEffect::Opened { session } => {
                let connection = self.open_stomp(None, Via::SockJs(session), network.now);
                self.by_key.insert(session, connection);
            }
            SockJsEffect::Messages { session, messages } => {
                let Some(connection) = self.by_key.get(&session) else { return };
                let Some(stomp) = self.sessions.get_mut(connection) else { return };
                stomp.inbox.extend(messages.into_iter().map(String::into_bytes));
                self.dirty.insert(*connection);
            }
            SockJsEffect::Ready { session, receiver } => {
                self.take_chunks(session, receiver, network)
            }
            SockJsEffect::Abort { session, receiver } => {
                if let Some(link) = self.receivers.remove(&(session, receiver)) {
                    network.reset(link, Side::Server);
                    self.forget(link, network.now);
                }
            }
            SockJsEffect::Closed { session, .. } => {
                let Some(connection) = self.by_key.remove(&session) else { return };
                if let Some(stomp) = self.sessions.get_mut(&connection) {
                    stomp.is_gone = true;
                }
                self.dirty.insert(connection);
            }
            _ => {}
        }
    }

    pub(super) fn time_passed(&mut self, connection: ConnectionId, now: Duration) {
        if let Some(stomp) = self.sessions.get_mut(&connection) {
            stomp.session.time_passed(now);
            if let Via::SockJsWebSocket(_, session, _) = &mut stomp.via {
                if session.time_passed(now).is_some() {
                    stomp.is_gone = true;
                }
            }
            stomp.is_gone |= stomp.lingers_until.is_some_and(|until| until <= now);
            let reaction = stomp.consumer.time_passed(now);
            self.react(connection, reaction);
        } else {
            self.stream_time_passed(connection, now);
        }
    }

    /// Does what a connection has to do: one command at a time, which comes first.
    pub(super) fn attend(
        &mut self,
        connection: ConnectionId,
        network: &mut Network,
        truth: &mut Truth,
    ) {
        if self.streams.contains_key(&connection) {
            return self.attend_stream(connection, network);
        }
        let now = network.now;
        let Some(stomp) = self.sessions.get_mut(&connection) else { return };
        let event = loop {
            if let Some(event) = stomp.session.next_event() {
                break Some(event);
            }
            let Some(bytes) = stomp.inbox.pop_front() else { break None };
            stomp.session.receive(bytes, now);
        };
        match event {
            Some(Event::Connect(request)) => {
                let user = request.login().map(Principal::new);
                stomp.session.accept(user, now);
                self.dirty.insert(connection);
            }
            Some(Event::Command(command)) => {
                match self.admit(connection, &command, now) {
                    Ok(()) => self.commands.push_back(command),
                    Err(breach) => {
                        truth.count("breaches");
                        let answer = Answer::from(&breach);
                        if let Some(stomp) = self.sessions.get_mut(&connection) {
                            stomp.session.end(answer.message, answer.close_code, now);
                        }
                    }
                }
                self.dirty.insert(connection);
            }
            _ => self.write_stomp(connection, network, truth),
        }
    }

    /// Asks the guard about a command.
    fn admit(
        &mut self,
        connection: ConnectionId,
        command: &Command,
        now: Duration,
    ) -> Result<(), Breach> {
        let Some(stomp) = self.sessions.get_mut(&connection) else { return Ok(()) };
        if let Command::Subscribe { subscription, destinations, options, .. } = command {
            let subscribed = (destinations.clone(), options.acknowledgement);
            stomp.subscribed.insert(*subscription, subscribed);
        }
        let link = stomp.link().and_then(|link| self.links.get_mut(&link));
        let Some(client) = link.and_then(|link| link.client.as_mut()) else { return Ok(()) };
        match command {
            Command::Connect { principal: Some(user), .. } => {
                self.guard.authenticated(client, user, now)
            }
            Command::Perform { operation: Operation::Send { destination, message }, .. } => {
                self.guard.message(client, destination, message.size(), now)
            }
            Command::Commit { operations, .. } => operations.iter().try_for_each(|it| match it {
                Operation::Send { destination, message } => {
                    self.guard.message(client, destination, message.size(), now)
                }
                _ => Ok(()),
            }),
            Command::Subscribe { destinations, .. } => {
                destinations.iter().try_for_each(|it| self.guard.subscribe(client, it, now))
            }
            Command::Unsubscribe { subscription, .. } => {
                let (destinations, _) =
                    stomp.subscribed.get(subscription).cloned().unwrap_or_default();
                destinations.iter().for_each(|it| self.guard.unsubscribe(client, it, now));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn react(&mut self, connection: ConnectionId, reaction: Option<Reaction>) {
        match reaction {
            Some(Reaction::Pause) => self.commands.push_back(Command::Pause { connection }),
            Some(Reaction::Resume) => self.commands.push_back(Command::Resume { connection }),
            Some(Reaction::End(_)) => {
                if let Some(stomp) = self.sessions.get_mut(&connection) {
                    stomp.is_gone = true;
                    self.dirty.insert(connection);
                }
                if let Some(stream) = self.streams.get_mut(&connection) {
                    stream.is_gone = true;
                    self.dirty.insert(connection);
                }
            }
            _ => {}
        }
    }

    pub(super) fn set_timer(&mut self, connection: ConnectionId) {
        let Some(stomp) = self.sessions.get(&connection) else { return };
        let below = match &stomp.via {
            Via::WebSocket(socket) => [socket.deadline, None],
            Via::SockJsWebSocket(socket, session, _) => [socket.deadline, session.next_deadline()],
            Via::Bytes(_) | Via::SockJs(_) => [None; 2],
        };
        let above =
            [stomp.session.next_deadline(), stomp.consumer.next_deadline(), stomp.lingers_until];
        let deadline = above.into_iter().chain(below).flatten().min();
        self.timers.set(connection, deadline);
    }

    /// Ends a session whose transport has ended, or has to.
    pub(super) fn end(&mut self, connection: ConnectionId, network: &mut Network) {
        let Some(mut stomp) = self.sessions.remove(&connection) else { return };
        self.timers.set(connection, None);
        stomp.session.transport_ended();
        while let Some(event) = stomp.session.next_event() {
            if let Event::Command(command) = event {
                self.commands.push_back(command);
            }
        }
        match &mut stomp.via {
            Via::Bytes(link) => {
                let was_told = stomp.close.is_some();
                if was_told {
                    network.close(*link, Side::Server)
                } else {
                    network.reset(*link, Side::Server)
                }
            }
            Via::WebSocket(socket) | Via::SockJsWebSocket(socket, ..) => {
                if !socket.is_over {
                    socket.reset(network);
                }
            }
            Via::SockJs(key) => {
                self.by_key.remove(key);
                self.sockjs.close(*key, 3000, "gone", network.now);
            }
        }
        if let Some(link) = stomp.link() {
            self.forget(link, network.now);
        }
    }

    /// Makes a link one of STOMP.
    pub(super) fn upgrade(&mut self, id: LinkId, path: &str, user: Option<&str>, now: Duration) {
        let socket = || Box::new(WebSocket::new(connection::Server::new(), id, Side::Server));
        let via = match path {
            "/tcp" => Via::Bytes(id),
            "/stomp" => Via::WebSocket(socket()),
            _ => {
                let mut session = sockjs::Session::new(self.sockjs_options.clone(), now);
                let receiver = session.attach(sockjs::Transport::WebSocket, now).unwrap();
                Via::SockJsWebSocket(socket(), Box::new(session), receiver)
            }
        };
        let connection = self.open_stomp(user, via, now);
        if let Some(link) = self.links.get_mut(&id) {
            link.peer = Peer::Stomp(connection);
        }
    }
}
