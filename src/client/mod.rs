//! The client side of the opening handshake, without IO: how a client connects.
//!
//! The `Connector` of each shell is the one of this module. To do the IO yourself, see
//! [`Connecting`].

mod addresses;
#[cfg(feature = "std")]
mod attempt;
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
#[cfg(feature = "std")]
pub(crate) use attempt::Attempt;
#[cfg(feature = "std")]
pub use attempt::RedirectError;
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
