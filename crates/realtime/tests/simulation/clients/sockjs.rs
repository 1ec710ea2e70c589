//! A client of SockJS, as far as the simulation needs one.

use super::{exchange::Exchange, wire::ClientSocket};
use crate::{
    http::Request,
    json::Json,
    link::{Arrival, LinkId, Network, Side},
    websocket::WebSocket,
};
use sansocket::{CloseCode, Message, connection, mask::MaskKey};
use sansocket_realtime::sse::{Parser, ParserConfig, Received};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    WebSocket,
    Xhr,
    XhrStreaming,
    EventSource,
}

pub(crate) struct SockJs {
    mode: Mode,
    path: String,
    /// All requests of a session have to reach the server that has it.
    server: usize,
    socket: Option<Box<ClientSocket>>,
    receiving: Option<Exchange>,
    sending: Option<Exchange>,
    outbox: Vec<String>,
    parser: Parser,
    is_open: bool,
    pub(crate) is_over: bool,
}

impl SockJs {
    pub(crate) fn open(mode: Mode, network: &mut Network) -> Self {
        let path = format!("/sockjs/000/{:x}", network.random.next());
        let mut sockjs = Self {
            mode,
            path,
            server: network.pick_server(),
            socket: None,
            receiving: None,
            sending: None,
            outbox: Vec::new(),
            parser: Parser::new(ParserConfig::default()),
            is_open: false,
            is_over: false,
        };
        if mode == Mode::WebSocket {
            let socket = super::wire::open_socket(&format!("{}/websocket", sockjs.path), network);
            sockjs.socket = Some(Box::new(socket));
        } else {
            sockjs.receive(network);
        }
        sockjs
    }

    pub(crate) fn has(&self, link: LinkId) -> bool {
        let of = |exchange: &Option<Exchange>| exchange.as_ref().is_some_and(|it| it.link == link);
        self.socket.as_ref().is_some_and(|socket| socket.link == link)
            || of(&self.receiving)
            || of(&self.sending)
    }

    pub(crate) fn send(&mut self, text: String) {
        self.outbox.push(text);
    }

    /// Takes what arrives, and returns the messages in it.
    pub(crate) fn arrived(
        &mut self,
        link: LinkId,
        arrival: Arrival,
        network: &mut Network,
    ) -> Vec<String> {
        let mut texts = Vec::new();
        if let Some(socket) = &mut self.socket {
            for message in socket.arrived(arrival) {
                self.frame(message.as_text().unwrap(), &mut texts);
            }
        } else if let Some(exchange) = self.sending.as_mut().filter(|it| it.link == link) {
            exchange.arrived(arrival, network);
        } else if let Some(exchange) = self.receiving.as_mut().filter(|it| it.link == link) {
            exchange.arrived(arrival, network);
            if exchange.status().is_some_and(|status| status == 200) {
                let frames = self.frames();
                frames.iter().for_each(|frame| self.frame(frame, &mut texts));
            }
        }
        texts
    }

    /// Returns the frames of the response that have arrived.
    fn frames(&mut self) -> Vec<String> {
        let Some(exchange) = &mut self.receiving else { return Vec::new() };
        let mut frames = Vec::new();
        if self.mode == Mode::EventSource {
            let body = std::mem::take(&mut exchange.body);
            let mut body = &body[..];
            while let Some(received) = self.parser.next(&mut body).unwrap() {
                if let Received::Message(message) = received {
                    frames.push(message.data.replace("%25", "%"));
                }
            }
        } else {
            while let Some(end) = exchange.body.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = exchange.body.drain(..=end).collect();
                frames.push(String::from_utf8(line[..end].to_vec()).unwrap());
            }
        }
        frames
    }

    fn frame(&mut self, frame: &str, texts: &mut Vec<String>) {
        match frame.as_bytes()[0] {
            _ if self.is_over => {}
            // Another session of the same id: the client was away for so long that its own has expired.
            b'o' if self.is_open => self.is_over = true,
            b'o' => self.is_open = true,
            b'a' => {
                let messages = Json::parse(&frame.as_bytes()[1..]);
                texts.extend(messages.items().iter().map(|it| it.text().to_owned()));
            }
            b'c' => self.is_over = true,
            // A heartbeat, or the prelude.
            other => assert_eq!(other, b'h', "{frame}"),
        }
    }

    pub(crate) fn drive(&mut self, network: &mut Network) {
        if let Some(socket) = &mut self.socket {
            for text in std::mem::take(&mut self.outbox) {
                socket.send(&Message::text(array(&[text])));
            }
            socket.drive(network);
            self.is_over |= socket.is_over;
            return;
        }
        if let Some(is_complete) = self.receiving.as_ref().and_then(|exchange| exchange.ended) {
            let status = self.receiving.as_ref().and_then(Exchange::status);
            self.receiving = None;
            // A client can't know what it has missed, so it begins another session.
            self.is_over |= !is_complete || status != Some(200);
            self.parser.end();
            if !self.is_over {
                self.receive(network);
            }
        }
        if let Some(is_complete) = self.sending.as_ref().and_then(|exchange| exchange.ended) {
            let status = self.sending.as_ref().and_then(Exchange::status);
            self.sending = None;
            self.is_over |= !is_complete || status != Some(204);
        }
        if self.is_open && !self.is_over && self.sending.is_none() && !self.outbox.is_empty() {
            let body = array(&std::mem::take(&mut self.outbox));
            let request = Request::new("POST", format!("{}/xhr_send", self.path)).body(body);
            self.sending = Some(Exchange::begin_at(self.server, &request, network));
        }
    }

    pub(crate) fn deadline(&self) -> Option<std::time::Duration> {
        self.socket.as_ref()?.deadline
    }

    fn receive(&mut self, network: &mut Network) {
        let (method, transport) = match self.mode {
            Mode::Xhr => ("POST", "xhr"),
            Mode::XhrStreaming => ("POST", "xhr_streaming"),
            _ => ("GET", "eventsource"),
        };
        let request = Request::new(method, format!("{}/{transport}", self.path));
        self.receiving = Some(Exchange::begin_at(self.server, &request, network));
    }

    pub(crate) fn close(&mut self, network: &mut Network) {
        if let Some(socket) = &mut self.socket {
            if !socket.is_over {
                socket.close(CloseCode::NORMAL);
                socket.drive(network);
                if !socket.is_over {
                    socket.reset(network);
                }
            }
        }
        for exchange in [self.receiving.take(), self.sending.take()].into_iter().flatten() {
            network.reset(exchange.link, Side::Client);
        }
    }
}

/// Returns a JSON array of strings.
fn array(texts: &[String]) -> String {
    let mut json = String::from("[");
    for (index, text) in texts.iter().enumerate() {
        json.push_str(if index == 0 { "\"" } else { ",\"" });
        for character in text.chars() {
            match character {
                '"' | '\\' => json.extend(['\\', character]),
                ' '.. => json.push(character),
                _ => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            }
        }
        json.push('"');
    }
    json + "]"
}

pub(crate) fn socket(link: LinkId) -> ClientSocket {
    let keys: fn() -> MaskKey = || MaskKey::new([1, 2, 3, 4]);
    WebSocket::new(connection::Client::new(keys), link, Side::Client)
}
