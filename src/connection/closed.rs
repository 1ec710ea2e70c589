//! How a connection ended, as data (RFC 6455 §7).

use super::error::ProtocolError;
use crate::frame::CloseCode;
use alloc::string::String;
use core::fmt;

/// The state of a connection (RFC 6455 §4.1, §7.1.3, §7.1.4).
#[doc(alias = "can_write")]
#[doc(alias = "readyState")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the states that RFC 6455 names")]
pub enum State {
    /// Messages flow in both directions.
    Open,
    /// The closing handshake has started, or the connection has failed. You can send no more
    /// messages. After your own Close, you still receive messages until the peer's Close arrives.
    Closing,
    /// The connection has ended. [`Closed`] describes how.
    Closed,
}

/// How the transport ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportEnd {
    /// The peer ended its side in an orderly way.
    Eof,
    /// The transport broke.
    Reset,
    /// TLS ended without its closing message, so the received data may be truncated.
    TlsTruncated,
    /// The peer missed a deadline, and this endpoint gave up.
    Timeout,
    /// This endpoint dropped the transport.
    Dropped,
}

impl fmt::Display for TransportEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eof => "the peer ended the transport",
            Self::Reset => "the transport was reset",
            Self::TlsTruncated => "TLS ended without its closing message",
            Self::Timeout => "the peer did not finish in time",
            Self::Dropped => "this endpoint dropped the transport",
        })
    }
}

/// Who started to end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two endpoints and a transport")]
pub enum Initiator {
    /// This endpoint, by sending a Close or by failing the connection.
    Local,
    /// The peer, by sending a Close.
    Peer,
    /// Neither: the transport ended before a Close was sent or received.
    Transport,
}

/// What ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The closing handshake completed.
    ClosingHandshake,
    /// This endpoint failed the connection because of a fault of the peer.
    Protocol(ProtocolError),
    /// The transport ended before the closing handshake completed.
    Transport(TransportEnd),
}

/// How a connection ended.
///
/// This does not describe what happens to the transport afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The code of the peer's Close (RFC 6455 §7.1.5): [`CloseCode::NO_STATUS_RECEIVED`] if the
    /// Close had no code, [`CloseCode::ABNORMAL`] if no Close arrived.
    pub code: CloseCode,
    /// The reason in the peer's Close (RFC 6455 §7.1.6).
    pub reason: String,
    /// The code of this endpoint's Close: [`CloseCode::NO_STATUS_RECEIVED`] if the Close had no
    /// code, [`CloseCode::ABNORMAL`] if this endpoint queued no Close. Only a
    /// [`clean`](Self::clean) end tells you that the Close was also written.
    pub sent_code: CloseCode,
    /// Who started to end the connection.
    pub initiator: Initiator,
    /// Whether the closing handshake completed (RFC 6455 §7.1.4). If so, nothing that either
    /// endpoint sent before its Close was lost.
    pub clean: bool,
    /// What ended the connection.
    pub cause: Cause,
}

impl Closed {
    /// Returns `true` if a new connection may succeed, although nothing else changes. It is `false`
    /// if this endpoint failed the connection because of a fault of the peer, or if the peer's
    /// Close blames what this endpoint sent (1002, 1003, 1007, 1008, 1009 or 1010).
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        let is_blamed = matches!(self.code.number(), 1002 | 1003 | 1007..=1010);
        !matches!(self.cause, Cause::Protocol(_)) && !is_blamed
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::ClosingHandshake if self.initiator == Initiator::Local => {
                write!(f, "closed by this endpoint with {}", self.sent_code)?;
                write!(f, ", by the peer with {}", self.code)?;
            }
            Cause::ClosingHandshake => {
                write!(f, "closed by the peer with {}", self.code)?;
                write!(f, ", by this endpoint with {}", self.sent_code)?;
            }
            Cause::Protocol(error) => write!(f, "failed with {}: {error}", error.close_code())?,
            Cause::Transport(how) => match self.initiator {
                Initiator::Peer => {
                    write!(f, "closed by the peer with {}, but {how}", self.code)?;
                    f.write_str(" before this endpoint's Close was delivered")?;
                }
                Initiator::Local => {
                    write!(f, "closed by this endpoint with {}, but {how}", self.sent_code)?;
                    f.write_str(" before the closing handshake was complete")?;
                }
                Initiator::Transport => write!(f, "ended without a Close: {how}")?,
            },
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}
