//! A wire in memory for the tokio shell. Its ends do as little at a time as configured, and it
//! records all calls. [`crate::polling`] runs its users.

use sansocket::{
    Config, buffer::ReadBuffer, connection::Role, handshake::Negotiated, on_tokio::WebSocket,
};
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The behavior of an end of a wire.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// The most bytes that a read or write moves.
    pub most: usize,
    /// The number of reads, writes or flushes that succeed between two that are pending.
    pub steps: usize,
    /// How a write of several slices behaves.
    pub vectored: Vectored,
    /// The error of each write.
    pub write_error: Option<ErrorKind>,
    /// The error of each flush.
    pub flush_error: Option<ErrorKind>,
    /// The error of each read.
    pub read_error: Option<ErrorKind>,
}

/// How a write of several slices behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectored {
    /// Does not support vectored writes, and says so: takes the first slice. After a pending write,
    /// the next write must offer the same bytes again, as a TLS library may require. The other
    /// variants only require the same beginning.
    No,
    /// Claims to support vectored writes, but takes only the first slice.
    FirstOnly,
    /// Takes all slices.
    All,
}

/// Moves everything at once.
pub const EAGER: Manner = Manner {
    most: usize::MAX,
    steps: usize::MAX,
    vectored: Vectored::All,
    write_error: None,
    flush_error: None,
    read_error: None,
};

/// Pending before every byte.
pub const DRIP: Manner = Manner { most: 1, steps: 1, ..EAGER };

/// One of the two directions.
#[derive(Debug)]
struct Direction {
    bytes: VecDeque<u8>,
    /// The number of bytes that may be in flight.
    room: usize,
    ended: bool,
    /// The last waker on either side, since transports keep only one.
    reader: Option<Waker>,
    writer: Option<Waker>,
    reads: usize,
    /// The length of each write.
    writes: Vec<usize>,
    flushes: usize,
}

/// Both directions. The side that writes names a direction: [`CLIENT`] or [`SERVER`].
#[derive(Clone, Debug)]
pub struct Wire(Arc<Mutex<[Direction; 2]>>);

/// One end of a wire.
#[derive(Debug)]
pub struct End {
    wire: Wire,
    /// The direction that this endpoint writes to.
    side: usize,
    manner: Manner,
    /// The number of steps before the next pending one: of reads, of writes, of flushes.
    left: [usize; 3],
    /// The bytes offered to the last write that was pending.
    offered: Vec<u8>,
}

/// The side of the client.
pub const CLIENT: usize = 0;
/// The side of the server.
pub const SERVER: usize = 1;

impl Default for Wire {
    fn default() -> Self {
        Self::new()
    }
}

