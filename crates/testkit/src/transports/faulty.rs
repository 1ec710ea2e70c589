//! A pipe for the tokio shell that fails in one direction, panics, can't be ended, or always has
//! input.

use std::{
    cell::Cell,
    io::{self, ErrorKind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The faults of a transport.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The error of writing.
    pub write: Option<ErrorKind>,
    /// The error of reading once no bytes are left.
    pub read: Option<ErrorKind>,
    /// Whether reading panics.
    pub read_panics: bool,
    /// Whether ending the writing side never completes.
    pub shutdown_waits: bool,
    /// Bytes that can be read again and again, so that a reader never waits.
    pub flood: &'static [u8],
}

/// A pipe with faults, whose other end is an ordinary pipe.
#[derive(Debug)]
pub struct Faulty {
    inner: DuplexStream,
    faults: Rc<Cell<Faults>>,
    /// The number of bytes of the flood that were read.
    flooded: usize,
    made: Instant,
}

impl Faulty {
    /// Returns a faulty pipe and its faults, of which there are none at first.
    pub fn new(inner: DuplexStream) -> (Self, Rc<Cell<Faults>>) {
        let faults = Rc::default();
        let faulty = Self { inner, faults: Rc::clone(&faults), flooded: 0, made: Instant::now() };
        (faulty, faults)
    }
}

impl AsyncRead for Faulty {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Faults { read, read_panics, flood, .. } = self.faults.get();
        assert!(!read_panics, "this transport panics");
        if !flood.is_empty() {
            // The watchdog of the test can't interrupt a task that never waits.
            assert!(self.made.elapsed() < Duration::from_secs(30), "the reader never stops");
            let (from, len) = (self.flooded % flood.len(), buffer.remaining());
            buffer.put_slice(&flood[from..flood.len().min(from + len)]);
            self.flooded += flood.len().min(from + len) - from;
            return Poll::Ready(Ok(()));
        }
        match (Pin::new(&mut self.inner).poll_read(cx, buffer), read) {
            (Poll::Pending, Some(kind)) => Poll::Ready(Err(kind.into())),
            (outcome, _) => outcome,
        }
    }
}

impl AsyncWrite for Faulty {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.faults.get().write {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => Pin::new(&mut self.inner).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.faults.get().shutdown_waits {
            return Poll::Pending;
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
