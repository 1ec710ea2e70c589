//! A pipe for the tokio shell that fails in one direction, panics, can't be ended, or never makes its
//! reader wait.

use std::{
    cell::Cell,
    io::{self, ErrorKind},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// What is wrong with a transport.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// What writing fails with.
    pub write: Option<ErrorKind>,
    /// What reading fails with, once nothing is there to be read.
    pub read: Option<ErrorKind>,
    /// Whether reading panics.
    pub read_panics: bool,
    /// Whether ending the writing side is never ready.
    pub shutdown_waits: bool,
    /// It has these bytes to be read whenever it is asked, again and again, and never makes its
    /// reader wait.
    pub flood: &'static [u8],
}

/// A pipe whose other end is a pipe like others.
#[derive(Debug)]
pub struct Faulty {
    inner: DuplexStream,
    faults: Rc<Cell<Faults>>,
    /// Bytes of the flood that were read.
    flooded: usize,
    made: Instant,
}

impl Faulty {
    /// A pipe, and what is to go wrong with it: nothing yet.
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
            // The watchdog can't see what does not let its task wait.
            assert!(self.made.elapsed() < Duration::from_secs(30), "it is not left");
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
