//! The peers of the interop tests that are crates: tungstenite, which blocks, and fastwebsockets, on
//! tokio. Both are behind one trait, so that every scenario and every answer is written once.

pub mod answers;
pub mod fastwebsockets;
pub mod scenarios;
pub mod tls;
pub mod tungstenite;

use crate::answers::Server;
use std::{error::Error as StdError, fmt, future::Future, net::TcpListener};

/// The pieces of the message that a server sends when asked to.
pub const FRAGMENTS: [&str; 3] = ["one ", "zwölf ", "три"];

pub type Error = Box<dyn StdError + Send + Sync>;

/// What one end sends and the other receives. A message is whole.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// With a code and a reason, if it has them.
    Close(Option<(u16, String)>),
}

/// Shows only the beginning of large payloads.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, payload) = match self {
            Self::Text(text) => ("text", text.as_bytes()),
            Self::Binary(data) => ("binary", data.as_slice()),
            Self::Ping(payload) => ("ping", payload.as_slice()),
            Self::Pong(payload) => ("pong", payload.as_slice()),
            Self::Close(None) => return f.write_str("close without a code"),
            Self::Close(Some((code, reason))) => return write!(f, "close with {code} {reason:?}"),
        };
        let start = String::from_utf8_lossy(&payload[..payload.len().min(40)]);
        write!(f, "{name} of {} bytes, {start:?}", payload.len())
    }
}

/// What a frame of a fragmented message begins or goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Text,
    Binary,
    Continuation,
}

/// A connection of either library.
#[expect(async_fn_in_trait, reason = "all runs on one thread")]
pub trait Socket {
    /// Sends a message or a control frame.
    async fn send(&mut self, message: Message) -> Result<(), Error>;

    /// Sends a frame of a message.
    async fn send_piece(&mut self, kind: Piece, piece: &[u8], fin: bool) -> Result<(), Error>;

    /// Returns what comes next, or `None` if the connection has ended. The library answers pings and
    /// Closes.
    async fn receive(&mut self) -> Option<Message>;
}

/// Why a client did not connect.
#[derive(Debug)]
pub enum Failure {
    /// The server's status, and its header fields and body if the library tells them.
    Refused(u16, Option<(Headers, String)>),
    Other(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// The header fields of a response, with names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(other, _)| other == name);
        values.next().map(|(_, value)| value.as_str())
    }
}

/// A library, in both roles.
#[expect(async_fn_in_trait, reason = "all runs on one thread")]
pub trait Library {
    type Socket: Socket;

    /// The library and its version.
    const NAME: &'static str;

    /// Scenarios that it can't run, by the beginning of their names, and why.
    const LACKS: &'static [(&'static str, &'static str)];

    /// True if the client fails when the server chooses none of the subprotocols that it offered,
    /// which RFC 6455 does not require.
    const INSISTS_ON_A_SUBPROTOCOL: bool;

    async fn connect(
        url: &str,
        subprotocols: &[&str],
        headers: &[(&str, &str)],
    ) -> Result<(Self::Socket, Headers), Failure>;

    /// Serves until the process ends.
    fn serve(listener: TcpListener, server: Server) -> Result<(), Error>;
}

/// Runs a future on this thread. The futures of tungstenite block it.
///
/// # Panics
///
/// Panics if the runtime can't be created.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// Splits a URL into whether it uses TLS, the authority and the target.
///
/// # Errors
///
/// Returns an error if the scheme is not that of a WebSocket.
pub fn split_url(url: &str) -> Result<(bool, &str, &str), Error> {
    let (scheme, rest) = url.split_once("://").ok_or("a URL has a scheme")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let target = if at == rest.len() { "/" } else { &rest[at..] };
    match scheme {
        "ws" => Ok((false, &rest[..at], target)),
        "wss" => Ok((true, &rest[..at], target)),
        other => Err(format!("{other} is not a scheme of a WebSocket").into()),
    }
}
