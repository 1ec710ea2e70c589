//! How a client of STOMP reaches the server.

use super::sockjs::{Mode, SockJs, socket};
use crate::{
    http::Request,
    link::{Arrival, LinkId, Network, Side},
    random::Random,
    websocket::WebSocket,
};
use sansocket::{CloseCode, connection, mask::MaskKey};
use sansocket_realtime::stomp::EncodedFrame;
use std::time::Duration;

pub(crate) type ClientSocket = WebSocket<connection::Client<fn() -> MaskKey>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Bytes,
    WebSocket,
    SockJs(Mode),
}

impl Transport {
    pub(crate) fn any(random: &mut Random) -> Self {
        random.pick(&[
            Self::Bytes,
            Self::WebSocket,
            Self::WebSocket,
            Self::SockJs(Mode::WebSocket),
            Self::SockJs(Mode::Xhr),
            Self::SockJs(Mode::XhrStreaming),
            Self::SockJs(Mode::EventSource),
        ])
    }
}

pub(crate) enum Wire {
    Bytes { link: LinkId, out: Vec<u8>, is_over: bool },
    WebSocket(Box<ClientSocket>),
    SockJs(Box<SockJs>),
}

impl Wire {
    pub(crate) fn open(transport: Transport, network: &mut Network) -> Self {
        match transport {
            Transport::Bytes => {
                let (link, out) = (network.open(), Request::new("GET", "/tcp").encode());
                Self::Bytes { link, out, is_over: false }
            }
            Transport::WebSocket => Self::WebSocket(Box::new(open_socket("/stomp", network))),
            Transport::SockJs(mode) => Self::SockJs(Box::new(SockJs::open(mode, network))),
        }
    }

    pub(crate) fn has(&self, id: LinkId) -> bool {
        match self {
            Self::Bytes { link, .. } => *link == id,
            Self::WebSocket(socket) => socket.link == id,
            Self::SockJs(sockjs) => sockjs.has(id),
        }
    }

    pub(crate) fn send(&mut self, frame: EncodedFrame) {
        match self {
            Self::Bytes { out, .. } => out.extend_from_slice(&frame.into_bytes()),
            Self::WebSocket(socket) => socket.send(&frame.into()),
            Self::SockJs(sockjs) => {
                sockjs.send(String::from_utf8(frame.into_bytes().to_vec()).unwrap());
            }
        }
    }

    pub(crate) fn arrived(
        &mut self,
        id: LinkId,
        arrival: Arrival,
        network: &mut Network,
    ) -> Vec<Vec<u8>> {
        match self {
            Self::Bytes { is_over, .. } => match arrival {
                Arrival::Bytes(bytes) => return vec![bytes],
                Arrival::Finished | Arrival::Lost | Arrival::TimedOut => *is_over = true,
                Arrival::Room | Arrival::Opened => {}
            },
            Self::WebSocket(socket) => {
                let messages = socket.arrived(arrival).into_iter();
                return messages.map(|message| message.as_bytes().to_vec()).collect();
            }
            Self::SockJs(sockjs) => {
                let texts = sockjs.arrived(id, arrival, network).into_iter();
                return texts.map(String::into_bytes).collect();
            }
        }
        Vec::new()
    }

    pub(crate) fn drive(&mut self, network: &mut Network) {
        match self {
            Self::Bytes { link, out, is_over } => {
                if !*is_over {
                    let count = network.write(*link, Side::Client, out);
                    out.drain(..count);
                }
            }
            Self::WebSocket(socket) => socket.drive(network),
            Self::SockJs(sockjs) => sockjs.drive(network),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Bytes { is_over, .. } => *is_over,
            Self::WebSocket(socket) => socket.is_over,
            Self::SockJs(sockjs) => sockjs.is_over,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Bytes { .. } => None,
            Self::WebSocket(socket) => socket.deadline,
            Self::SockJs(sockjs) => sockjs.deadline(),
        }
    }

    /// Ends it in order.
    pub(crate) fn close(&mut self, network: &mut Network) {
        match self {
            Self::Bytes { link, .. } => network.close(*link, Side::Client),
            Self::WebSocket(socket) => {
                socket.close(CloseCode::NORMAL);
                socket.drive(network);
                if !socket.is_over {
                    socket.reset(network);
                }
            }
            Self::SockJs(sockjs) => sockjs.close(network),
        }
    }

    /// Ends it as a client does that crashes.
    pub(crate) fn reset(&mut self, network: &mut Network) {
        match self {
            Self::Bytes { link, .. } => network.reset(*link, Side::Client),
            Self::WebSocket(socket) => socket.reset(network),
            Self::SockJs(sockjs) => sockjs.close(network),
        }
    }
}

pub(crate) fn open_socket(path: &str, network: &mut Network) -> ClientSocket {
    let link = network.open();
    let request = Request::new("GET", path).encode();
    let count = network.write(link, Side::Client, &request);
    assert_eq!(count, request.len(), "the request fits");
    socket(link)
}
