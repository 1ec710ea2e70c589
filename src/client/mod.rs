//! The client side of the opening handshake, without IO: how a client connects.
//!
//! The `Connector` of each shell is the one of this module. To do the IO yourself, see
//! [`Connecting`].

mod addresses;
mod backoff;
mod connecting;
mod connector;
#[cfg(test)]
mod tests;

pub use addresses::{Addresses, NextAddress};
pub use backoff::Backoff;
pub use connecting::Connecting;
pub use connector::Connector;
