//! Requests, and their responses: event streams, polls, and what SockJS needs.

use super::{
    Link, Peer, Server,
    stomp::slow_consumer,
    writing::{drain, report},
};
use crate::{
    http::{Head, Request},
    link::{LinkId, Network, Side},
};
use sansocket_realtime::{
    guard::SlowConsumer,
    http,
    hub::{ConnectionId, Effect, Principal},
    poll,
    sockjs::{self, Action, Cors},
    sse::{EventStream, EventStreamConfig, EventStreamRequest},
};
use std::time::Duration;

/// A whole response, encoded.
pub(super) struct Response(Vec<u8>);

impl From<http::Response> for Response {
    fn from(response: http::Response) -> Self {
        let head = Head::encode(response.head.status, response.head.fields());
        Self([&head[..], &response.body].concat())
    }
}

impl From<sockjs::Response> for Response {
    fn from(response: sockjs::Response) -> Self {
        Self([&Head::encode(response.status, response.fields)[..], &response.body].concat())
    }
}

pub(super) struct Stream {
    stream: EventStream,
    link: LinkId,
    has_head: bool,
    consumer: SlowConsumer,
    pub(super) is_gone: bool,
}

impl Stream {
    pub(super) fn apply(&mut self, effect: &Effect, now: Duration) {
        self.stream.apply(effect, now);
    }
}

impl Server {
    /// A request is complete.
    pub(super) fn requested(&mut self, id: LinkId, request: &Request, network: &mut Network) {
        let now = network.now;
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let user = request.get("user");
        match path {
            "/tcp" | "/stomp" => self.upgrade(id, path, user, now),
            "/events" => self.open_stream(id, query, request, network),
            "/poll" => self.poll(id, query, user, network),
            _ => {
                let path = path.strip_prefix("/sockjs").unwrap_or(path);
                let sockjs = sockjs::Request::new(&request.method, path).cors(Cors::SameOrigin);
                self.sockjs_requested(id, sockjs, &request.body, network);
            }
        }
    }

    fn poll(&mut self, id: LinkId, query: &str, user: Option<&str>, network: &mut Network) {
        let request = match poll::Request::parse(query, &poll::Config::default()) {
            Ok(request) => request,
            Err(invalid) => return self.respond(id, invalid.response().into(), network),
        };
        self.connected += 1;
        let connection = ConnectionId(self.connected);
        match self.polls.begin(connection, user.map(Principal::new), request, network.now) {
            Ok(commands) => {
                self.commands.extend(commands);
                self.polling.insert(connection, id);
                self.set_peer(id, Peer::Poll(connection));
            }
            Err(refused) => self.respond(id, refused.into(), network),
        }
    }

    fn open_stream(&mut self, id: LinkId, query: &str, request: &Request, network: &mut Network) {
        let config = EventStreamConfig::default().queued(64 << 10).retry(Duration::from_secs(1));
        let last_event_id = request.get("last-event-id").map(str::as_bytes);
        let parsed = match EventStreamRequest::parse(query, last_event_id, &config) {
            Ok(parsed) => parsed,
            Err(invalid) => return self.respond(id, invalid.response().into(), network),
        };
        self.connected += 1;
        let connection = ConnectionId(self.connected);
        let user = request.get("user").map(Principal::new);
        let random = network.random.next();
        let (stream, commands) =
            EventStream::open(connection, user, parsed, config, network.now, random);
        self.commands.extend(commands);
        let (has_head, consumer, is_gone) = (false, slow_consumer(), false);
        self.streams.insert(connection, Stream { stream, link: id, has_head, consumer, is_gone });
        self.dirty.insert(connection);
        self.set_peer(id, Peer::Stream(connection));
    }

    fn sockjs_requested(
        &mut self,
        id: LinkId,
        request: sockjs::Request<'_>,
        body: &[u8],
        network: &mut Network,
    ) {
        let options = self.sockjs_options.clone();
        let entropy = network.random.next() as u32;
        match request.action(&options, entropy) {
            Action::Respond(response) => self.respond(id, response.into(), network),
            Action::WebSocket => self.upgrade(id, "/sockjs", None, network.now),
            Action::Receive { session, transport, head } => {
                match self.sockjs.attach(session, b"", transport, network.now) {
                    Ok((key, receiver)) => {
                        self.receivers.insert((key, receiver), id);
                        self.set_peer(id, Peer::SockJs(key, receiver));
                        if let Some(link) = self.links.get_mut(&id) {
                            link.out.extend(Response::from(head).0);
                        }
                        self.take_chunks(key, receiver, network);
                    }
                    Err(error) => self.respond(id, error.response(head).into(), network),
                }
            }
            Action::Send { session, head } => {
                let response = match self.sockjs.received(session, b"", body) {
                    Ok(()) => head.accepted(),
                    Err(error) => error.response(head),
                };
                self.respond(id, response.into(), network);
            }
            other => panic!("{other:?}"),
        }
    }

