//! Two ends of a connection, one of them often a bare stream, for a peer that is made by hand.

#[cfg(feature = "std")]
pub mod blocking;
#[cfg(feature = "tokio")]
pub mod tokio;
