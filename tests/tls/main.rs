//! TLS in both shells and both roles: certificates, faults, endings, halves.
#![cfg(feature = "rustls")]

mod authority;
mod blocking;
mod byte_stream;
mod certificates;
#[cfg(feature = "tokio")]
mod flood;
#[cfg(feature = "futures-io")]
mod futures_io;
mod hostile;
mod proxies;
mod raw;
mod system;
#[cfg(feature = "tokio")]
mod tokio;
