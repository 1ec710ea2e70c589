//! What our servers answer: see README.md.

use crate::{CLOSE_CODE, CLOSE_REASON, FRAGMENTS, PING, Received, Socket, describe};
use sansocket::{CloseCode, Closed, Error, handshake::Request};
use std::{
    collections::HashMap,
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// The subprotocols that a server speaks. It prefers the later version, whatever the client prefers.
pub const SUBPROTOCOLS: [&str; 2] = ["chat.v2", "chat.v1"];

/// What the client's request asked for.
#[derive(Debug, Default)]
pub struct Asked {
    target: String,
    cookie: String,
    own: String,
}

impl Asked {
    /// Takes from the request what [`talk`] needs.
    #[must_use]
    pub fn new(request: &Request) -> Self {
        // HTTP/2 may split cookies into several fields (RFC 9113 §8.2.3).
        let value = |name| {
            let values: Vec<_> = request.headers_named(name).map(String::from_utf8_lossy).collect();
            values.join("; ")
        };
        Self { target: request.target().into(), cookie: value("Cookie"), own: value("X-Interop") }
    }
}

/// Answers what the client sends, until the end.
pub async fn talk(
    mut socket: impl Socket,
    asked: Asked,
    ends: Ends,
    shutdown: impl Future<Output = ()>,
) {
    if asked.target == "/hello" {
        // For a client that can't speak WebSocket: a message, then the end of the transport without
        // a Close.
        let _ = socket.send("hello").await;
        return;
    }
    let mut shutdown = pin!(shutdown);
    let mut answered = until(&mut shutdown, answer(&mut socket, &asked, &ends)).await;
    if answered.is_none() {
        // A close that fails is told by what is received.
        let _ = socket.close(CloseCode::GOING_AWAY, "").await;
        answered = Some(answer(&mut socket, &asked, &ends).await);
    }
    match (socket.closed(), answered) {
        (Some(closed), _) => {
            eprintln!("{}: {closed}", asked.target);
            ends.put(asked.target, &closed);
            // Lets a client at fault read why.
            socket.wait_closed().await;
        }
        (None, outcome) => eprintln!("{}: not ended, {outcome:?}", asked.target),
    }
}

/// Returns `None` if the server shuts down first. Receiving is cancel safe, and an answer of these tests fits
/// into the buffers of the system.
async fn until<T>(shutdown: impl Future<Output = ()>, step: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        outcome = step => Some(outcome),
        () = shutdown => None,
    }
}

async fn answer(socket: &mut impl Socket, asked: &Asked, ends: &Ends) -> Result<(), Error> {
    while let Some(received) = socket.receive().await {
        match received? {
            Received::Text(text) => match text.split_once(' ') {
                Some(("close", "me")) => socket.close(CLOSE_CODE, CLOSE_REASON).await?,
                Some(("ping", "me")) => socket.ping(PING).await?,
                Some(("fragment", "me")) => {
                    for (index, piece) in FRAGMENTS.into_iter().enumerate() {
                        socket.send_fragment(piece, index == FRAGMENTS.len() - 1).await?;
                    }
                }
                Some(("what", "headers")) => {
                    socket.send(&format!("{}\n{}", asked.cookie, asked.own)).await?;
                }
                Some(("what", "compression")) => {
                    let agreed = describe(socket.deflate());
                    socket.send(&agreed).await?;
                }
                Some(("closed", target)) => socket.send(&ends.get(target).await).await?,
                _ => socket.send(&text).await?,
            },
            Received::Binary(data) => socket.send(&data).await?,
            // Those that answer keepalive's pings have payloads of its own.
            Received::Pong(payload) if payload == PING => {
                let payload = String::from_utf8_lossy(&payload);
                socket.send(&format!("pong: {payload}")).await?;
            }
            Received::Ping(_) | Received::Pong(_) | Received::Close(_) => {}
        }
    }
    Ok(())
}

/// Records how connections ended, by their target.
#[derive(Clone, Debug, Default)]
pub struct Ends(Arc<Mutex<HashMap<String, String>>>);

impl Ends {
    fn put(&self, target: String, closed: &Closed) {
        let clean = if closed.clean { "clean" } else { "unclean" };
        let end = format!("{} {clean} {}", closed.code.number(), closed.reason);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(target, end.trim_end().into());
    }

    /// Waits until the end is known, since one endpoint of a connection learns of it before the
    /// other.
    async fn get(&self, target: &str) -> String {
        for _ in 0..100 {
            let end = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(target);
            if let Some(end) = end {
                return end;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        "not closed".into()
    }
}
