//! The client side of the opening handshake, without IO: how a client connects.
//!
//! The `Connector` of each shell is the one of this module. To do the IO yourself, see
//! [`Connecting`].

mod addresses;
mod backoff;
mod connecting;
mod connector;
mod deadlines;
mod proxy;
#[cfg(feature = "std")]
mod socket_options;
#[cfg(test)]
mod tests;

pub use addresses::{Addresses, NextAddress};
pub use backoff::Backoff;
pub use connecting::Connecting;
pub use connector::Connector;
#[cfg(feature = "std")]
pub(crate) use deadlines::Deadlines;
pub use deadlines::Stage;
pub use proxy::{Proxies, Proxy, ProxyError, ProxyUrlError, SocksReply, Tunneling};
#[cfg(feature = "std")]
pub(crate) use socket_options::SocketOptions;
#[cfg(feature = "socket2")]
pub use socket_options::TcpKeepalive;
