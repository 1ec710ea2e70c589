//! What an async shell brings of its own: how its streams are read and written, and its timer.

use crate::transport::IoFailure;
use core::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};
use std::io::{self, IoSlice};

/// An async runtime: a type without values, by which it is named.
///
/// To put the connections of this module on another runtime than tokio, implement this for such a
/// type, and [`Shell`] for the streams of that runtime. Then [`Connector`](crate::client::Connector)
/// and [`Acceptor`](crate::server::Acceptor) have the methods of `sansocket::tokio` for it, if you name
/// it: `let connector: Connector<MyRuntime> = Connector::new()`, and
/// `connector.connect_over(stream, url)`.
pub trait Runtime: Sized + 'static {
    /// What waits for deadlines.
    type Timer: Timer;
}

/// A runtime's way to use streams of type `S`.
///
/// `sansocket::tokio` has one for all that is tokio's `AsyncRead` and `AsyncWrite`. Errors are those of the
/// stream; one that is not ready says so by `Pending`.
pub trait Shell<S>: Runtime {
    /// Reads once into the front of `into`; 0 is the end of the stream.
    fn poll_read(stream: &mut S, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes once.
    fn poll_write(stream: &mut S, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>>;

    /// Writes once, of several slices.
    fn poll_write_vectored(
        stream: &mut S,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Whether [`poll_write_vectored`](Self::poll_write_vectored) takes more than one slice at a
    /// time. If it is false, bytes are copied together, so that a header does not leave in a write of its
    /// own; if it is true of a stream that takes one slice, that happens.
    fn is_write_vectored(stream: &S) -> bool;

    /// Writes what the stream itself holds back.
    fn poll_flush(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the writing side; [`io::ErrorKind::Unsupported`] if the stream has no half-close. `poll_close` of
    /// the crate `futures` does it where that half-closes. One that is ready and ends nothing makes a
    /// server wait for its client until the close timeout.
    fn poll_shutdown(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The clock of one connection, and what waits by it. One is made when a deadline first runs, by
/// `default`: a clock that is not the system's has to be found there, for example in a thread local.
pub trait Timer: Default + fmt::Debug {
    /// The time since any moment that stays the same for this timer.
    fn now(&self) -> Duration;

    /// Waits until [`now`](Self::now) has come to `moment`; for ever, if that is farther away than
    /// can be told. Only the last call counts: its moment, and the task of its context.
    fn poll_until(&mut self, moment: Duration, cx: &mut Context<'_>) -> Poll<()>;
}

/// What is known of a stream that fails so.
pub(super) fn failure(error: &io::Error) -> IoFailure {
    match IoFailure::from(error) {
        // By an error nobody is told when it is ready.
        IoFailure::NotReady => IoFailure::Other,
        failure => failure,
    }
}
