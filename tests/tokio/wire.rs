//! The two ends of a wire in memory, which do as little at a time as they are told to, and what runs
//! their users by hand, in one thread.

use sansocket::{
    Client, Config, Connection, Event, MaskKey, MaskKeys, Message, Negotiated, Progress,
    ReadBuffer, Role, Server, WriteBuffer, tokio::WebSocket,
};
use std::{
    collections::VecDeque,
    future::Future,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::{Builder, Runtime},
};

/// How an end of a wire behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Bytes that a read or write moves at most.
    pub(crate) most: usize,
    /// Reads, writes and flushes that go through between two that are not ready.
    pub(crate) steps: usize,
    pub(crate) vectored: Vectored,
    pub(crate) write_error: Option<ErrorKind>,
    pub(crate) flush_error: Option<ErrorKind>,
    pub(crate) read_error: Option<ErrorKind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vectored {
    /// As a transport that does not know of it: the first slice is taken, and it says so.
    No,
    /// It says that it can, and takes the first slice all the same.
    FirstOnly,
    All,
}

/// All at once.
pub(crate) const EAGER: Manner = Manner {
    most: usize::MAX,
    steps: usize::MAX,
    vectored: Vectored::All,
    write_error: None,
    flush_error: None,
    read_error: None,
};

/// Not ready before every byte.
pub(crate) const DRIP: Manner = Manner { most: 1, steps: 1, ..EAGER };

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

#[derive(Clone, Debug)]
pub(crate) struct Wire(Arc<Mutex<[Direction; 2]>>);

/// One end of a wire.
#[derive(Debug)]
pub(crate) struct End {
    wire: Wire,
    /// Which direction this end writes to.
    side: usize,
    manner: Manner,
    /// Steps before the next that is not ready: of reads, of writes, of flushes.
    left: [usize; 3],
}

pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

impl Wire {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn end(&self, side: usize, manner: Manner) -> End {
        End { wire: self.clone(), side, manner, left: [0; 3].map(|_| Self::fresh(manner)) }
    }

    /// The first step of all is not ready either.
    fn fresh(manner: Manner) -> usize {
        if manner.steps == usize::MAX { usize::MAX } else { 0 }
    }

