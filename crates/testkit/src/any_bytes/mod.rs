//! What must hold for any bytes at all, whether a fuzzer, chance or a vector gives them.
//!
//! Each check takes bytes, reads of the first of them how to go about the rest, and panics if
//! something does not hold. The fuzz targets call these and nothing else.

#[cfg(feature = "deflate")]
pub mod deflate;
pub mod handshake;
pub mod messages;
#[cfg(feature = "deflate")]
pub mod negotiation;
pub mod reference;
pub mod scenario;
