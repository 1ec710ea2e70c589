//! How a connection ends, as data (RFC 6455 §7).

use super::error::ProtocolError;
use crate::frame::CloseCode;
use alloc::string::String;
use core::fmt;

/// How far the closing handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the states of RFC 6455 §7.1.3")]
pub enum State {
    /// Messages go both ways.
    Open,
    /// This end has sent its Close: it sends no more messages, but still receives them.
    CloseSent,
    /// Both Closes are on their way or there, or the connection has failed: what remains is to
    /// write what is queued and to end the transport.
    Closed,
}

/// How the transport came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportEnd {
    /// The peer ended its side in order.
    Eof,
    /// The transport broke.
    Reset,
    /// TLS ended without its own closing message: what came may be cut short.
    TlsTruncated,
    /// The peer did not do in time what it had to, and this end gave up.
    Timeout,
    /// This end dropped the transport.
    Dropped,
}

impl fmt::Display for TransportEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eof => "the peer ended the transport",
            Self::Reset => "the transport was reset",
            Self::TlsTruncated => "TLS ended without its closing message",
            Self::Timeout => "the peer did not finish in time",
            Self::Dropped => "this end dropped the transport",
        })
    }
}

/// Who began to end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two ends and what is between them")]
pub enum Initiator {
    /// This end, by its Close or by failing the connection.
    Local,
    /// The peer, by its Close.
    Peer,
    /// Neither: the transport ended with no Close sent or received.
    Transport,
}

/// What ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The closing handshake was completed.
    ClosingHandshake,
    /// This end failed the connection for what the peer did.
    Protocol(ProtocolError),
    /// The transport ended before the closing handshake was completed.
    Transport(TransportEnd),
}

/// How a connection ended.
///
/// It says nothing of what becomes of the transport after that.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The code of the peer's Close (RFC 6455 §7.1.5): [`CloseCode::NO_STATUS_RECEIVED`] if it had
    /// none, [`CloseCode::ABNORMAL`] if no Close came.
    pub code: CloseCode,
    /// The reason in the peer's Close (RFC 6455 §7.1.6).
    pub reason: String,
    /// The code of this end's Close: [`CloseCode::NO_STATUS_RECEIVED`] if it had none,
    /// [`CloseCode::ABNORMAL`] if this end queued no Close. Whether the Close could still be written,
    /// only a [`clean`](Self::clean) end says.
    pub sent_code: CloseCode,
    /// Who began.
    pub initiator: Initiator,
    /// Whether the closing handshake was completed (RFC 6455 §7.1.4): nothing that either end sent
    /// before its Close was lost.
    pub clean: bool,
    /// What ended it.
    pub cause: Cause,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::ClosingHandshake if self.initiator == Initiator::Local => {
                write!(f, "closed by this end with {}", self.sent_code)?;
                write!(f, ", by the peer with {}", self.code)?;
            }
            Cause::ClosingHandshake => {
                write!(f, "closed by the peer with {}", self.code)?;
                write!(f, ", by this end with {}", self.sent_code)?;
            }
            Cause::Protocol(error) => write!(f, "failed with {}: {error}", error.close_code())?,
            Cause::Transport(how) => {
                write!(f, "ended without a closing handshake: {how}")?;
                if self.sent_code != CloseCode::ABNORMAL {
                    write!(f, ", after this end's close with {}", self.sent_code)?;
                }
                if self.code != CloseCode::ABNORMAL {
                    write!(f, ", after the peer's close with {}", self.code)?;
                }
            }
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}
