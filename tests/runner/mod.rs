//! Runs conformance vectors (`tests/vectors/README.md`) through this crate.

pub(crate) mod drive;
pub(crate) mod format;