impl Wire {
    /// Returns a wire with unlimited capacity.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new([CLIENT, SERVER].map(|_| Direction {
            bytes: VecDeque::new(),
            room: usize::MAX,
            ended: false,
            reader: None,
            writer: None,
            reads: 0,
            writes: Vec::new(),
            flushes: 0,
        }))))
    }

    /// Returns one of the ends. Dropping it ends the direction that it writes to.
    pub fn end(&self, side: usize, manner: Manner) -> End {
        let left = [0; 3].map(|_| Self::fresh(manner));
        End { wire: self.clone(), side, manner, left, offered: Vec::new() }
    }

    /// The first step of all is pending too.
    fn fresh(manner: Manner) -> usize {
        if manner.steps == usize::MAX { usize::MAX } else { 0 }
    }

    fn lock(&self) -> MutexGuard<'_, [Direction; 2]> {
        self.0.lock().unwrap()
    }

    /// Puts bytes in flight from `side`.
    pub fn put(&self, side: usize, bytes: &[u8]) {
        let mut directions = self.lock();
        directions[side].bytes.extend(bytes);
        wake(&mut directions[side].reader);
    }

    /// Takes all bytes in flight from `side`.
    pub fn take(&self, side: usize) -> Vec<u8> {
        let mut directions = self.lock();
        wake(&mut directions[side].writer);
        directions[side].bytes.drain(..).collect()
    }

    /// Ends the direction from `side`.
    pub fn finish(&self, side: usize) {
        let mut directions = self.lock();
        directions[side].ended = true;
        wake(&mut directions[side].reader);
    }

    /// Returns the number of bytes in flight from `side`.
    pub fn pending(&self, side: usize) -> usize {
        self.lock()[side].bytes.len()
    }

    /// Sets how many bytes from `side` may be in flight at once.
    pub fn set_room(&self, side: usize, room: usize) {
        let mut directions = self.lock();
        directions[side].room = room;
        wake(&mut directions[side].writer);
    }

    /// Returns the length of each write by `side`.
    pub fn writes(&self, side: usize) -> Vec<usize> {
        self.lock()[side].writes.clone()
    }

    /// Returns how often `side` flushed, or tried to.
    pub fn flushes(&self, side: usize) -> usize {
        self.lock()[side].flushes
    }

    /// Returns how often bytes written by `side` were read.
    pub fn reads_from(&self, side: usize) -> usize {
        self.lock()[side].reads
    }

    /// Wakes the tasks that can make progress, if their wakers are still known.
    pub(crate) fn wake_ready(&self) {
        for direction in self.lock().iter_mut() {
            if !direction.bytes.is_empty() || direction.ended {
                wake(&mut direction.reader);
            }
            if direction.bytes.len() < direction.room {
                wake(&mut direction.writer);
            }
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl End {
    /// Returns `true` if this call must be pending.
    fn pauses(&mut self, kind: usize) -> bool {
        let pauses = self.left[kind] == 0;
        if pauses {
            self.left[kind] = self.manner.steps;
        }
        pauses
    }

    fn write(&mut self, from: &[IoSlice<'_>], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(kind) = self.manner.write_error {
            return Poll::Ready(Err(kind.into()));
        }
        let pauses = self.pauses(1);
        let is_same = from[0].starts_with(&self.offered)
            || self.manner.vectored != Vectored::No && self.offered.starts_with(&from[0]);
        assert!(is_same, "not the write that was pending");
        let mut directions = self.wire.lock();
        let direction = &mut directions[self.side];
        let room = direction.room - direction.bytes.len().min(direction.room);
        if pauses || room == 0 {
            direction.writer = Some(cx.waker().clone());
            self.offered = from[0].to_vec();
            return Poll::Pending;
        }
        self.offered.clear();
        let mut count = 0;
        let most = self.manner.most.min(room);
        for slice in from {
            let taken = slice.len().min(most - count);
            direction.bytes.extend(&slice[..taken]);
            count += taken;
        }
        direction.writes.push(count);
        wake(&mut direction.reader);
        self.left[1] -= 1;
        Poll::Ready(Ok(count))
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(kind) = self.manner.read_error {
            return Poll::Ready(Err(kind.into()));
        }
        let pauses = self.pauses(0);
        let this = &mut *self;
        let mut directions = this.wire.lock();
        let direction = &mut directions[1 - this.side];
        if pauses || (direction.bytes.is_empty() && !direction.ended) {
            direction.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = direction.bytes.len().min(into.remaining()).min(this.manner.most);
        direction.bytes.drain(..count).for_each(|byte| into.put_slice(&[byte]));
        direction.reads += 1;
        wake(&mut direction.writer);
        this.left[0] -= 1;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(&[IoSlice::new(from)], cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        assert!(from.len() <= 1024, "more slices than the system takes");
        let all = self.manner.vectored == Vectored::All;
        self.write(if all { from } else { &from[..1] }, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.manner.vectored != Vectored::No
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(kind) = self.manner.flush_error {
            self.wire.lock()[self.side].flushes += 1;
            return Poll::Ready(Err(kind.into()));
        }
        let pauses = self.pauses(2);
        let this = &mut *self;
        let direction = &mut this.wire.lock()[this.side];
        if pauses {
            direction.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        direction.flushes += 1;
        this.left[2] -= 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (wire, side) = (self.wire.clone(), self.side);
        let flushed = self.poll_flush(cx);
        if flushed.is_ready() {
            wire.finish(side);
        }
        flushed
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.wire.finish(self.side);
    }
}

/// Returns a WebSocket over an end, after an opening handshake that agreed on no extension.
pub fn websocket<R: Role>(end: End, role: R, config: Config) -> WebSocket<End, R> {
    WebSocket::new(end, role, Negotiated::new(), ReadBuffer::new(), config)
}
