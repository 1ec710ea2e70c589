//! WebSocket (RFC 6455) as a sans-IO protocol.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

#[cfg(feature = "alloc")]
mod buffer;
#[cfg(feature = "alloc")]
mod connection;
mod frame;
#[cfg(feature = "alloc")]
mod handshake;
#[cfg(feature = "alloc")]
mod headers;
#[cfg(feature = "alloc")]
mod limits;
mod mask;
#[cfg(feature = "alloc")]
mod negotiated;
#[cfg(feature = "alloc")]
mod timers;
#[allow(unsafe_code)]
mod utf8;

pub use frame::*;
pub use mask::{MaskKey, MaskKeys, apply_mask};
pub use utf8::{Utf8Error, validate_utf8_prefix};
#[cfg(feature = "alloc")]
pub use {
    buffer::{ReadBuffer, WriteBuffer},
    connection::*,
    handshake::*,
    headers::{ExtensionError, HeaderError},
    limits::Limits,
    negotiated::Negotiated,
    utf8::Text,
};
