//! What the two halves of a split connection share. There are two locks. One guards the sending
//! half of the connection, and no thread holds it while it waits for anything. The other guards the
//! transport to write to, and a thread holds it for the duration of a write.
//!
//! So the reading thread can always reach the connection, even while the other thread is blocked:
//! it reports what it has read, and asks what the connection wants. It writes by itself if the
//! other half is not writing. Otherwise the other half does so: either it has yet to check for more
//! to write, or it finds after its write that the reader has set `missed`.

use super::Transport;
use super::access::{Access, Sending};
use super::connections::linger;
use super::incoming::{ReceiverIo, go_away, leave, tell_end};
use super::outgoing::Outgoing;
use super::owning_server::OwningServer;
use super::timed::{BRIEF, PAUSE, Stopped, Timed};
use crate::buffer::WriteBuffer;
use crate::connection::Role;
use crate::ends_on_drop::End;
use crate::trace::Trace;
use crate::transport::Wants;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use core::{mem, time::Duration};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

type SharedSending<R> = Arc<Mutex<Sending<R>>>;

/// The sending side of a split connection.
pub(super) type Writer<S, R> = Outgoing<S, SharedSending<R>>;

#[derive(Debug)]
pub(super) struct Shared<S, R> {
    sending: SharedSending<R>,
    writer: Mutex<Writer<S, R>>,
    /// Whether the reader had something to write and could not lock the writer.
    missed: AtomicBool,
}

impl<S: Transport, R: Role> Shared<S, R> {
    /// Calls `act`, which may write, once the other half has finished its write.
    pub(super) fn with_writer<T>(&self, act: impl FnOnce(&mut Writer<S, R>) -> T) -> T {
        let outcome = act(&mut self.writer.lock().unwrap_or_else(PoisonError::into_inner));
        while self.missed.swap(false, Ordering::SeqCst) {
            // If the other half holds the lock now, it writes what there is.
            let Some(mut writer) = self.try_writer() else { break };
            // Either half writes the rest later.
            let _ = writer.write_briefly();
        }
        outcome
    }

