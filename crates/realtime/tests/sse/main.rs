//! Server-Sent Events: the vectors, and what holds for any stream and for anything that happens to a
//! client.

#[path = "../any_bytes/sse.rs"]
mod any_bytes;
mod properties;
mod vectors;
