//! STOMP over WebSocket.

use crate::{
    admission, answers,
    engine::Engine,
    mailboxes,
    options::Options,
    stomp::{self, Transport, Unsendable},
};
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use sansocket::{CloseCode, Message, server::Acceptor};
use sansocket_axum::{WebSocket, WebSocketUpgrade};
use sansocket_realtime::stomp::{EncodedFrame, Version};
use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Opens a WebSocket for a client of STOMP.
pub(crate) async fn open(
    engine: &Arc<Engine>,
    upgrade: WebSocketUpgrade,
    parts: &Parts,
) -> Response {
    let admitted = match admission::admit_for_connect(engine, parts).await {
        Ok(admitted) => admitted,
        Err(answer) => return answers::problem(&answer, &engine.options.sources),
    };
    let protocols = Version::ALL.iter().map(|version| version.subprotocol());
    let upgrade = with_policy(&engine.options, upgrade).protocols(protocols);
    // From now on the client is there: a server that ends waits for it.
    let mut registration =
        engine.register(mailboxes::Transport::WebSocket, parts.extensions.get().cloned());
    registration.client = Some(admitted.client);
    upgrade.on_upgrade(move |websocket| async move {
        tokio::spawn(stomp::serve(registration, admitted.principal, Plain(websocket)));
    })
}

/// Says how a WebSocket is accepted. Its page was checked before.
pub(crate) fn with_policy(options: &Options, upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    let acceptor = Acceptor::new()
        .config(options.websocket)
        .origin(options.origins.clone())
        .trusted_proxies(options.trusted_proxies.clone());
    upgrade.acceptor(acceptor)
}

/// Each message of the client is a piece of its bytes, and each frame for it is a message.
pub(crate) struct Plain(pub(crate) WebSocket);

impl Transport for Plain {
    const ROOM: usize = 64 << 10;

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match pin!(self.0.next()).poll(cx) {
            Poll::Ready(Some(Ok(Message::Text(text)))) => Poll::Ready(Some(text.into_bytes())),
            Poll::Ready(Some(Ok(Message::Binary(bytes)))) => Poll::Ready(Some(bytes)),
            Poll::Ready(Some(Err(_)) | None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn send(&mut self, frame: EncodedFrame) -> Result<(), Unsendable> {
        // If the connection has ended, the next receive says so.
        let is_text = frame.is_text();
        let bytes = frame.into_vec();
        let text = if is_text { std::str::from_utf8(&bytes).ok() } else { None };
        let _ = match text {
            Some(text) => self.0.try_feed(text),
            None => self.0.try_feed(&*bytes),
        };
        Ok(())
    }

    fn close(&mut self, code: CloseCode) {
        let _ = self.0.try_close(code, "");
    }

    fn unsent(&self) -> usize {
        self.0.buffered_amount()
    }
}
