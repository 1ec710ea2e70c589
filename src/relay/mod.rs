//! Passing frames on between two peers, without IO: the core of a reverse proxy for WebSocket.
//!
//! A relay has a connection to a client and one to a server. It answers the client's opening handshake
//! with what the server has agreed to. From then on, it passes on the bytes of frames as they arrive,
//! without a change. So a frame of any size takes no more memory than one read, fragments keep their
//! borders, and a compressed message is not decompressed. Pings, pongs and Closes go from end to end.
//!
//! [`FrameRelay`] checks the frames of one direction. [`Relay`] consists of two of them and decides
//! how both connections end.
//!
//! # What is checked
//!
//! Everything that needs no payload of a message: headers, the order of fragments, masking by role, and
//! reserved bits (RFC 6455 §5). Of a Close, the code and the reason are checked as well. The text of
//! messages and compressed data are not: the endpoint that receives them checks them, and its Close
//! with 1007 goes through the relay like any other.
//!
//! # What to agree on
//!
//! The parameters of compression are between the two peers. So offer the server exactly what the client
//! offers, and answer the client with what the server has agreed to: with
//! [`ClientRequest::extension`](crate::handshake::ClientRequest::extension) and
//! [`Accept::extension`](crate::handshake::Accept::extension), or with `Connector::connect_parts` and
//! `PendingRequest::into_parts` of a shell.

mod direction;
mod end;
mod frames;
#[expect(clippy::module_inception, reason = "named after the type that it contains")]
mod relay;

pub use end::{RelayCause, RelayEnd};
pub use frames::{FrameRelay, Passage, Side};
pub use relay::{Relay, RelayNext};
