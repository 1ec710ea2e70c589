//! A client's end of the opening handshake, without IO: how it connects.
//!
//! The shells' `Connector` is the one of this module. To connect over anything else, see
//! [`Connecting`].

mod connecting;
mod connector;
#[cfg(test)]
mod tests;

pub use connecting::Connecting;
pub use connector::Connector;
