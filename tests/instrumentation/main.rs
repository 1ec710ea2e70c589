//! What the feature `tracing` tells: a span for each connection, events for how it opens and ends, and
//! nothing that only the two endpoints should know.
#![cfg(all(feature = "tracing", feature = "tokio"))]

mod blocking;
mod ends;
#[cfg(feature = "futures-io")]
mod futures_io;
mod opening;
mod recorder;
#[cfg(feature = "rustls")]
mod tls;
