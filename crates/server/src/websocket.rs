//! STOMP over WebSocket.

use crate::{
    admission, answers,
    engine::Engine,
    stomp::{self, Transport, Unsendable},
};
use axum::{
    extract::{FromRequestParts, Request, State},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use sansocket::{CloseCode, Message, server::Acceptor};
use sansocket_axum::{WebSocket, WebSocketUpgrade};
use sansocket_realtime::stomp::{EncodedFrame, Version};
use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

/// Opens a WebSocket for a client of STOMP.
pub(crate) async fn serve(State(engine): State<Arc<Engine>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade.acceptor(acceptor(&engine)),
        Err(rejection) => return rejection.into_response(),
    };
    let upgrade = upgrade.protocols(Version::ALL.iter().rev().map(|it| it.subprotocol()));
    let admitted = match admission::admit(&engine, &parts) {
        Ok(admitted) => admitted,
        Err(answer) => return answers::problem(&answer, &engine.options.sources),
    };
    upgrade.on_upgrade(move |websocket| async move {
        let mut registration = engine.register();
        registration.client = Some(admitted.client);
        let principal = admitted.principal;
        stomp::serve(registration, principal, Plain(websocket)).await;
    })
}

/// Returns how WebSockets are accepted.
pub(crate) fn acceptor(engine: &Engine) -> Acceptor {
    let options = &engine.options;
    Acceptor::new()
        .config(options.websocket)
        .origin(options.origins.clone())
        .trusted_proxies(options.trusted_proxies.clone())
}

/// Each message of the client is a piece of its bytes, and each frame for it is a message.
pub(crate) struct Plain(pub(crate) WebSocket);

impl Transport for Plain {
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
        let _ = self.0.try_feed(&Message::from(frame));
        Ok(())
    }

    fn close(&mut self, code: CloseCode) {
        let _ = self.0.try_close(code, "");
    }

    fn unsent(&self) -> usize {
        self.0.buffered_amount()
    }
}
