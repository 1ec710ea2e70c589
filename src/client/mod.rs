//! The client side of the opening handshake, without IO: how a client connects.
//!
//! The `Connector` of each shell is the one of this module. To do the IO yourself, see
//! [`Connecting`].
//!
//! [`Reconnecting`] decides when a client that has lost its connection connects again, and when it
//! gives up.

mod addresses;
#[cfg(feature = "std")]
mod attempt;
mod backoff;
mod challenge;
mod connecting;
mod connector;
mod deadlines;
mod message_queue;
mod proxy;
mod reconnect_config;
mod reconnecting;
#[cfg(feature = "std")]
mod socket_options;
#[cfg(test)]
mod tests;

pub use addresses::{Addresses, NextAddress};
#[cfg(feature = "std")]
pub use attempt::RedirectError;
#[cfg(feature = "std")]
pub(crate) use attempt::{Attempt, NextRequest};
pub use backoff::Backoff;
pub use challenge::Challenge;
pub use connecting::Connecting;
pub use connector::Connector;
#[cfg(feature = "std")]
pub(crate) use deadlines::Deadlines;
pub use deadlines::Stage;
pub use message_queue::EnqueueError;
pub use proxy::{
    Proxies, Proxy, ProxyError, ProxyUrlError, ProxyVariableError, SocksReply, Tunneling,
};
pub use reconnect_config::ReconnectConfig;
pub use reconnecting::{GiveUp, NextAttempt, ReconnectNext, Reconnecting, Retry};
#[cfg(feature = "std")]
pub(crate) use socket_options::SocketOptions;
#[cfg(feature = "socket2")]
pub use socket_options::TcpKeepalive;
