//! Drives this crate through given bytes: those of conformance vectors
//! (`tests/vectors/README.md`), of a fuzzer, or of chance.
#![allow(dead_code, reason = "each user of it uses its part")]

pub(crate) mod check;
#[cfg(feature = "deflate")]
pub(crate) mod deflate;
pub(crate) mod drive;
pub(crate) mod format;
pub(crate) mod handshake;
#[cfg(feature = "deflate")]
pub(crate) mod negotiation;
pub(crate) mod reference;
pub(crate) mod scenario;
