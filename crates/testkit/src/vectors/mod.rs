//! Runs the vectors of `tests/vectors`, whose `README.md` describes the format. [`handshake`] has
//! those of opening handshakes; the rest of this module has those of messages.

pub mod drive;
pub mod format;
pub mod handshake;
pub mod scripts;
pub mod words;
