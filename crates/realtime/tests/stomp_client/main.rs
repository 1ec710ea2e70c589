//! The client's machine of STOMP: vectors, properties, and the server's session at the other end.

#[path = "../any_bytes/stomp_client.rs"]
mod any_bytes;
mod machine;
mod model;
mod properties;
mod script;
mod server;
mod vectors;
