//! How a connection ended, as data (RFC 6455 §7).

use super::error::ProtocolError;
use super::initiator::Initiator;
use crate::frame::CloseCode;
use alloc::string::String;
use core::{fmt, time::Duration};

/// The state of a connection (RFC 6455 §4.1, §7.1.3, §7.1.4).
///
/// ```
/// use sansocket::connection::{Connection, Server};
/// use sansocket::{CloseCode, Config, State, buffer::WriteBuffer, handshake::Negotiated};
///
/// let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
/// assert_eq!(connection.state(), State::Open);
/// connection.close(CloseCode::NORMAL, "", &mut WriteBuffer::new())?;
/// assert_eq!(connection.state(), State::Closing);
/// # Ok::<(), sansocket::connection::SendError>(())
/// ```
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
    /// The peer missed a deadline, and this endpoint gave up: it did not answer the ping of
    /// [keepalive](super::Config::keepalive) or the Close, or did not end its side.
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
            Self::Timeout => "the peer did not answer in time",
            Self::Dropped => "this endpoint dropped the transport",
        })
    }
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
    /// The peer sent nothing of a message for this long, the
    /// [idle timeout](crate::Config::idle_timeout), so this endpoint closed. The end is clean if the
    /// peer answered.
    IdleTimeout(Duration),
    /// The peer read too slowly, so the [outbox](crate::Config::outbox) was full and
    /// [closed](super::WhenFull::Close) the connection. The end is clean if the peer answered.
    OutboxFull,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosingHandshake => f.write_str("the closing handshake completed"),
            Self::Protocol(error) => error.fmt(f),
            Self::Transport(how) => how.fmt(f),
            Self::IdleTimeout(timeout) => write!(f, "no message arrived for {timeout:?}"),
            Self::OutboxFull => f.write_str("the peer read too slowly"),
        }
    }
}

/// How a connection ended.
///
/// This does not describe what happens to the transport afterwards.
///
/// ```
/// use sansocket::{CloseCode, Closed, connection::Initiator};
///
/// fn report(closed: &Closed) {
///     match closed.initiator {
///         Initiator::Peer if closed.code == CloseCode::GOING_AWAY => println!("the peer left"),
///         _ if closed.clean => println!("closed with {}: {}", closed.code, closed.reason),
///         _ => println!("messages may be lost: {closed}"),
///     }
/// }
/// ```
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
    /// Whether the closing handshake completed (RFC 6455 §7.1.4). If so, all that either endpoint
    /// sent before its Close has arrived at the other. That does not mean that the application there
    /// has received it: an endpoint that closes because of a fault, or that stops receiving, drops
    /// what arrives. [`code`](Self::code) tells why, for example with 1009.
    pub clean: bool,
    /// What ended the connection.
    pub cause: Cause,
}

impl Closed {
    /// Returns `true` if a new connection may last longer, although nothing else changes. It is `false`
    /// in three cases:
    ///
    /// - This endpoint failed the connection because of a fault of the peer. The exceptions are a peer
    ///   that was [too slow](ProtocolError::TooSlow), and one that exceeded its share of a
    ///   [budget](ProtocolError::OverBudget).
    /// - This endpoint closed, and the peer answered. The exceptions are the
    ///   [idle timeout](Cause::IdleTimeout) and a [full outbox](Cause::OutboxFull).
    /// - The peer's Close blames what this endpoint sent: with 1002, 1003, 1007, 1008, 1009 or 1010.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match (self.cause, self.initiator) {
            (Cause::Protocol(error), _) => error.is_transient(),
            (Cause::ClosingHandshake, Initiator::Local) => false,
            _ => !self.code.blames_recipient(),
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.cause, self.initiator) {
            (Cause::Protocol(error), _) => {
                write!(f, "failed with {}: {error}", error.close_code())
            }
            (Cause::ClosingHandshake, Initiator::Local) => {
                write!(f, "closed by this endpoint with {}", self.sent_code)?;
                write!(f, ", by the peer with {}", PeersClose(self))
            }
            (Cause::ClosingHandshake, _) => {
                write!(f, "closed by the peer with {}", PeersClose(self))?;
                write!(f, ", by this endpoint with {}", self.sent_code)
            }
            (Cause::Transport(how), Initiator::Peer) => {
                write!(f, "closed by the peer with {}", PeersClose(self))?;
                write!(f, ", but this endpoint's Close was not delivered: {how}")
            }
            (Cause::Transport(how), Initiator::Local) if self.code == CloseCode::ABNORMAL => {
                write!(f, "closed by this endpoint with {}", self.sent_code)?;
                write!(f, ", but the peer's Close did not arrive: {how}")
            }
            (Cause::Transport(how), Initiator::Local) => {
                write!(f, "closed by this endpoint with {}", self.sent_code)?;
                write!(f, ", by the peer with {}", PeersClose(self))?;
                write!(f, ", but this endpoint's Close was not delivered: {how}")
            }
            (Cause::Transport(how), Initiator::Transport) => {
                write!(f, "ended without a Close: {how}")
            }
            (why @ (Cause::IdleTimeout(_) | Cause::OutboxFull), _) => {
                write!(f, "closed by this endpoint with {} because {why}", self.sent_code)?;
                if self.code == CloseCode::ABNORMAL {
                    write!(f, ", but the peer's Close did not arrive")
                } else {
                    write!(f, ", by the peer with {}", PeersClose(self))
                }
            }
        }
    }
}

impl core::error::Error for Closed {}

/// The peer's code and its reason, if there is one.
struct PeersClose<'a>(&'a Closed);

impl fmt::Display for PeersClose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.code)?;
        if !self.0.reason.is_empty() {
            write!(f, " {:?}", self.0.reason)?;
        }
        Ok(())
    }
}
