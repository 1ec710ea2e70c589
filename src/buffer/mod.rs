//! The two buffers between a transport and the protocol, which their user owns.
//!
//! They know nothing of WebSocket: bytes are put in at one end and taken at the other.

mod read;
mod write;

pub use read::ReadBuffer;
pub use write::WriteBuffer;
