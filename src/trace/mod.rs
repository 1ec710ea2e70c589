//! What the shells tell the crate `tracing`: a span for each connection, and events for how it opens
//! and ends. None of it is on the path of a message.
//!
//! Without the feature `tracing`, the same items are here and do nothing, so that shells don't ask
//! for the feature.

#[cfg(feature = "tracing")]
mod described;
#[cfg(feature = "tracing")]
mod emitting;
#[cfg(not(feature = "tracing"))]
mod silent;

#[cfg(feature = "tracing")]
pub(crate) use emitting::{Trace, accept_failed, connect_failed, refused};
#[cfg(not(feature = "tracing"))]
pub(crate) use silent::{Trace, accept_failed, connect_failed, refused};
