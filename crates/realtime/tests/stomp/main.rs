//! The codec of STOMP: the vectors of `tests/vectors/stomp`, and what holds for any frames and any bytes.

#[path = "../any_bytes/stomp.rs"]
mod any_bytes;
mod properties;
mod script;
mod vectors;
