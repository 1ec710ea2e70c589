//! Runs the vectors of opening handshakes.

pub mod drive;
pub mod format;
