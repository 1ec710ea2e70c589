//! The two endpoints of a connection. One is often a bare stream, for a peer played by hand.

#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "tokio")]
pub mod tokio;
