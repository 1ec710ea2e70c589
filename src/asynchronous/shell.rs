//! The traits that connect this module to an async runtime: how to read and write its streams, and
//! its timer.

use crate::transport::IoFailure;
use core::{
    fmt,
    task::{Context, Poll},
    time::Duration,
};
use std::io::{self, IoSlice};

/// An async runtime, represented by a type without values.
///
/// To use the connections of this module on a runtime whose streams have traits of their own,
/// implement this trait for such a type, and [`Shell`] for the streams of the runtime. Then
/// [`Connector`](crate::client::Connector) and [`Acceptor`](crate::server::Acceptor) have their
/// async methods for your runtime too, once you name it:
/// `let connector: Connector<MyRuntime> = Connector::new()`, and
/// `connector.connect_over(url, stream)`. With [`Sockets`](super::Sockets), they also connect and accept
/// over TCP.
pub trait Runtime: Sized + 'static {
    /// The clock that waits for deadlines.
    type Timer: Timer;

    /// Calls `act`, which polls many streams, one after another. If your runtime limits how many
    /// operations a task may do before it gives others a turn, exempt `act` from that: it would see
    /// streams as not ready that are. A [`Group`](super::Group) writes to its members in this way.
    ///
    /// The default just calls `act`.
    fn exempt<T>(act: impl FnOnce() -> T) -> T {
        act()
    }
}

/// The way a runtime uses streams of type `S`.
///
/// `sansocket::on_tokio` implements this for every stream that is tokio's `AsyncRead` and
/// `AsyncWrite`, and `sansocket::on_futures_io` for every stream with the traits of `futures-io`.
///
/// Return the errors of the stream as they are. If the stream is not ready, return `Pending`, not an
/// error.
pub trait Shell<S>: Runtime {
    /// Reads once into the front of `into`. Returns 0 at the end of the stream.
    fn poll_read(stream: &mut S, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes once.
    fn poll_write(stream: &mut S, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>>;

    /// Writes once, from several slices.
    fn poll_write_vectored(
        stream: &mut S,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Returns `true` if [`poll_write_vectored`](Self::poll_write_vectored) writes more than one
    /// slice at a time. If this is false, small pieces are first copied together, so that a header
    /// does not leave in a write of its own. If this is true although the stream writes only one
    /// slice at a time, headers do leave in writes of their own.
    fn is_write_vectored(stream: &S) -> bool;

    /// Flushes the bytes that the stream itself buffers.
    fn poll_flush(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Ends the writing side of the stream. Return [`io::ErrorKind::Unsupported`] if the stream has
    /// no half-close.
    ///
    /// `poll_close` of the crate `futures` is suitable if it half-closes. If this returns `Ready`
    /// but ends nothing, a server waits for its client until the close timeout.
    fn poll_shutdown(stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// The clock of one connection, which also waits for deadlines.
///
/// A connection creates its timer with `default` when its first deadline starts. If your clock is
/// not the system's, `default` must be able to find it, for example in a thread local.
pub trait Timer: Default + fmt::Debug {
    /// Returns the time since an arbitrary moment that stays the same for this timer.
    fn now(&self) -> Duration;

    /// Waits until [`now`](Self::now) reaches `moment`, or without limit if `moment` is too far
    /// away to be represented. Only the last call counts, with its moment and the task of its
    /// context.
    fn poll_until(&mut self, moment: Duration, cx: &mut Context<'_>) -> Poll<()>;
}

/// Classifies an error of a stream.
pub(super) fn failure(error: &io::Error) -> IoFailure {
    match IoFailure::from(error) {
        // An error, unlike `Pending`, wakes no task when the stream becomes ready.
        IoFailure::NotReady => IoFailure::Other,
        failure => failure,
    }
}
