//! The blocking shell: over real sockets, and over a transport that does the least at every call.
#![cfg(feature = "std")]

#[cfg(feature = "deflate")]
mod deflate;
mod endings;
mod interrupted;
mod leaving;
mod opening;
mod plain;
mod reluctant;
mod sockets;
mod split;
mod stubborn;
