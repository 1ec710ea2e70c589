//! A transport in memory: what is read comes from one prepared slice, again and again; what is
//! written is counted, and while it is checked also kept.

use base64::{Engine, prelude::BASE64_STANDARD};
use sha1::{Digest, Sha1};
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

/// What one read brings at most, as a socket would.
const LARGEST_READ: usize = 64 * 1024;

/// The transport that a contestant's connection is put on: for `std::io`, tokio and futures.
pub struct Wire {
    input: Arc<[u8]>,
    position: usize,
    /// Handshake bytes to be read before the input.
    head: Vec<u8>,
    head_position: usize,
    /// Written bytes of a handshake, until its head is whole.
    handshake: Option<Vec<u8>>,
    far_end: Arc<FarEnd>,
}

/// The harness's side of a wire.
#[derive(Default)]
pub(crate) struct FarEnd {
    /// How often the input may still be read from its start.
    pub(crate) passes: AtomicUsize,
    pub(crate) written: AtomicUsize,
    pub(crate) keeping: AtomicBool,
    pub(crate) kept: Mutex<Vec<u8>>,
}

impl Wire {
    pub(crate) fn new(input: Arc<[u8]>, far_end: Arc<FarEnd>) -> Self {
        let position = input.len();
        Self { input, position, head: Vec::new(), head_position: 0, handshake: None, far_end }
    }

    /// For a server that can't do without its own handshake: an upgrade request comes first, and
    /// its response isn't counted as output.
    pub fn with_request(mut self) -> Self {
        self.head = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\n\r\n"
            .to_vec();
        self.handshake = Some(Vec::new());
        self
    }

    /// For a client that can't do without its own handshake: its request is answered.
    pub fn with_response(mut self) -> Self {
        self.handshake = Some(Vec::new());
        self
    }

    /// Reads what is there; `None` is nothing now.
    fn next_input(&mut self, room: usize) -> Option<&[u8]> {
        if self.head_position < self.head.len() {
            let start = self.head_position;
            self.head_position = self.head.len().min(start + room);
            return Some(&self.head[start..self.head_position]);
        }
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
        if self.handshake.is_some() {
            return self.write_handshake(bytes);
        }
        let far_end = &self.far_end;
        far_end.written.store(far_end.written.load(Relaxed) + black_box(bytes).len(), Relaxed);
        if far_end.keeping.load(Relaxed) {
            far_end.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(bytes);
        }
    }

    fn write_handshake(&mut self, bytes: &[u8]) {
        let mut head = self.handshake.take().unwrap_or_default();
        head.extend(bytes);
        if !head.ends_with(b"\r\n\r\n") {
            self.handshake = Some(head);
        } else if head.starts_with(b"GET ") {
            self.head = response(&head);
        }
    }
}

fn response(request: &[u8]) -> Vec<u8> {
    let request = String::from_utf8_lossy(request);
    let key = request
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
        .map_or("", |(_, value)| value.trim());
    let mut sha1 = Sha1::new();
    sha1.update(key);
    sha1.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64_STANDARD.encode(sha1.finalize());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .into_bytes()
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.next_input(into.len()).ok_or(io::ErrorKind::WouldBlock)?;
        into[..bytes.len()].copy_from_slice(bytes);
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
        into.put_slice(bytes);
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
        into[..bytes.len()].copy_from_slice(bytes);
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
