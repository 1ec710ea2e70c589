//! What the two halves of a split connection share: the sending half of the connection, behind a lock
//! that nobody holds while waiting for anything; and the transport to write to, behind a lock that is
//! held for as long as a write takes.
//!
//! So the reading thread always comes to the connection, whatever the other is stuck in: it tells it
//! what it has read, and asks what is wanted. What is to be written it writes itself if the other half
//! is not at it. If it is, that half sees to it: either it has not looked for more to write yet, or it
//! finds when it is done that the reader has missed it.

use super::Transport;
use super::access::{Access, Sending};
use super::incoming::{Line, leave};
use super::outgoing::Outgoing;
use super::timed::{BRIEF, PAUSE, Stopped, Timed};
use crate::connection::Role;
use crate::transport::Wants;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

type SharedSending<R> = Arc<Mutex<Sending<R>>>;

/// The sending side of a split connection.
pub(super) type Writer<S, R> = Outgoing<S, SharedSending<R>>;

#[derive(Debug)]
pub(super) struct Shared<S, R> {
    sending: SharedSending<R>,
    writer: Mutex<Writer<S, R>>,
    /// Whether the reader had something to write and did not get at the writer.
    missed: AtomicBool,
}

impl<S: Transport, R: Role> Shared<S, R> {
    /// Does something that may write, once the other half is not at it.
    pub(super) fn with_writer<T>(&self, act: impl FnOnce(&mut Writer<S, R>) -> T) -> T {
        let outcome = act(&mut self.writer.lock().unwrap_or_else(PoisonError::into_inner));
        while self.missed.swap(false, Ordering::SeqCst) {
            // Who has it now writes what there is.
            let Some(mut writer) = self.try_writer() else { break };
            // What is left is written later, by either half.
            let _ = writer.write_briefly();
        }
        outcome
    }

    /// The writer, if the other half is not at it; else that half looks again once it is done.
    fn writer_or_notice(&self) -> Option<MutexGuard<'_, Writer<S, R>>> {
        self.try_writer().or_else(|| {
            self.missed.store(true, Ordering::SeqCst);
            // It may have been done just before that.
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

/// How long a read lasts before the reader looks at what the other half did.
const IDLE: Duration = Duration::from_millis(200);

/// The line of the reading thread: it reads from a handle of its own.
#[derive(Debug)]
pub(super) struct Reading<S, R> {
    transport: Timed<S>,
    sending: SharedSending<R>,
    pub(super) shared: Arc<Shared<S, R>>,
    /// When to write again what could not be written.
    retry_at: Duration,
}

impl<S: Transport, R: Role> Reading<S, R> {
    /// `transport` is the second handle on that of `outgoing`.
    pub(super) fn new(transport: Timed<S>, outgoing: Outgoing<S, Sending<R>>) -> Self {
        let outgoing = outgoing.place(|sending| Arc::new(Mutex::new(sending)));
        let sending = Arc::clone(&outgoing.sending);
        let shared = Shared {
            sending: Arc::clone(&sending),
            writer: Mutex::new(outgoing),
            missed: AtomicBool::new(false),
        };
        let shared = Arc::new(shared);
        Self { transport, sending, shared, retry_at: Duration::ZERO }
    }

    /// Ends the connection because nobody receives any more. The peer is told so if the other half is
    /// still there to have wanted more, and is not in a write.
    pub(super) fn abandon(&mut self) {
        let has_other_half = Arc::strong_count(&self.shared) > 1;
        self.sending.with(|Sending { sender, queue, .. }| sender.abandon(has_other_half, queue));
        self.retry_at = Duration::ZERO;
        leave(self);
    }

    /// Ends the writing side if that is wanted although the other half is in a write, which fails by it.
    fn release_writer(&mut self) {
        let Self { transport, sending, .. } = self;
        let wants = sending.with(|sending| sending.next(|| transport.now()));
        if wants.is_some_and(|wants| wants.shut_down_write) {
            let outcome = transport.shut_down(Some(BRIEF)).map_err(|stopped| stopped.failure());
            sending.with(|sending| sending.sender.did_shut_down(outcome));
        }
    }
}

impl<S: Transport, R: Role> Line for Reading<S, R> {
    type Transport = S;
    type Sending = SharedSending<R>;

    fn parts(&mut self) -> (&mut SharedSending<R>, &mut Timed<S>) {
        (&mut self.sending, &mut self.transport)
    }

    /// It never waits: two readers that answer each other's pings under full buffers would stop for
    /// ever.
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
            // When that half is done, matters now.
            self.release_writer();
            Err(Stopped::Over)
        } else {
            // That half writes the replies too.
            return Err(Stopped::Over);
        };
        if written.is_err() {
            self.retry_at = self.transport.now().saturating_add(PAUSE);
        }
        written
    }

    fn patience(&self) -> Option<Duration> {
        Some(if self.retry_at > self.transport.now() { PAUSE } else { IDLE })
    }
}
