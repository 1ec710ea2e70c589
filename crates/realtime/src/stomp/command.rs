//! The commands of clients and servers.

use super::version::Version;
use core::fmt;

/// The command of a frame. Commands are case sensitive.
///
/// ```
/// use sansocket_realtime::stomp::Command;
///
/// assert_eq!(Command::from_name("SEND"), Some(Command::Send));
/// assert!(Command::Send.is_client() && Command::Message.is_server());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Command {
    /// `CONNECT`: a client opens the session.
    Connect,
    /// `STOMP`: means the same as [`Connect`](Self::Connect), and can't be mistaken for HTTP (since 1.1).
    Stomp,
    /// `SEND`: a client publishes the body.
    Send,
    /// `SUBSCRIBE`: a client wants the messages of a destination.
    Subscribe,
    /// `UNSUBSCRIBE`: a client ends a subscription.
    Unsubscribe,
    /// `ACK`: a client has consumed a message.
    Ack,
    /// `NACK`: a client has not consumed a message (since 1.1).
    Nack,
    /// `BEGIN`: a client begins a transaction.
    Begin,
    /// `COMMIT`: a client commits a transaction.
    Commit,
    /// `ABORT`: a client rolls back a transaction.
    Abort,
    /// `DISCONNECT`: a client ends the session.
    Disconnect,
    /// `CONNECTED`: a server has opened the session.
    Connected,
    /// `MESSAGE`: a server delivers the body to a subscription.
    Message,
    /// `RECEIPT`: a server has processed a frame.
    Receipt,
    /// `ERROR`: a server refuses a frame, and then closes the connection.
    Error,
}

impl Command {
    /// The length in bytes of the longest command, `UNSUBSCRIBE`.
    pub(super) const LONGEST: usize = 11;

    const ALL: [Self; 15] = [
        Self::Send,
        Self::Message,
        Self::Ack,
        Self::Nack,
        Self::Receipt,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Begin,
        Self::Commit,
        Self::Abort,
        Self::Connect,
        Self::Connected,
        Self::Stomp,
        Self::Disconnect,
        Self::Error,
    ];

    /// Returns the name as it stands in a frame: `SEND`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Stomp => "STOMP",
            Self::Send => "SEND",
            Self::Subscribe => "SUBSCRIBE",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::Ack => "ACK",
            Self::Nack => "NACK",
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Abort => "ABORT",
            Self::Disconnect => "DISCONNECT",
            Self::Connected => "CONNECTED",
            Self::Message => "MESSAGE",
            Self::Receipt => "RECEIPT",
            Self::Error => "ERROR",
        }
    }

    /// Returns the command with this name, or `None` if there is none in any version.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.as_str() == name)
    }

    /// Returns `true` if servers send this command.
    #[must_use]
    pub const fn is_server(self) -> bool {
        matches!(self, Self::Connected | Self::Message | Self::Receipt | Self::Error)
    }

    /// Returns `true` if clients send this command.
    #[must_use]
    pub const fn is_client(self) -> bool {
        !self.is_server()
    }

    /// Returns `true` if frames with this command may have a body (1.2 §Body).
    #[must_use]
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Send | Self::Message | Self::Error)
    }

    /// Returns `true` if the version has this command.
    #[must_use]
    pub const fn is_in(self, version: Version) -> bool {
        !(matches!(version, Version::V1_0) && matches!(self, Self::Stomp | Self::Nack))
    }

    /// Returns `true` if the headers may contain escapes. Frames that open a session have none,
    /// because 1.0 has none (1.2 §Value Encoding). STOMP is handled in the manner of CONNECT
    /// (1.2 §CONNECT or STOMP Frame).
    pub(super) const fn is_escaped(self) -> bool {
        !matches!(self, Self::Connect | Self::Stomp | Self::Connected)
    }

    /// Returns how many bytes at the start of `bytes` are the start of some command.
    pub(super) fn longest_start(bytes: &[u8]) -> usize {
        let common = |command: &Self| {
            let pairs = command.as_str().bytes().zip(bytes);
            pairs.take_while(|(expected, byte)| expected == *byte).count()
        };
        Self::ALL.iter().map(common).max().unwrap_or(0)
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for command in Command::ALL {
            assert_eq!(Command::from_name(command.as_str()), Some(command));
            assert!(command.as_str().len() <= Command::LONGEST);
            assert_eq!(Command::longest_start(command.as_str().as_bytes()), command.as_str().len());
        }
        for name in ["", "send", "SEND ", "SENDS", "CONNECTE"] {
            assert_eq!(Command::from_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn the_start_of_a_command_is_found() {
        for (bytes, len) in [("", 0), ("GET", 0), ("SUBSCRIPTION", 7), ("CONNECTEDX", 9), ("Sx", 1)]
        {
            assert_eq!(Command::longest_start(bytes.as_bytes()), len, "{bytes:?}");
        }
    }

    #[test]
    fn nack_and_stomp_are_not_in_1_0() {
        let missing: Vec<_> =
            Command::ALL.into_iter().filter(|command| !command.is_in(Version::V1_0)).collect();
        assert_eq!(missing, [Command::Nack, Command::Stomp]);
        assert!(Command::ALL.iter().all(|command| command.is_in(Version::V1_1)));
    }
}
