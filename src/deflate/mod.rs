//! permessage-deflate (RFC 7692): what the two ends agree on, and the two codecs.
//!
//! It knows nothing of frames or connections: parameters in, bytes in, bytes out.

mod compressor;
mod config;
mod decompressor;
mod parameters;

pub(crate) use compressor::Compressor;
pub use config::DeflateConfig;
pub(crate) use decompressor::{Decompressor, Fault};
pub use parameters::{DeflateError, DeflateParameter, DeflateParameters};

/// Its registered name (RFC 7692 §9.1).
pub(crate) const NAME: &str = "permessage-deflate";

/// What a compressor ends its output with at a flush: a stored block of no bytes, without its header.
/// A message leaves it out (RFC 7692 §7.2.1).
pub(crate) const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
