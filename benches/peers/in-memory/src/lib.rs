//! Times one library's codec in memory, without sockets.
//!
//! A contestant is a small program that calls [`run`] with what its library can do. It takes
//! commands on standard input, one line a measurement. So the measurements of many programs can be
//! interleaved, and a crash costs one cell of one table:
//!
//! ```text
//! > echo default binary 1024 10        work, variant, kind, payload bytes, milliseconds
//! < ok 73.25 0.000                     ns and allocations per message
//! > mask default 64 1 10               kernel, bytes, offset from an aligned address, milliseconds
//! < ok 2.31 0.000
//! < failed sent 3 of 256 messages      the answer to a wrong result
//! ```
//!
//! Each line creates a new connection. Its whole output is parsed and compared before it is timed.

mod allocations;
mod frames;
mod kernels;
mod messages;
mod passes;
mod payloads;
mod placement;
mod program;
mod wire;

pub use messages::{Message, Messages};
pub use program::run;
pub use wire::Wire;

use std::{future::Future, pin::Pin};

/// A connection at work. When polled, it must return `Pending` once the wire has no more input or
/// the source has no more messages. It must never complete.
pub type Work = Pin<Box<dyn Future<Output = ()>>>;

/// What one library can do in memory.
#[derive(Clone, Copy)]
pub struct Contestant {
    /// The library's name, as published.
    pub name: &'static str,
    /// The configurations to measure, `default` first.
    pub variants: &'static [Variant],
    /// Its public kernels.
    pub kernels: &'static [Kernel],
}

/// One piece of work on plain memory, with a name that is unique among the library's kernels.
#[derive(Clone, Copy)]
pub enum Kernel {
    /// XORs the bytes with a key that starts at the first byte.
    Mask(&'static str, fn(&mut [u8], [u8; 4])),
    /// Copies the second slice to the first.
    Copy(&'static str, fn(&mut [u8], &[u8])),
    /// Returns `true` if all bytes are valid UTF-8.
    Utf8(&'static str, fn(&[u8]) -> bool),
}

/// One configuration of a library.
#[derive(Clone, Copy)]
pub struct Variant {
    /// `default`, `tuned`, …
    pub name: &'static str,
    /// A server that echoes each message.
    pub echo: Option<fn(Wire) -> Work>,
    /// A client that sends the source's messages masked, and flushes when `next` returns `None`.
    pub client: Option<fn(Wire, Messages) -> Work>,
}

impl Variant {
    /// Returns `true` if the variant must validate UTF-8. The reference `bare` need not.
    fn validates(&self) -> bool {
        self.name != "bare"
    }
}
