//! What a session wants sent.

use crate::stomp::output::{EncodedFrame, FrameQueue};
use sansocket::CloseCode;

/// What to do for a client next. See [`Session::next_output`](super::Session::next_output).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send a frame, or a heart-beat.
    Frame(EncodedFrame),
    /// Nothing more follows. Close the WebSocket with this code, once all frames are written. Without
    /// WebSocket, write everything, shut down the sending direction, and read until the client has
    /// closed too, for a bounded time: a reset can lose what the client has not read
    /// (1.2 §Connection Lingering).
    Close(CloseCode),
}

/// Frames that wait to be sent, and the Close behind them.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) frames: FrameQueue,
    close: Option<CloseCode>,
}

impl Outbox {
    pub(super) fn close(&mut self, code: CloseCode) {
        self.close = Some(code);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn next(&mut self) -> Option<Output> {
        match self.frames.pop() {
            Some(frame) => Some(Output::Frame(frame)),
            None => self.close.take().map(Output::Close),
        }
    }
}
