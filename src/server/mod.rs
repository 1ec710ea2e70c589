//! The server side of the opening handshake, without IO: how connections are accepted, and the
//! request that waits for its answer.
//!
//! The `Acceptor` and `PendingRequest` of each shell are those of this module. To do the IO
//! yourself, see [`Accepting`].

#[cfg(feature = "std")]
mod accept_loop;
mod accepting;
mod acceptor;
mod answer;
mod origin;
#[cfg(feature = "std")]
mod pending_request;
mod plain;
#[cfg(test)]
mod tests;

#[cfg(feature = "std")]
pub(crate) use accept_loop::{AcceptFailure, AcceptFailures, Admission};
pub use accepting::{Accepting, Step};
pub use acceptor::Acceptor;
pub use origin::{OriginPatternError, OriginPolicy};
#[cfg(feature = "std")]
pub use pending_request::PendingRequest;
