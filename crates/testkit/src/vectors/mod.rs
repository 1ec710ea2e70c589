//! Runs the vectors of `tests/vectors`, whose `README.md` says what they look like: those of
//! messages here, those of opening handshakes in [`handshake`].

pub mod drive;
pub mod format;
pub mod handshake;
pub mod words;
