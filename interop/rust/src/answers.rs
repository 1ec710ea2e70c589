//! What the servers answer: see ../README.md.

use crate::{Error, FRAGMENTS, Message, Piece, Socket};
use rustls::ServerConfig;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// What all connections of a server share.
#[derive(Clone, Default)]
pub struct Server {
    pub tls: Option<Arc<ServerConfig>>,
    ends: Arc<Mutex<HashMap<String, String>>>,
}

/// What a client's request asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub target: String,
    pub cookie: String,
    pub own: String,
}

/// Chooses from the values of `Sec-WebSocket-Protocol`. The server prefers the later version, whatever
/// the client prefers.
pub fn choose_subprotocol<'a>(offered: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let offered = offered.flat_map(|value| value.split(',').map(str::trim)).collect::<Vec<_>>();
    ["chat.v2", "chat.v1"].into_iter().find(|name| offered.contains(name))
}

impl Server {
    #[must_use]
    pub fn new(tls: Option<Arc<ServerConfig>>) -> Self {
        Self { tls, ..Self::default() }
    }

    /// Answers until the connection ends.
    pub async fn talk(&self, mut socket: impl Socket, asked: Asked) {
        let mut end = "1006 unclean".to_owned();
        while let Some(message) = socket.receive().await {
            if let Message::Close(close) = &message {
                let (code, reason) = close.clone().unwrap_or((1005, String::new()));
                end = format!("{code} clean {reason}").trim_end().into();
                continue;
            }
            if let Err(error) = self.answer(&mut socket, &asked, message).await {
                eprintln!("{}: {error}", asked.target);
                break;
            }
        }
        eprintln!("{}: {end}", asked.target);
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).insert(asked.target, end);
    }

    async fn answer(
        &self,
        socket: &mut impl Socket,
        asked: &Asked,
        message: Message,
    ) -> Result<(), Error> {
        let Message::Text(text) = message else {
            return match message {
                Message::Pong(payload) => {
                    let payload = String::from_utf8_lossy(&payload);
                    socket.send(Message::Text(format!("pong: {payload}"))).await
                }
                Message::Binary(_) => socket.send(message).await,
                _ => Ok(()),
            };
        };
        match text.split_once(' ') {
            Some(("close", "me")) => {
                socket.send(Message::Close(Some((4000, "as you asked".into())))).await
            }
            Some(("ping", "me")) => socket.send(Message::Ping(b"are you there?".into())).await,
            Some(("fragment", "me")) => {
                for (index, piece) in FRAGMENTS.into_iter().enumerate() {
                    let kind = if index == 0 { Piece::Text } else { Piece::Continuation };
                    let fin = index == FRAGMENTS.len() - 1;
                    socket.send_piece(kind, piece.as_bytes(), fin).await?;
                }
                Ok(())
            }
            Some(("what", "headers")) => {
                let headers = format!("{}\n{}", asked.cookie, asked.own);
                socket.send(Message::Text(headers)).await
            }
            Some(("what", "compression")) => socket.send(Message::Text("none".into())).await,
            Some(("closed", target)) => socket.send(Message::Text(self.end_of(target).await)).await,
            _ => socket.send(Message::Text(text)).await,
        }
    }

    /// Waits until the end is known, since one endpoint learns of it before the other.
    async fn end_of(&self, target: &str) -> String {
        for _ in 0..100 {
            let end = self.ends.lock().unwrap_or_else(PoisonError::into_inner).remove(target);
            if let Some(end) = end {
                return end;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        "not closed".into()
    }
}
