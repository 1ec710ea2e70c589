//! Which side began to end a connection.

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
