//! What an async shell brings of its own: how its streams are read and written, and its timer.

use core::{
    task::{Context, Poll},
    time::Duration,
};
use std::io::{self, IoSlice};

/// An async runtime: a type without values, by which it is named.
///
/// To put the connections of this module on another runtime than tokio, implement this for such a
/// type, and [`Shell`] for the streams of that runtime.
pub trait Runtime: Sized + 'static {
    /// What waits for deadlines.
    type Timer: Timer;
}

/// A runtime's way to use streams of type `S`.
///
/// `sansocket::tokio` has one for all that is tokio's `AsyncRead` and `AsyncWrite`.
pub trait Shell<S>: Runtime {
    /// Reads once into the front of `into`; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    fn poll_read(stream: &mut S, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes once.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    fn poll_write(stream: &mut S, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>>;

    /// Writes once, of several slices.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    fn poll_write_vectored(
        stream: &mut S,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Whether [`poll_write_vectored`](Self::poll_write_vectored) takes more than one slice at a
    /// time.
    fn is_write_vectored(stream: &S) -> bool;

    /// Writes what the stream itself holds back.
    ///
    /// # Errors
    ///
    /// Those of the stream.
    fn poll_flush(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the writing side.
    ///
    /// # Errors
    ///
    /// Those of the stream; [`io::ErrorKind::Unsupported`] if it has no half-close.
    fn poll_shutdown(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The clock of one connection, and what waits by it. One is made when a deadline first runs.
pub trait Timer: Default {
    /// The time since any moment that stays the same for this timer.
    fn now(&self) -> Duration;

    /// Waits until [`now`](Self::now) has come to `moment`; for ever, if that is farther away than
    /// can be told.
    fn poll_until(&mut self, moment: Duration, cx: &mut Context<'_>) -> Poll<()>;
}