    /// Locks the writer if the other half does not hold it. Otherwise leaves a note, so that the
    /// other half checks for more to write when it is done.
    fn writer_or_notice(&self) -> Option<MutexGuard<'_, Writer<S, R>>> {
        self.try_writer().or_else(|| {
            self.missed.store(true, Ordering::SeqCst);
            // The other half may have finished just before it could see the note.
            self.try_writer()
        })
    }

    fn try_writer(&self) -> Option<MutexGuard<'_, Writer<S, R>>> {
        match self.writer.try_lock() {
            Ok(writer) => Some(writer),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn sending(&self) -> MutexGuard<'_, Sending<R>> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a read lasts before the reader checks what the other half did.
const IDLE: Duration = Duration::from_millis(200);

/// The [`ReceiverIo`] of the reading thread, which reads from its own handle.
#[derive(Debug)]
pub(super) struct Reading<S, R> {
    transport: Timed<S>,
    sending: SharedSending<R>,
    pub(super) shared: Arc<Shared<S, R>>,
    /// When to retry a write that failed.
    retry_at: Duration,
    /// The server that runs the connection, if there is one.
    server: Option<Arc<dyn OwningServer>>,
    /// What is to be told of the connection.
    trace: Trace,
}

impl<S: Transport, R: Role> Reading<S, R> {
    /// Creates the reading side. `transport` is a second handle on the transport of `outgoing`.
    pub(super) fn new(transport: Timed<S>, mut outgoing: Outgoing<S, Sending<R>>) -> Self {
        let trace = mem::take(&mut outgoing.trace);
        let outgoing = outgoing.place(|sending| Arc::new(Mutex::new(sending)));
        let sending = Arc::clone(&outgoing.sending);
        let server = outgoing.server.as_ref().map(|server| Arc::clone(&server.0));
        let shared = Shared {
            sending: Arc::clone(&sending),
            writer: Mutex::new(outgoing),
            missed: AtomicBool::new(false),
        };
        let shared = Arc::new(shared);
        Self { transport, sending, shared, retry_at: Duration::ZERO, server, trace }
    }

    /// Returns the sending side. The other half must be gone.
    pub(super) fn into_outgoing(self) -> Outgoing<S, Sending<R>> {
        const ALONE: &str = "the other half is gone, and it had the only other handle";
        let Self { sending, shared, trace, .. } = self;
        let Shared { writer, sending: of_shared, .. } = Arc::into_inner(shared).expect(ALONE);
        drop((sending, of_shared));
        let outgoing = writer.into_inner().unwrap_or_else(PoisonError::into_inner);
        let outgoing = outgoing.place(|sending| {
            let sending = Arc::into_inner(sending).expect(ALONE);
            sending.into_inner().unwrap_or_else(PoisonError::into_inner)
        });
        let mut outgoing = outgoing.with_one_handle();
        outgoing.trace = trace;
        outgoing
    }

    /// Returns the handle to read from.
    pub(super) const fn transport(&self) -> &S {
        &self.transport.transport
    }

    /// Ends the connection and takes the bytes that have not been written. Returns `None` if there
    /// is nothing worth delivering, if no server runs the connection, or if the other half is in a
    /// write.
    fn end_for_server(&mut self) -> Option<WriteBuffer> {
        self.server.as_ref()?;
        let mut writer = self.shared.try_writer()?;
        go_away(&mut self.sending);
        let needs_lingering = self.sending.with(|sending| {
            let needs_lingering = sending.sender.needs_lingering(&sending.queue);
            if needs_lingering {
                sending.end();
            }
            needs_lingering
        });
        needs_lingering.then(|| writer.take_unwritten())
    }

    /// Ends the writing side, if the connection wants that, even while the other half is in a
    /// write. That write then fails.
    fn release_writer(&mut self) {
        let Self { transport, sending, .. } = self;
        let wants = sending.with(|sending| sending.next(|| transport.now()));
        if wants.is_some_and(|wants| wants.shut_down_write) {
            let outcome = transport.shut_down(Some(BRIEF)).map_err(|stopped| stopped.failure());
            sending.with(|sending| sending.sender.did_shut_down(outcome));
        }
    }
}

/// Dropping the receiving half ends the connection.
impl<S: Transport, R: Role> End for Reading<S, R> {
    /// Ends the connection because nobody receives any more. Tells the peer so, unless the other
    /// half is in a write.
    fn end(&mut self) {
        if let Some(unwritten) = self.end_for_server() {
            linger(&mut self.transport.transport, unwritten);
        } else {
            self.sending.with(|Sending { sender, queue, .. }| sender.abandon(queue));
            self.retry_at = Duration::ZERO;
            leave(self);
        }
        tell_end(self);
    }
}

impl<S: Transport, R: Role> ReceiverIo for Reading<S, R> {
    type Transport = S;
    type Sending = SharedSending<R>;

    fn parts(&mut self) -> (&mut SharedSending<R>, &mut Timed<S>) {
        (&mut self.sending, &mut self.transport)
    }

    fn trace(&mut self) -> &mut Trace {
        &mut self.trace
    }

    /// Never waits: two readers that answer each other's pings while all buffers are full would
    /// block each other without limit.
    fn write(&mut self, wants: &Wants, _waits: bool) -> Result<(), Stopped> {
        if !wants.shut_down_write && wants.write && self.retry_at > self.transport.now() {
            return Err(Stopped::Over);
        }
        self.retry_at = Duration::ZERO;
        if !wants.write && !wants.shut_down_write {
            return Ok(());
        }
        let written = if let Some(mut writer) = self.shared.writer_or_notice() {
            writer.write_briefly()
        } else if self.sending.with(|sending| sending.sender.is_near_end()) {
            // The end can't wait until the other half has finished its write.
            self.release_writer();
            Err(Stopped::Over)
        } else {
            // The other half writes the replies too.
            return Err(Stopped::Over);
        };
        if written.is_err() {
            self.retry_at = self.transport.now().saturating_add(PAUSE);
        }
        written
    }

    fn max_read_time(&self) -> Option<Duration> {
        Some(if self.retry_at > self.transport.now() { PAUSE } else { IDLE })
    }

    fn is_shutting_down(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.is_shutting_down())
    }
}
