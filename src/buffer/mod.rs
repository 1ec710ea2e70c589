//! The two buffers between a transport and the protocol, which their user owns.
//!
//! They know nothing of WebSocket: bytes are put in at one end and taken at the other. Nor do they know
//! where their memory comes from: see [`Memory`].

#[cfg(feature = "deflate")]
mod inflated;
pub(crate) mod memory;
mod read;
#[cfg(feature = "std")]
pub(crate) mod store;
mod write;

pub use memory::Memory;
pub use read::ReadBuffer;
#[cfg(feature = "std")]
pub(crate) use write::LEAST_UNBROKEN;
pub(crate) use write::MOST_UNBROKEN;
pub use write::WriteBuffer;

/// Memory above this goes back once it is not needed.
pub(crate) const RETAINED: usize = 64 * 1024;

/// Room that the shells read into: small messages stay in the processor's first cache.
#[cfg(feature = "std")]
pub(crate) const READ_ROOM: usize = 20 * 1024;
