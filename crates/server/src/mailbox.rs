//! What the hub has for one client, until the task of the client takes it.

use sansocket_realtime::guard::{Reaction, SlowConsumer, SlowConsumerConfig, TooSlow};
use sansocket_realtime::hub::Effect;
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

/// What an effect without a message takes of a client's share.
const OVERHEAD: usize = 64;

/// The effects for one connection. The engine puts them in, and the connection's task takes them out.
///
/// It also counts what the client has not taken, here and behind it, so that the hub is told to pause the
/// connection before its task has run.
#[derive(Debug)]
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    effects: Vec<Effect>,
    /// The bytes of the effects.
    bytes: usize,
    /// What the task has taken and its client has not, in bytes.
    downstream: usize,
    consumer: SlowConsumer,
    /// The task, if it waits for effects.
    waker: Option<Waker>,
    end: Option<End>,
}

/// Why a connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client does not take what it gets.
    TooSlow(TooSlow),
    /// The server shuts down. The connection ends at this time at the latest, each at another.
    ShuttingDown(Duration),
}

impl Mailbox {
    pub(crate) fn new(config: SlowConsumerConfig) -> Arc<Self> {
        let consumer = SlowConsumer::new(config);
        let inner = Inner {
            effects: Vec::new(),
            bytes: 0,
            downstream: 0,
            consumer,
            waker: None,
            end: None,
        };
        Arc::new(Self { inner: Mutex::new(inner) })
    }

    /// Puts an effect in. Returns whether the hub is to pause the connection.
    #[must_use]
    pub(crate) fn push(&self, effect: Effect, now: Duration) -> bool {
        let mut inner = self.lock();
        inner.bytes += size(&effect);
        inner.effects.push(effect);
        let reaction = inner.report(now);
        inner.wake();
        reaction == Some(Reaction::Pause)
    }

    /// Takes all effects, or waits. `taken` is empty before.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>, taken: &mut Vec<Effect>) -> Poll<()> {
        let mut inner = self.lock();
        if inner.effects.is_empty() {
            if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                inner.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        // An idle connection holds no memory for effects, so the room goes along.
        mem::swap(&mut inner.effects, taken);
        inner.effects = Vec::new();
        // Until the task says what became of them, they are still on their way.
        inner.downstream += mem::take(&mut inner.bytes);
        Poll::Ready(())
    }

    /// Says how many bytes the task has and its client has not taken. Returns what to tell the hub.
    pub(crate) fn set_downstream(&self, bytes: usize, now: Duration) -> Option<Reaction> {
        let mut inner = self.lock();
        inner.downstream = bytes;
        inner.report(now)
    }

    /// Tells the time to the part that looks after slow clients. Returns when to do so again.
    pub(crate) fn time_passed(&self, now: Duration) -> Option<Duration> {
        let mut inner = self.lock();
        if let Some(Reaction::End(why)) = inner.consumer.time_passed(now) {
            inner.end.get_or_insert(End::TooSlow(why));
        }
        inner.consumer.next_deadline()
    }

    /// Returns whether the connection has to end, and why.
    pub(crate) fn end(&self) -> Option<End> {
        self.lock().end
    }

    /// Has the connection end at this time, because the server shuts down, unless it ends earlier.
    pub(crate) fn shut_down(&self, at: Duration) {
        let mut inner = self.lock();
        match inner.end.get_or_insert(End::ShuttingDown(at)) {
            End::ShuttingDown(before) => *before = at.min(*before),
            End::TooSlow(_) => {}
        }
        inner.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn report(&mut self, now: Duration) -> Option<Reaction> {
        let unsent = self.bytes + self.downstream;
        let before = self.consumer.unsent();
        let reaction = match unsent.checked_sub(before) {
            Some(more) => self.consumer.queued(more, now),
            None => self.consumer.taken(before - unsent, now),
        };
        if let Some(Reaction::End(why)) = reaction {
            self.end.get_or_insert(End::TooSlow(why));
        }
        reaction
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

fn size(effect: &Effect) -> usize {
    match effect {
        Effect::Deliver { message, .. } => message.message().size() + OVERHEAD,
        _ => OVERHEAD,
    }
}
