//! Apps of axum against clients of both versions of HTTP, over pipes in memory and over TCP.

mod connections;
mod opening;
mod origins;
mod refusals;
mod server;
mod settings;
mod shutdown;