    fn lock(&self) -> MutexGuard<'_, [Direction; 2]> {
        self.0.lock().unwrap()
    }

    /// Puts bytes on their way from `side`.
    pub(crate) fn put(&self, side: usize, bytes: &[u8]) {
        let mut directions = self.lock();
        directions[side].bytes.extend(bytes);
        wake(&mut directions[side].reader);
    }

    /// Takes all that is on its way from `side`.
    pub(crate) fn take(&self, side: usize) -> Vec<u8> {
        let mut directions = self.lock();
        wake(&mut directions[side].writer);
        directions[side].bytes.drain(..).collect()
    }

    /// Says that nothing more comes from `side`.
    pub(crate) fn finish(&self, side: usize) {
        let mut directions = self.lock();
        directions[side].ended = true;
        wake(&mut directions[side].reader);
    }

    /// Bytes that are on their way from `side`.
    pub(crate) fn pending(&self, side: usize) -> usize {
        self.lock()[side].bytes.len()
    }

    pub(crate) fn set_room(&self, side: usize, room: usize) {
        let mut directions = self.lock();
        directions[side].room = room;
        wake(&mut directions[side].writer);
    }

    /// The length of each write that `side` made.
    pub(crate) fn writes(&self, side: usize) -> Vec<usize> {
        self.lock()[side].writes.clone()
    }

    /// How often `side` flushed, or tried to.
    pub(crate) fn flushes(&self, side: usize) -> usize {
        self.lock()[side].flushes
    }

    /// How often something was read of what `side` wrote.
    pub(crate) fn reads_from(&self, side: usize) -> usize {
        self.lock()[side].reads
    }

    /// Wakes those who can go on, if they are still known.
    fn wake_ready(&self) {
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
        let mut directions = self.wire.lock();
        let direction = &mut directions[self.side];
        let room = direction.room - direction.bytes.len().min(direction.room);
        if pauses || room == 0 {
            direction.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
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

pub(crate) fn websocket<R: Role>(end: End, role: R, config: Config) -> WebSocket<End, R> {
    WebSocket::new(end, role, Negotiated::new(), ReadBuffer::new(), config)
}

pub(crate) fn client_role() -> Client<impl MaskKeys + Send + Unpin> {
    Client::new(|| MaskKey::new([1, 2, 3, 4]))
}

/// Gives a future anew for each poll, and drops it when it is not ready; counts that in `$drops`.
macro_rules! dropping {
    ($drops:expr, $future:expr) => {
        std::future::poll_fn(|cx| {
            let poll = std::future::Future::poll(std::pin::pin!($future), cx);
            $drops += usize::from(poll.is_pending());
            poll
        })
        .await
    };
}
pub(crate) use dropping;

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs the users of a wire, each only when it was woken, until all are done.
pub(crate) fn run(wire: &Wire, users: &mut [Pin<&mut dyn Future<Output = ()>>]) {
    assert!(advance(wire, users), "all wait, and nothing wakes them");
}

/// As [`run`], until they are done or wait for something that does not come; whether they are done.
pub(crate) fn advance(wire: &Wire, users: &mut [Pin<&mut dyn Future<Output = ()>>]) -> bool {
    let _entered = stopped_clock().enter();
    let flags: Vec<_> = users.iter().map(|_| Arc::new(Flag(AtomicBool::new(true)))).collect();
    let mut done = vec![false; users.len()];
    loop {
        let mut idle = true;
        for (index, user) in users.iter_mut().enumerate() {
            if done[index] || !flags[index].0.swap(false, Ordering::Relaxed) {
                continue;
            }
            idle = false;
            let waker = Waker::from(Arc::clone(&flags[index]));
            done[index] = user.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        }
        if done.iter().all(|&done| done) {
            return true;
        }
        if idle {
            wire.wake_ready();
            if !flags.iter().zip(&done).any(|(flag, done)| !done && flag.0.load(Ordering::Relaxed))
            {
                return false;
            }
        }
    }
}

/// A runtime that never runs: deadlines can be set by its clock, and none passes.
fn stopped_clock() -> &'static Runtime {
    static CLOCK: OnceLock<Runtime> = OnceLock::new();
    CLOCK.get_or_init(|| Builder::new_current_thread().enable_time().build().unwrap())
}

/// Polls a future once.
pub(crate) fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    let _entered = stopped_clock().enter();
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// What was on a wire, made out by the other end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) messages: Vec<Message>,
    pub(crate) pings: Vec<Vec<u8>>,
    pub(crate) pongs: Vec<Vec<u8>>,
    pub(crate) closes: usize,
}

/// What bytes mean to an end of `role`; they end where a frame ends.
pub(crate) fn decode<R: Role>(role: R, bytes: &[u8]) -> Seen {
    let mut connection = Connection::new(role, &Negotiated::new(), Config::default());
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    input.extend_from_slice(bytes);
    let mut seen = Seen::default();
    while connection.advance(&mut input, &mut output).unwrap() == Progress::Event {
        match connection.event(&input).unwrap() {
            Event::Ping(payload) => seen.pings.push(payload.to_vec()),
            Event::Pong(payload) => seen.pongs.push(payload.to_vec()),
            Event::Close(_) => seen.closes += 1,
            event => seen.messages.extend(event.to_message()),
        }
        output = WriteBuffer::new();
    }
    assert!(input.is_drained(), "a frame was cut: {:?}", input.unread().len());
    seen
}

pub(crate) fn decode_as_peer_of<R: Role>(bytes: &[u8]) -> Seen {
    if R::MASKS { decode(Server::new(), bytes) } else { decode(client_role(), bytes) }
}

/// The frames that a connection of `role` makes.
pub(crate) fn encode<R: Role>(
    role: R,
    send: impl FnOnce(&mut Connection<R>, &mut WriteBuffer),
) -> Vec<u8> {
    let mut connection = Connection::new(role, &Negotiated::new(), Config::default());
    let mut output = WriteBuffer::new();
    send(&mut connection, &mut output);
    let mut bytes = Vec::new();
    while !output.is_empty() {
        bytes.extend_from_slice(output.front());
        output.consume(output.front().len());
    }
    bytes
}
