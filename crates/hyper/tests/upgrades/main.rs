//! Servers and clients of hyper against each other, against raw HTTP/1.1, and against raw streams of h2.

mod ends;
#[cfg(feature = "tracing")]
mod instrumentation;
mod opening;
mod refusals;
mod server;
mod traffic;
