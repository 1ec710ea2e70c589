//! Code shared by the programs of the interop tests: both shells, and sansocket-axum, behind one trait, so
//! that every scenario is written once.

pub mod answers;
pub mod settings;

use sansocket::{
    AsPayload, CloseCode, Closed, DeflateConfig, Error, Event, blocking as blocking_shell,
    connection::Role, deflate::DeflateParameters, on_tokio as tokio_shell,
};
use sansocket_axum::Upgraded;
use std::{fmt, future::Future};

/// The code with which a server closes when asked to.
pub const CLOSE_CODE: CloseCode = CloseCode::new(4000);
/// The reason that goes with [`CLOSE_CODE`].
pub const CLOSE_REASON: &str = "as you asked";
/// The payload of the ping that a server sends when asked to.
pub const PING: &[u8] = b"are you there?";
/// The pieces of the message that a server sends when asked to.
pub const FRAGMENTS: [&str; 3] = ["one ", "zwölf ", "три"];
/// The body of the response to a request for `/forbidden`.
pub const FORBIDDEN: &str = "not for you\n";
/// The page that our server has for browsers. What it does comes from outside.
pub const PAGE: &str = "<!DOCTYPE html><title>interop</title>\n";
/// The cookie that a server sets.
pub const COOKIE: &str = "interop=1; Path=/; HttpOnly";

/// The shell that a program uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two shells")]
pub enum Shell {
    /// `sansocket::blocking`
    Blocking,
    /// `sansocket::on_tokio`
    Tokio,
}

impl Shell {
    /// Returns the shell that `--shell NAME` names, and the other arguments.
    ///
    /// # Errors
    ///
    /// Returns a message for the user if `--shell` is missing or names no shell.
    pub fn from_arguments(
        arguments: impl Iterator<Item = String>,
    ) -> Result<(Self, Vec<String>), String> {
        let mut arguments = arguments.collect::<Vec<_>>();
        let at = arguments.iter().position(|argument| argument == "--shell");
        let at = at.ok_or("--shell is missing")?;
        let shell = match arguments.get(at + 1).map(String::as_str) {
            Some("blocking") => Self::Blocking,
            Some("tokio") => Self::Tokio,
            other => return Err(format!("no shell {}", other.unwrap_or("is named"))),
        };
        arguments.drain(at..at + 2);
        Ok((shell, arguments))
    }
}

impl fmt::Display for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocking => "blocking",
            Self::Tokio => "tokio",
        })
    }
}

/// The path of the connections that a server compresses, with the parameters in the query.
pub const DEFLATE_PATH: &str = "/deflate";

/// Parses a configuration of permessage-deflate from parameters of the form `NAME` or `NAME=BITS`,
/// separated by `&`. An additional parameter is `threshold=BYTES`.
///
/// # Panics
///
/// Panics if a parameter is unknown.
#[must_use]
pub fn deflate_config(query: &str) -> DeflateConfig {
    let mut config = DeflateConfig::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let number = || value.parse::<u8>().expect("a number");
        config = match name {
            "server_no_context_takeover" => config.server_no_context_takeover(true),
            "client_no_context_takeover" => config.client_no_context_takeover(true),
            "server_max_window_bits" => config.server_max_window_bits(number()),
            "client_max_window_bits" => config.client_max_window_bits(number()),
            "threshold" => config.threshold(number().into()),
            other => panic!("unknown parameter {other}"),
        };
    }
    config
}

/// Describes the agreed compression in the words that all programs of these tests use.
#[must_use]
pub fn describe(agreed: Option<DeflateParameters>) -> String {
    let Some(agreed) = agreed else { return "none".into() };
    let end = |bits: u8, resets| format!("{bits} {}", if resets { "reset" } else { "kept" });
    let server = end(agreed.server_max_window_bits, agreed.server_no_context_takeover);
    let client = end(agreed.client_max_window_bits, agreed.client_no_context_takeover);
    format!("server {server}, client {client}")
}

/// Runs a future on this thread. The futures of the blocking shell's [`Socket`] block it.
///
/// # Panics
///
/// Panics if the runtime can't be created.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// An owned [`Event`].
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "as the events are")]
pub enum Received {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A Close, with its code and reason if it has them.
    Close(Option<(CloseCode, String)>),
}

