//! Times one library's codec in memory: nothing but bytes in and bytes out.
//!
//! A contestant is a small program that calls [`run`] with what its library can do. It is driven
//! over standard input, one line a measurement, so that the measurements of many programs can be
//! interleaved and a crash costs one cell of one table:
//!
//! ```text
//! > echo default binary 1024 10        work, variant, kind, payload bytes, milliseconds
//! < ok 73.25 0.000                     ns and allocations a message
//! > mask default 64 1 10               kernel, bytes, offset from an aligned address, milliseconds
//! < ok 2.31 0.000
//! < failed echoed 3 of 256 messages    what a wrong answer looks like
//! ```
//!
//! Each line makes a connection of its own; before it is timed its whole output is parsed and
//! compared.

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

/// A connection at work. It is polled, and is to return `Pending` when the wire has no more
/// input, or the source no more messages; never to end.
pub type Work = Pin<Box<dyn Future<Output = ()>>>;

/// What one library can do in memory.
#[derive(Clone, Copy)]
pub struct Contestant {
    /// The library's name, as published.
    pub name: &'static str,
    /// The configurations it is measured in, `default` first.
    pub variants: &'static [Variant],
    /// Its kernels, so far as they are public.
    pub kernels: &'static [Kernel],
}

/// One piece of work on plain memory, with a name that tells it from others of the library.
#[derive(Clone, Copy)]
pub enum Kernel {
    /// XORs with a key that begins at the first byte.
    Mask(&'static str, fn(&mut [u8], [u8; 4])),
    /// Copies.
    Copy(&'static str, fn(&mut [u8], &[u8])),
    /// Whether all of it is UTF-8.
    Utf8(&'static str, fn(&[u8]) -> bool),
}

/// One configuration of a library.
#[derive(Clone, Copy)]
pub struct Variant {
    /// `default`, `tuned`, …
    pub name: &'static str,
    /// A server that sends each message back as it came.
    pub echo: Option<fn(Wire) -> Work>,
    /// A client that sends the messages of the source, masked, and flushes when it runs dry.
    pub client: Option<fn(Wire, Messages) -> Work>,
}

impl Variant {
    /// Limits may leave that out: they are not peers.
    fn validates(&self) -> bool {
        self.name != "bare"
    }
}
