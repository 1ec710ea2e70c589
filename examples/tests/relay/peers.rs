//! Servers behind the relay, and clients in front of it that write their own bytes.

use sansocket::{
    Config, DeflateConfig, Limits,
    blocking::{Acceptor, Connector, ServerWebSocket},
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{Accept, Request, ServerHandshake},
    server::OriginPolicy,
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long a test waits for what must come.
const MOST: Duration = Duration::from_secs(30);

/// Starts a server that handles each connection in a thread. Returns its URL.
pub(crate) fn serve(handle: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let handle = handle.clone();
            thread::spawn(move || handle(stream.unwrap()));
        }
    });
    url
}

pub(crate) fn config() -> Config {
    let limits = Limits::default().message(64 << 20);
    Config::default().limits(limits).deflate(DeflateConfig::new())
}

pub(crate) fn acceptor() -> Acceptor {
    Acceptor::new().config(config()).origin(OriginPolicy::any())
}

pub(crate) fn connector() -> Connector {
    Connector::new().config(config())
}

pub(crate) fn echo(websocket: &mut ServerWebSocket) {
    while let Some(Ok(message)) = websocket.next() {
        websocket.send(message).unwrap();
    }
    websocket.wait_closed();
}

pub(crate) fn echo_server() -> String {
    serve(|stream| echo(&mut acceptor().accept_tcp(stream).unwrap()))
}

/// Starts a server that accepts one connection with this answer, and leaves its frames to the test.
pub(crate) fn bare_server(answer: Accept) -> (String, mpsc::Receiver<(Bare, Request)>) {
    let (sender, receiver) = mpsc::channel();
    let url = serve(move |mut stream| {
        let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        let mut handshake = ServerHandshake::new(&Limits::default());
        let request = loop {
            let count = stream.read(input.spare(1)).unwrap();
            input.filled(count);
            if let Some(request) = handshake.receive(&mut input).unwrap() {
                break request;
            }
        };
        request.accept(&answer, &mut output).unwrap();
        stream.write_all(output.front()).unwrap();
        let _ = sender.send((Bare::new(stream), request));
    });
    (url, receiver)
}

/// A connection after its opening handshake, as bytes.
pub(crate) struct Bare {
    pub(crate) stream: TcpStream,
}

impl Bare {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(MOST)).unwrap();
        stream.set_write_timeout(Some(MOST)).unwrap();
        Self { stream }
    }

    /// Opens a WebSocket through the relay at this address.
    pub(crate) fn connect(address: &str) -> Self {
        Self::connect_with(address, "").0
    }

    /// Adds these header lines to the request. Returns the response as well.
    pub(crate) fn connect_with(address: &str, fields: &str) -> (Self, String) {
        Self::ask(address, "/path?query", fields)
    }

    /// Asks for this target. Returns the response as well, which may be a refusal.
    pub(crate) fn ask(address: &str, target: &str, fields: &str) -> (Self, String) {
        let mut bare = Self::new(TcpStream::connect(address).unwrap());
        bare.sends(Self::request(target, fields));
        let response = bare.head();
        (bare, response)
    }

    pub(crate) fn request(target: &str, fields: &str) -> String {
        format!(
            "GET {target} HTTP/1.1\r\nHost: relay.test\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Version: 13\r\n{fields}\r\n"
        )
    }

    /// Reads up to the end of a request's or response's header.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.takes(1));
        }
        String::from_utf8(head).unwrap()
    }

    #[track_caller]
    pub(crate) fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads this many bytes.
    #[track_caller]
    pub(crate) fn takes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads up to the end.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[track_caller]
    pub(crate) fn expects(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        assert!(self.takes(bytes.len()) == bytes);
    }
}
