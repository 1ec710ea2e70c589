//! What a connection has received and sent, counted.

use super::outbox::Dropped;
use super::round_trip::RoundTripTime;
use crate::frame::OpCode;

/// What a connection has received and sent so far, if [`Config::counters`](super::Config::counters) is
/// on.
///
/// ```
/// use sansocket::{Config, buffer::WriteBuffer, connection::{Connection, Server}};
/// use sansocket::handshake::Negotiated;
///
/// let config = Config::default().counters(true);
/// let mut connection = Connection::new(Server::new(), &Negotiated::new(), config);
/// let mut output = WriteBuffer::new();
/// connection.send_text("hello", &mut output)?;
/// connection.ping("", &mut output)?;
/// let sent = connection.counters().unwrap().sent;
/// assert_eq!((sent.frames, sent.messages, sent.pings), (2, 1, 1));
/// # Ok::<(), sansocket::connection::SendError>(())
/// ```
#[doc(alias = "stats")]
#[doc(alias = "statistics")]
#[doc(alias = "metrics")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// What was received.
    pub received: DirectionCounters,
    /// What was sent.
    pub sent: DirectionCounters,
    /// What the [outbox](super::Config::outbox) has dropped.
    pub dropped: Dropped,
    /// How long the peer takes to answer the pings of [keepalive](super::Config::keepalive), or `None`
    /// if it has answered none yet.
    pub round_trip_time: Option<RoundTripTime>,
}

/// The counters of one direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DirectionCounters {
    /// The bytes that were read from the transport or written to it, with the headers of frames, and
    /// compressed if messages are. The opening handshake and the bytes of TLS do not count.
    pub bytes: u64,
    /// Frames: received ones once they are complete, sent ones once they are queued. A frame that was
    /// queued may never be written, if the connection fails.
    pub frames: u64,
    /// Messages, which count with their last frame.
    pub messages: u64,
    /// Pings.
    pub pings: u64,
    /// Pongs, solicited or not.
    pub pongs: u64,
}

impl DirectionCounters {
    /// Counts a frame. `fin` tells whether it is the last one of its message.
    pub(super) fn count_frame(&mut self, opcode: OpCode, fin: bool) {
        self.frames += 1;
        match opcode {
            OpCode::Ping => self.pings += 1,
            OpCode::Pong => self.pongs += 1,
            OpCode::Close => {}
            OpCode::Continuation | OpCode::Text | OpCode::Binary => {
                self.messages += u64::from(fin);
            }
        }
    }

    /// Counts a whole message of so many frames.
    pub(super) fn count_message(&mut self, frames: usize) {
        self.frames += frames as u64;
        self.messages += 1;
    }

    pub(super) fn count_bytes(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// Takes all but the bytes from `other`.
    pub(super) fn set_frames(&mut self, other: Self) {
        *self = Self { bytes: self.bytes, ..other };
    }
}
