//! A wire in memory, for the tokio shell: its ends do as little at a time as they are told to, and
//! it says what was done to it. [`crate::polling`] runs those who use it.

use sansocket::{Config, Negotiated, ReadBuffer, Role, tokio::WebSocket};
use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How an end of a wire behaves.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Bytes that a read or write moves at most.
    pub most: usize,
    /// Reads, writes and flushes that go through between two that are not ready.
    pub steps: usize,
    /// What it makes of several slices in one write.
    pub vectored: Vectored,
    /// What each write fails with.
    pub write_error: Option<ErrorKind>,
    /// What each flush fails with.
    pub flush_error: Option<ErrorKind>,
    /// What each read fails with.
    pub read_error: Option<ErrorKind>,
}

/// What an end makes of several slices in one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectored {
    /// As a transport that does not know of it: the first slice is taken, and it says so. What it was offered when
    /// it was not ready it has to be offered again, as a TLS library may ask for; any other that begins in the
    /// same way.
    No,
    /// It says that it can, and takes the first slice all the same.
    FirstOnly,
    /// It takes them all.
    All,
}

/// All at once.
pub const EAGER: Manner = Manner {
    most: usize::MAX,
    steps: usize::MAX,
    vectored: Vectored::All,
    write_error: None,
    flush_error: None,
    read_error: None,
};

/// Not ready before every byte.
pub const DRIP: Manner = Manner { most: 1, steps: 1, ..EAGER };

/// One of the two directions.
#[derive(Debug)]
struct Direction {
    bytes: VecDeque<u8>,
    /// Bytes that may be under way.
    room: usize,
    ended: bool,
    /// The last that waits on either side, as transports keep it.
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
    /// Which direction this end writes to.
    side: usize,
    manner: Manner,
    /// Steps before the next that is not ready: of reads, of writes, of flushes.
    left: [usize; 3],
    /// What it was offered when it was not ready.
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
    /// A wire that takes any number of bytes.
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

    /// One of its ends. When it is dropped, nothing more comes from that side.
    pub fn end(&self, side: usize, manner: Manner) -> End {
        let left = [0; 3].map(|_| Self::fresh(manner));
        End { wire: self.clone(), side, manner, left, offered: Vec::new() }
    }

    /// The first step of all is not ready either.
    fn fresh(manner: Manner) -> usize {
        if manner.steps == usize::MAX { usize::MAX } else { 0 }
    }

    fn lock(&self) -> MutexGuard<'_, [Direction; 2]> {
        self.0.lock().unwrap()
    }

    /// Puts bytes on their way from `side`.
    pub fn put(&self, side: usize, bytes: &[u8]) {
        let mut directions = self.lock();
        directions[side].bytes.extend(bytes);
        wake(&mut directions[side].reader);
    }

    /// Takes all that is on its way from `side`.
    pub fn take(&self, side: usize) -> Vec<u8> {
        let mut directions = self.lock();
        wake(&mut directions[side].writer);
        directions[side].bytes.drain(..).collect()
    }

    /// Says that nothing more comes from `side`.
    pub fn finish(&self, side: usize) {
        let mut directions = self.lock();
        directions[side].ended = true;
        wake(&mut directions[side].reader);
    }

    /// Bytes that are on their way from `side`.
    pub fn pending(&self, side: usize) -> usize {
        self.lock()[side].bytes.len()
    }

    /// Sets how many bytes from `side` may be under way at once.
    pub fn set_room(&self, side: usize, room: usize) {
        let mut directions = self.lock();
        directions[side].room = room;
        wake(&mut directions[side].writer);
    }

    /// The length of each write that `side` made.
    pub fn writes(&self, side: usize) -> Vec<usize> {
        self.lock()[side].writes.clone()
    }

    /// How often `side` flushed, or tried to.
    pub fn flushes(&self, side: usize) -> usize {
        self.lock()[side].flushes
    }

    /// How often something was read of what `side` wrote.
    pub fn reads_from(&self, side: usize) -> usize {
        self.lock()[side].reads
    }

    /// Wakes those who can go on, if they are still known.
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
    /// Whether it is this call's turn to be not ready.
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
        assert!(is_same, "another write than the one that was not ready");
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
        assert!(from.len() <= 1024, "more than the system takes");
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

/// A WebSocket over an end, after an opening handshake that agreed on nothing.
pub fn websocket<R: Role>(end: End, role: R, config: Config) -> WebSocket<End, R> {
    WebSocket::new(end, role, Negotiated::new(), ReadBuffer::new(), config)
}
