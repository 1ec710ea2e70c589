//! Where a connection stands.

use core::fmt;

/// Where the connection of a client stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// There is none.
    Disconnected,
    /// CONNECT was sent or is queued, and was not answered yet.
    Connecting,
    /// The server has answered CONNECTED.
    Connected,
    /// DISCONNECT was sent or is queued, and was not answered yet. Messages still arrive.
    Disconnecting,
    /// The connection is over. Close the transport, and call
    /// [`connection_lost`](super::Client::connection_lost).
    Over,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "disconnected",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Disconnecting => "disconnecting",
            Self::Over => "over",
        })
    }
}
