//! A server's end of the opening handshake, without IO: how connections are accepted, and the
//! request that waits for its answer.
//!
//! The shells' `Acceptor` and `Opening` are those of this module. To accept connections on anything
//! else, see [`Accepting`].

mod accepting;
mod acceptor;
mod answer;
#[cfg(feature = "std")]
mod opening;
mod origin;
#[cfg(test)]
mod tests;

pub use accepting::{Accepting, Step};
pub use acceptor::Acceptor;
#[cfg(feature = "std")]
pub use opening::Opening;
pub use origin::{OriginPatternError, OriginPolicy};
