//! The server side of the opening handshake, without IO: how connections are accepted, the request
//! that waits for its answer, and what the clients of an address may do.
//!
//! The `Acceptor` and `PendingRequest` of each shell are those of this module. To do the IO
//! yourself, see [`Accepting`].

#[cfg(feature = "std")]
mod accept_loop;
mod accepting;
mod acceptor;
mod address_key;
mod address_table;
mod answer;
mod forwarded;
mod origin;
#[cfg(feature = "std")]
mod pending_request;
mod per_address;
mod plain;
mod proxies;
mod proxy_header;
#[cfg(feature = "std")]
mod receiving_proxy_header;
#[cfg(test)]
mod tests;

pub use crate::network::{Network, NetworkError};
pub use crate::rate::{Rate, TokenBucket};
#[cfg(feature = "std")]
pub(crate) use accept_loop::{AcceptFailure, AcceptFailures, Admission};
pub use accepting::{Accepting, Step};
pub use acceptor::Acceptor;
pub use address_key::AddressKey;
pub use address_table::{AddressTable, Verdict};
pub use forwarded::ForwardingHeader;
pub use origin::{OriginPatternError, OriginPolicy};
#[cfg(feature = "std")]
pub use pending_request::PendingRequest;
pub use per_address::{AddressLimit, PerAddress};
#[cfg(feature = "std")]
pub(crate) use proxies::Peer;
pub use proxies::TrustedProxies;
pub use proxy_header::{ProxyHeader, ProxyHeaderError};
#[cfg(feature = "std")]
pub(crate) use receiving_proxy_header::ReceivingProxyHeader;
