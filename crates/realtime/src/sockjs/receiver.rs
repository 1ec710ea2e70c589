//! Receivers: responses and WebSockets that take the frames of a session.

use super::{
    config::Config,
    frame::{self, Frame},
    transport::Transport,
};
use alloc::string::String;
use sansocket::Text;

/// A receiver: a response, or a WebSocket, that takes a session's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Receiver(pub(super) u64);

/// Bytes for a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// A text message of a WebSocket, or bytes of a response's body.
    pub text: Text,
    /// Whether the response, or the WebSocket, ends behind this chunk.
    pub last: bool,
}

/// A receiver that gets one frame and does not become attached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session has another receiver, or is closed")]
pub struct Refused {
    text: Text,
}

impl Refused {
    pub(super) fn new(code: u16, reason: &str, transport: Transport) -> Self {
        let mut text = String::new();
        if let Some(prelude) = frame::prelude(transport) {
            text.push_str(&prelude);
        }
        text.push_str(&Frame::Close(code, reason).encode(transport));
        Self { text: text.into() }
    }

    /// Returns the body of the response, with status 200. It ends behind it.
    #[must_use]
    pub fn into_text(self) -> Text {
        self.text
    }
}

/// The receiver that is attached to a session.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) transport: Transport,
    /// What comes before the first frame, until it is taken.
    pub(super) prelude: Option<Text>,
    pub(super) heartbeat_due: bool,
    /// The bytes of frames that were taken.
    taken: usize,
}

impl Attached {
    pub(super) fn new(transport: Transport) -> Self {
        Self { transport, prelude: frame::prelude(transport), heartbeat_due: false, taken: 0 }
    }

    /// Counts a frame that was taken. Returns whether the response ends behind it.
    pub(super) fn took(&mut self, frame: &Text, config: &Config) -> bool {
        // Anything that is sent tells what a heartbeat would.
        self.heartbeat_due = false;
        self.taken = self.taken.saturating_add(frame.len());
        match self.transport {
            Transport::WebSocket => false,
            Transport::Xhr => true,
            Transport::XhrStreaming | Transport::EventSource => self.taken >= config.response_limit,
        }
    }
}
