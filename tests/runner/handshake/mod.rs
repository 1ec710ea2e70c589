//! Drives the opening handshakes through given bytes: those of vectors (`tests/vectors/README.md`),
//! of a fuzzer, or of chance.

pub(crate) mod check;
pub(crate) mod drive;
pub(crate) mod format;
