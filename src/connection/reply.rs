//! What the receiving half owes the peer.

use super::ProtocolError;
use crate::frame::{CloseCode, MAX_CONTROL_PAYLOAD};
use alloc::string::String;
use core::{fmt, ops::Deref};

/// What the receiving half tells the sending half: a reply that it owes the peer, or something that it
/// has found out. It is passed between the halves by value, so that they can live in different tasks or
/// threads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reply {
    /// The answer to a ping, with the same payload (RFC 6455 §5.5.3).
    Pong(ControlPayload),
    /// The answer to a Close, with the contents of that Close (RFC 6455 §5.5.1).
    #[non_exhaustive]
    Close {
        /// The code of the peer's Close, if it has one.
        code: Option<CloseCode>,
        /// The reason of the peer's Close, which is usually empty.
        reason: String,
    },
    /// The Close that fails the connection (RFC 6455 §7.1.7).
    Failure(ProtocolError),
    /// A pong arrived, with this payload. Nothing is sent: if the pong answers a ping of
    /// [keepalive](crate::Config::keepalive), the sending half takes its
    /// [round-trip time](super::Sender::round_trip_time).
    PongReceived(ControlPayload),
    /// What has arrived of the peer's messages. Nothing is sent: the sending half needs this for
    /// [timeouts](crate::Config::idle_timeout). Without any, the receiving half does not return this.
    Received(Received),
}

/// What has arrived of the peer's messages since the last such note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Whether a message or a part of one has arrived.
    pub(super) has_progressed: bool,
    /// Whether there was a moment when no frame and no message was unfinished.
    pub(super) was_finished: bool,
    /// Whether more of a frame or of a message is still to come.
    pub(super) is_unfinished: bool,
}

/// The payload of a control frame, at most 125 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct ControlPayload {
    len: u8,
    bytes: [u8; MAX_CONTROL_PAYLOAD],
}

impl From<&[u8]> for ControlPayload {
    /// Copies the first 125 bytes of a slice.
    fn from(payload: &[u8]) -> Self {
        let len = payload.len().min(MAX_CONTROL_PAYLOAD);
        let mut bytes = [0; MAX_CONTROL_PAYLOAD];
        bytes[..len].copy_from_slice(&payload[..len]);
        Self { len: len as u8, bytes }
    }
}

impl Deref for ControlPayload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for ControlPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
