//! The tokio shell.
#![cfg(feature = "tokio")]

mod cuts;
mod deadlines;
mod endings;
mod faults;
mod half_close;
mod handshake;
mod pairs;
mod sockets;
mod split;