impl From<Event<'_>> for Received {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into()),
            Event::Binary(data) => Self::Binary(data.into()),
            Event::Ping(payload) => Self::Ping(payload.into()),
            Event::Pong(payload) => Self::Pong(payload.into()),
            Event::Close(frame) => {
                Self::Close(frame.map(|frame| (frame.code, frame.reason.into())))
            }
            other => panic!("an event that no scenario expects: {other:?}"),
        }
    }
}

/// Shows only the beginning of large payloads.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, payload) = match self {
            Self::Text(text) => ("text", text.as_bytes()),
            Self::Binary(data) => ("binary", data.as_slice()),
            Self::Ping(payload) => ("ping", payload.as_slice()),
            Self::Pong(payload) => ("pong", payload.as_slice()),
            Self::Close(None) => return f.write_str("close without a code"),
            Self::Close(Some((code, reason))) => {
                return write!(f, "close with {} {reason:?}", code.number());
            }
        };
        let start = String::from_utf8_lossy(&payload[..payload.len().min(40)]);
        write!(f, "{name} of {} bytes, {start:?}", payload.len())
    }
}

/// A connection of either shell.
#[expect(async_fn_in_trait, reason = "each program knows its types")]
pub trait Socket {
    /// Queues a message.
    async fn feed(&mut self, payload: impl AsPayload) -> Result<(), Error>;

    /// Sends a message.
    async fn send(&mut self, payload: impl AsPayload) -> Result<(), Error>;

    /// Sends a frame of a message.
    async fn send_fragment(&mut self, piece: impl AsPayload, fin: bool) -> Result<(), Error>;

    /// Sends a ping.
    async fn ping(&mut self, payload: &[u8]) -> Result<(), Error>;

    /// Sends a Close.
    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error>;

    /// Waits for an event.
    async fn receive(&mut self) -> Option<Result<Received, Error>>;

    /// Waits for the end.
    async fn wait_closed(&mut self) -> Closed;

    /// Returns how the connection ended, if it has.
    fn closed(&self) -> Option<Closed>;

    /// Returns the agreed subprotocol.
    fn subprotocol(&self) -> Option<&str>;

    /// Returns the agreed compression, if any.
    fn deflate(&self) -> Option<DeflateParameters>;
}

/// Implements the trait for either shell: they have the same methods, and differ only in `.await`.
macro_rules! socket {
    ($shell:ident, $stream:ty $(, $wait:tt $await:tt)?) => {
        impl<R: Role> Socket for $shell::WebSocket<$stream, R> {
            async fn feed(&mut self, payload: impl AsPayload) -> Result<(), Error> {
                self.feed(payload) $($wait $await)?
            }

            async fn send(&mut self, payload: impl AsPayload) -> Result<(), Error> {
                self.send(payload) $($wait $await)?
            }

            async fn send_fragment(
                &mut self,
                piece: impl AsPayload,
                fin: bool,
            ) -> Result<(), Error> {
                self.feed_fragment(piece, fin) $($wait $await)? ?;
                self.flush() $($wait $await)?
            }

            async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
                self.ping(payload) $($wait $await)?
            }

            async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
                self.close(code, reason) $($wait $await)?
            }

            async fn receive(&mut self) -> Option<Result<Received, Error>> {
                let received = self.receive() $($wait $await)? ?;
                Some(received.map(|(event, _)| event.into()))
            }

            async fn wait_closed(&mut self) -> Closed {
                self.wait_closed() $($wait $await)? .clone()
            }

            fn closed(&self) -> Option<Closed> {
                self.closed().cloned()
            }

            fn subprotocol(&self) -> Option<&str> {
                self.negotiated().subprotocol.as_deref()
            }

            fn deflate(&self) -> Option<DeflateParameters> {
                self.negotiated().deflate
            }
        }
    };
}

socket!(blocking_shell, blocking_shell::Stream);
socket!(tokio_shell, tokio_shell::Stream, .await);
socket!(tokio_shell, Upgraded, .await);
