//! How a relayed connection ended.

use super::Side;
use crate::connection::ProtocolError;
use crate::frame::CloseCode;
use core::fmt;

/// How a relayed connection ended: what [`Relay::next`](super::Relay::next) returns at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayEnd {
    /// Why it ended: what happened first.
    pub cause: RelayCause,
    /// The code of the client's Close; `None` if the client sent no Close.
    /// [`CloseCode::NO_STATUS_RECEIVED`] stands for a Close without a code.
    pub client_code: Option<CloseCode>,
    /// The code of the server's Close, in the same way.
    pub server_code: Option<CloseCode>,
}

/// Why a relayed connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelayCause {
    /// This side sent a Close. Whether the other one answered, its code tells.
    Closed(Side),
    /// The transport to this side ended or failed without a Close.
    Lost(Side),
    /// This side violated RFC 6455 or a limit.
    Fault(Side, ProtocolError),
    /// The relay closed both connections: [`Relay::close`](super::Relay::close).
    Relay,
}

impl RelayEnd {
    /// Returns `true` if both sides sent a Close and neither was at fault.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        matches!(self.cause, RelayCause::Closed(_))
            && self.client_code.is_some()
            && self.server_code.is_some()
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

impl fmt::Display for RelayCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(side) => write!(f, "the {side} closed"),
            Self::Lost(side) => write!(f, "the {side} was lost"),
            Self::Fault(side, error) => write!(f, "the {side} is at fault: {error}"),
            Self::Relay => f.write_str("the relay closed"),
        }
    }
}

impl fmt::Display for RelayEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)?;
        for (side, code) in [(Side::Client, self.client_code), (Side::Server, self.server_code)] {
            match code {
                Some(code) => write!(f, "; {side}: {code}")?,
                None => write!(f, "; {side}: no Close")?,
            }
        }
        Ok(())
    }
}
