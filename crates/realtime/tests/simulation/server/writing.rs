//! What sessions of STOMP write, on each of their ways.

use super::{
    Link, Server,
    stomp::{LINGER, Stomp, Via},
};
use crate::{
    link::{LinkId, Network, Side},
    truth::Truth,
    websocket::WebSocket,
};
use sansocket::{CloseCode, Message, connection};
use sansocket_realtime::{
    guard::{Reaction, SlowConsumer},
    hub::ConnectionId,
    sockjs::{self, PreparedMessage, SessionKey, Sessions},
    stomp::{
        EncodedFrame,
        server::{Output, Session},
    },
};
use std::{collections::VecDeque, time::Duration};

type Socket = WebSocket<connection::Server>;

impl Server {
    pub(super) fn write_stomp(
        &mut self,
        connection: ConnectionId,
        network: &mut Network,
        truth: &mut Truth,
    ) {
        let now = network.now;
        let Some(stomp) = self.sessions.get_mut(&connection) else { return };
        let Stomp { session, via, close, lingers_until, is_gone, .. } = stomp;
        let has_ended = match via {
            Via::Bytes(id) => match self.links.get_mut(id) {
                Some(link) => {
                    write_bytes(session, *id, link, close, network);
                    if close.is_some() {
                        lingers_until.get_or_insert(now + LINGER);
                    }
                    false
                }
                None => true,
            },
            Via::WebSocket(socket) => write_socket(session, socket, close, network),
            Via::SockJsWebSocket(socket, sockjs, receiver) => {
                write_sockjs_socket(session, socket, sockjs, *receiver, network)
            }
            Via::SockJs(key) => write_sockjs(session, &mut self.sockjs, *key, now),
        };
        if has_ended || *is_gone {
            return self.end(connection, network);
        }
        let unsent = self.unsent(connection);
        let Some(stomp) = self.sessions.get_mut(&connection) else { return };
        let reaction = report(&mut stomp.consumer, unsent, now);
        if let Some(Reaction::Pause) = reaction {
            truth.count("pauses");
        }
        self.react(connection, reaction);
        self.set_timer(connection);
    }

    fn unsent(&self, connection: ConnectionId) -> usize {
        let Some(stomp) = self.sessions.get(&connection) else { return 0 };
        let below = match &stomp.via {
            Via::Bytes(link) => self.links.get(link).map_or(0, |link| link.out.len()),
            Via::WebSocket(socket) => socket.unsent(),
            Via::SockJsWebSocket(socket, session, _) => socket.unsent() + session.queued(),
            Via::SockJs(key) => self.sockjs.queued(*key),
        };
        stomp.session.output_bytes() + below
    }

    pub(super) fn take_chunks(
        &mut self,
        key: SessionKey,
        receiver: sockjs::Receiver,
        network: &mut Network,
    ) {
        let Some(&id) = self.receivers.get(&(key, receiver)) else { return };
        let Some(link) = self.links.get_mut(&id) else { return };
        loop {
            drain(id, &mut link.out, network);
            if !link.out.is_empty() {
                return;
            }
            if link.ends {
                self.receivers.remove(&(key, receiver));
                self.sockjs.written(key, receiver, network.now);
                network.close(id, Side::Server);
                self.forget(id, network.now);
                break;
            }
            let Some(chunk) = self.sockjs.next_chunk(key, receiver, network.now) else { break };
            link.out.extend(chunk.text.as_bytes());
            link.ends = chunk.last;
        }
        // There may be room for more.
        self.dirty.extend(self.by_key.get(&key));
    }
}

fn write_bytes(
    session: &mut Session,
    id: LinkId,
    link: &mut Link,
    close: &mut Option<CloseCode>,
    network: &mut Network,
) {
    drain(id, &mut link.out, network);
    while link.out.is_empty() && close.is_none() {
        match session.next_output() {
            Some(Output::Frame(frame)) => link.out.extend(frame.into_bytes()),
            Some(Output::Close(code)) => *close = Some(code),
            _ => break,
        }
        drain(id, &mut link.out, network);
    }
    if close.is_some() && link.out.is_empty() {
        network.finish(id, Side::Server);
    }
}

/// Returns whether the WebSocket is over.
fn write_socket(
    session: &mut Session,
    socket: &mut Socket,
    close: &mut Option<CloseCode>,
    network: &mut Network,
) -> bool {
    socket.drive(network);
    while socket.has_room() && close.is_none() {
        match session.next_output() {
            Some(Output::Frame(frame)) => socket.send(&Message::text(text(frame))),
            Some(Output::Close(code)) => {
                *close = Some(code);
                socket.close(code);
            }
            _ => break,
        }
        socket.drive(network);
    }
    socket.drive(network);
    socket.is_over
}

/// Returns whether the WebSocket is over.
fn write_sockjs_socket(
    session: &mut Session,
    socket: &mut Socket,
    sockjs: &mut sockjs::Session,
    receiver: sockjs::Receiver,
    network: &mut Network,
) -> bool {
    loop {
        socket.drive(network);
        if !socket.has_room() {
            return socket.is_over;
        }
        if let Some(chunk) = sockjs.next_chunk(receiver, network.now) {
            socket.send(&Message::text(chunk.text));
            if chunk.last {
                socket.close(CloseCode::NORMAL);
            }
            continue;
        }
        match session.next_output() {
            Some(Output::Frame(frame)) => {
                // If it can't be sent, the session is closed, which the next chunk says.
                let _ = sockjs.send(&PreparedMessage::new(&text(frame)), network.now);
            }
            Some(Output::Close(code)) => sockjs.close(code.into(), "", network.now),
            _ => return socket.is_over,
        }
    }
}

/// Returns whether the session of SockJS is over.
fn write_sockjs(
    session: &mut Session,
    sockjs: &mut Sessions,
    key: SessionKey,
    now: Duration,
) -> bool {
    while sockjs.queued(key) < 2 << 10 {
        match session.next_output() {
            Some(Output::Frame(frame)) => {
                if sockjs.send(key, &PreparedMessage::new(&text(frame)), now).is_err() {
                    return true;
                }
            }
            Some(Output::Close(code)) => {
                sockjs.close(key, code.into(), "", now);
                return true;
            }
            _ => break,
        }
    }
    false
}

fn text(frame: EncodedFrame) -> String {
    String::from_utf8(frame.into_bytes().into()).expect("all that is sent here is text")
}

/// Writes what there is room for.
pub(super) fn drain(id: LinkId, out: &mut VecDeque<u8>, network: &mut Network) {
    while !out.is_empty() {
        let count = network.write(id, Side::Server, out.as_slices().0);
        if count == 0 {
            return;
        }
        out.drain(..count);
    }
}

/// Reports how many bytes are unsent now.
pub(super) fn report(
    consumer: &mut SlowConsumer,
    unsent: usize,
    now: Duration,
) -> Option<Reaction> {
    match unsent.checked_sub(consumer.unsent()) {
        Some(more) => consumer.queued(more, now),
        None => consumer.taken(consumer.unsent() - unsent, now),
    }
}
