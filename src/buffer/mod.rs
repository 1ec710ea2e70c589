//! The two buffers between a transport and the protocol. You own them.
//!
//! The buffers are independent of WebSocket: bytes enter at one end and leave at the other. They
//! are also independent of where their memory comes from: see [`Memory`].

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

/// The size in bytes above which memory is released once it is not needed.
pub(crate) const RETAINED: usize = 64 * 1024;

/// The room that the shells read into. Small messages stay in the processor's L1 cache.
#[cfg(feature = "std")]
pub(crate) const READ_ROOM: usize = 20 * 1024;