    fn set_peer(&mut self, id: LinkId, peer: Peer) {
        if let Some(link) = self.links.get_mut(&id) {
            link.peer = peer;
        }
    }

    /// Writes a whole response.
    pub(super) fn respond(&mut self, id: LinkId, response: Response, network: &mut Network) {
        let Some(link) = self.links.get_mut(&id) else { return };
        link.peer = Peer::Answered;
        link.out.extend(response.0);
        link.ends = true;
        self.write(id, network);
    }

    /// There is room for more.
    pub(super) fn write(&mut self, id: LinkId, network: &mut Network) {
        let Some(Link { peer, out, ends, .. }) = self.links.get_mut(&id) else { return };
        match peer {
            Peer::SockJs(key, receiver) => {
                let (key, receiver) = (*key, *receiver);
                self.take_chunks(key, receiver, network);
            }
            Peer::Stream(connection) => _ = self.dirty.insert(*connection),
            _ => {
                drain(id, out, network);
                if out.is_empty() && *ends {
                    network.close(id, Side::Server);
                    self.forget(id, network.now);
                }
            }
        }
    }

    /// A client does not wait for its response any more.
    pub(super) fn client_has_gone(&mut self, id: LinkId, network: &mut Network) {
        match self.links.get(&id).map(|link| &link.peer) {
            Some(Peer::Poll(connection)) => {
                self.polling.remove(connection);
                self.commands.extend(self.polls.abort(*connection));
            }
            Some(Peer::Stream(connection)) => {
                if let Some(stream) = self.streams.get_mut(connection) {
                    stream.is_gone = true;
                    self.dirty.insert(*connection);
                }
            }
            Some(Peer::SockJs(key, receiver)) => {
                self.receivers.remove(&(*key, *receiver));
                self.sockjs.aborted(*key, *receiver, network.now);
            }
            _ => {}
        }
        network.close(id, Side::Server);
        self.forget(id, network.now);
    }

    pub(super) fn stream_time_passed(&mut self, connection: ConnectionId, now: Duration) {
        let Some(stream) = self.streams.get_mut(&connection) else { return };
        let (of, subscription) = stream.stream.subscription();
        stream.stream.time_passed(self.hub.cursor(of, subscription), now);
        let reaction = stream.consumer.time_passed(now);
        self.react(connection, reaction);
    }

    pub(super) fn attend_stream(&mut self, connection: ConnectionId, network: &mut Network) {
        let Some(stream) = self.streams.get_mut(&connection) else { return };
        let id = stream.link;
        let mut is_over = stream.is_gone;
        if let Some(link) = self.links.get_mut(&id) {
            if let Some(head) = stream.stream.head().filter(|_| !stream.has_head) {
                stream.has_head = true;
                link.out.extend(Head::encode(head.status, head.fields()));
            }
            drain(id, &mut link.out, network);
            while stream.has_head && link.out.is_empty() {
                let Some(chunk) = stream.stream.next_chunk() else { break };
                link.out.extend(&chunk[..]);
                drain(id, &mut link.out, network);
            }
            is_over |= link.out.is_empty() && stream.has_head && stream.stream.has_ended();
            let unsent = stream.stream.queued() + link.out.len();
            let reaction = report(&mut stream.consumer, unsent, network.now);
            let deadlines = [stream.stream.next_deadline(), stream.consumer.next_deadline()];
            self.timers.set(connection, deadlines.into_iter().flatten().min());
            self.react(connection, reaction);
        }
        if is_over {
            self.timers.set(connection, None);
            if let Some(stream) = self.streams.remove(&connection) {
                self.commands.push_back(stream.stream.disconnect());
                if stream.is_gone {
                    network.reset(id, Side::Server)
                } else {
                    network.close(id, Side::Server)
                }
                self.forget(id, network.now);
            }
        }
    }
}
