//! A WebSocket with the frames of SockJS.

use super::sessions::prepare;
use crate::{
    clock::Timer,
    engine::Engine,
    stomp::{Transport, Unsendable},
};
use bytes::Bytes;
use sansocket::{CloseCode, Message};
use sansocket_axum::WebSocket;
use sansocket_realtime::{
    sockjs::{self, Receiver, Refused, Session},
    stomp::EncodedFrame,
};
use std::{
    collections::VecDeque,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
};

pub(super) struct SockJsWebSocket {
    engine: Arc<Engine>,
    websocket: WebSocket,
    session: Session,
    receiver: Receiver,
    /// Messages of a frame that have not been taken.
    messages: VecDeque<String>,
    timer: Timer,
}

impl SockJsWebSocket {
    pub(super) fn new(engine: &Arc<Engine>, websocket: WebSocket) -> Result<Self, Refused> {
        let now = engine.now();
        let mut session = Session::new(engine.options.sockjs.clone(), now);
        let receiver = session.attach(sockjs::Transport::WebSocket, now)?;
        let (engine, timer) = (engine.clone(), Timer::new(engine.clock));
        Ok(Self { engine, websocket, session, receiver, messages: VecDeque::new(), timer })
    }

    /// Moves the session's chunks to the WebSocket while that has room.
    fn write(&mut self) {
        let now = self.engine.now();
        while self.websocket.buffered_amount() < Self::ROOM {
            let Some(chunk) = self.session.next_chunk(self.receiver, now) else { return };
            // If the connection has ended, the next receive says so.
            let _ = self.websocket.try_feed(Message::Text(chunk.text));
            if chunk.last {
                let _ = self.websocket.try_close(CloseCode::NORMAL, "");
            }
        }
    }
}

impl Transport for SockJsWebSocket {
    const ROOM: usize = 16 << 10;

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(message) = self.messages.pop_front() {
                return Poll::Ready(Some(message.into()));
            }
            self.messages = VecDeque::new();
            self.write();
            let received = pin!(self.websocket.next()).poll(cx);
            match received {
                Poll::Ready(Some(Ok(Message::Text(text)))) => {
                    let now = self.engine.now();
                    // "Broken JSON": the connection ends without a Close.
                    let Ok(messages) = self.session.received_text(&text, now) else {
                        return Poll::Ready(None);
                    };
                    self.messages = messages.into();
                    continue;
                }
                // Frames of SockJS are text.
                Poll::Ready(Some(Ok(Message::Binary(_)) | Err(_)) | None) => {
                    return Poll::Ready(None);
                }
                Poll::Pending => {}
            }
            let now = self.engine.now();
            if self.timer.poll(self.session.next_deadline(), now, cx).is_pending() {
                return Poll::Pending;
            }
            let now = self.engine.now();
            if self.session.time_passed(now).is_some() {
                return Poll::Ready(None);
            }
        }
    }

    fn send(&mut self, frame: EncodedFrame) -> Result<(), Unsendable> {
        let message = prepare(frame)?;
        let now = self.engine.now();
        // If it is full, the session has closed, and its next chunk says so.
        let _ = self.session.send(&message, now);
        Ok(())
    }

    fn close(&mut self, code: CloseCode) {
        let now = self.engine.now();
        self.session.close(code.number(), "", now);
    }

    fn unsent(&self) -> usize {
        self.websocket.buffered_amount() + self.session.queued()
    }
}
