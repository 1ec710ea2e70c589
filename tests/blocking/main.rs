//! The blocking shell: over real sockets, and over a transport that does as little as allowed in
//! each call.
#![cfg(feature = "std")]

mod budget;
mod byte_stream;
mod connecting;
mod data_rate;
#[cfg(feature = "deflate")]
mod deflate;
mod endings;
mod idle;
mod interrupted;
mod keepalive;
mod leaving;
mod message_reader;
mod message_writer;
mod methods;
mod opening;
mod plain;
mod pushing;
mod reluctant;
mod serve;
mod sockets;
mod split;
mod stubborn;
