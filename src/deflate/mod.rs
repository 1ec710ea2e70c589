//! Settings and negotiated parameters of permessage-deflate (RFC 7692).
//!
//! Set a [`DeflateConfig`] with [`Config::deflate`](crate::Config::deflate) to enable it. A [`ContextBudget`]
//! limits the memory that all connections of a server keep for it.

mod budget;
mod compressor;
mod config;
mod decompressor;
mod parameters;

pub use budget::ContextBudget;
pub(crate) use budget::Reservation;
pub(crate) use compressor::Compressor;
pub use config::DeflateConfig;
pub(crate) use decompressor::{Decompressor, Fault};
pub use parameters::{DeflateError, DeflateParameter, DeflateParameters};

/// The registered name of the extension (RFC 7692 §9.1).
pub(crate) const NAME: &str = "permessage-deflate";

/// The bytes at the end of a flushed compressor output: an empty stored block without its header. A
/// message omits them (RFC 7692 §7.2.1).
pub(crate) const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
