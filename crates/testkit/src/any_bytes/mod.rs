//! Properties that hold for arbitrary bytes, whether from a fuzzer, a random generator or a vector.
//!
//! Each check takes bytes, reads its parameters from the first of them, and panics if a property
//! does not hold. The fuzz targets only call these checks.

#[cfg(feature = "deflate")]
pub mod deflate;
pub mod handshake;
pub mod messages;
#[cfg(feature = "deflate")]
pub mod negotiation;
pub mod proxies;
pub mod reference;
pub mod relay;
pub mod scenario;
