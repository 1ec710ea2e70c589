//! A transport in memory. Reads return one prepared slice repeatedly. Writes are counted, and kept
//! while they are being checked.

use std::{
    hint::black_box,
    io::{self, IoSlice, Read, Write},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes that one read returns, similar to a socket.
pub(crate) const LARGEST_READ: usize = 64 * 1024;

/// Input is copied in pieces of this size, which are too short for the processor's string
/// instructions. The speed of those depends on the page offsets of source and target, and a library
/// should not win or lose by such luck.
const PIECE: usize = 2048;

/// The transport of a contestant's connection, for `std::io`, tokio and futures.
pub struct Wire {
    input: Arc<[u8]>,
    position: usize,
    far_end: Arc<FarEnd>,
}

/// The harness's side of a wire.
#[derive(Default)]
pub(crate) struct FarEnd {
    /// How many more times the input may be read from its start.
    pub(crate) passes: AtomicUsize,
    pub(crate) written: AtomicUsize,
    pub(crate) keeping: AtomicBool,
    pub(crate) kept: Mutex<Vec<u8>>,
}

impl Wire {
    pub(crate) fn new(input: Arc<[u8]>, far_end: Arc<FarEnd>) -> Self {
        let position = input.len();
        Self { input, position, far_end }
    }

    /// Returns the next input, or `None` if nothing is available now.
    fn next_input(&mut self, room: usize) -> Option<&[u8]> {
        if self.position == self.input.len() {
            let passes = self.far_end.passes.load(Relaxed);
            if passes == 0 || self.input.is_empty() {
                return None;
            }
            self.far_end.passes.store(passes - 1, Relaxed);
            self.position = 0;
        }
        let start = self.position;
        self.position = self.input.len().min(start + room.min(LARGEST_READ));
        Some(&self.input[start..self.position])
    }

    fn write_out(&mut self, bytes: &[u8]) {
        let far_end = &self.far_end;
        far_end.written.store(far_end.written.load(Relaxed) + black_box(bytes).len(), Relaxed);
        if far_end.keeping.load(Relaxed) {
            far_end.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(bytes);
        }
    }
}

fn copy(from: &[u8], into: &mut [u8]) {
    for (from, into) in from.chunks(PIECE).zip(into.chunks_mut(PIECE)) {
        into.copy_from_slice(from);
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.next_input(into.len()).ok_or(io::ErrorKind::WouldBlock)?;
        copy(bytes, &mut into[..bytes.len()]);
        Ok(bytes.len())
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_out(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        for slice in slices {
            self.write_out(slice);
        }
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(bytes) = self.next_input(into.remaining()) else { return Poll::Pending };
        for piece in bytes.chunks(PIECE) {
            into.put_slice(piece);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl futures_io::AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(bytes) = self.next_input(into.len()) else { return Poll::Pending };
        copy(bytes, &mut into[..bytes.len()]);
        Poll::Ready(Ok(bytes.len()))
    }
}

impl futures_io::AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write_vectored(slices))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
