//! The transports to a client.

/// How frames travel to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// Each frame is a text message of a WebSocket.
    WebSocket,
    /// Each frame is a response of its own.
    #[doc(alias = "xhr-polling")]
    Xhr,
    /// Each frame is a line of a response that goes on.
    #[doc(alias = "xhr-streaming")]
    XhrStreaming,
    /// Each frame is an event of Server-Sent Events.
    EventSource,
}
