//! What the hub has for one client, until the task of the client takes it.

use sansocket_realtime::guard::{Reaction, SlowConsumer, SlowConsumerConfig, TooSlow};
use sansocket_realtime::hub::Effect;
use std::{
    iter, mem, option,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
    vec,
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
    effects: Effects,
    /// The bytes of the effects.
    bytes: usize,
    /// What the task has taken and its client has not, in bytes.
    downstream: usize,
    consumer: SlowConsumer,
    /// The task, if it waits for effects.
    waker: Option<Waker>,
    end: Option<End>,
}

/// Some effects in their order. Mostly there is one, which takes no memory of its own: an idle connection holds
/// none, so it would be allocated for each message.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    first: Option<Effect>,
    others: Vec<Effect>,
}

impl Effects {
    fn push(&mut self, effect: Effect) {
        match self.first {
            None => self.first = Some(effect),
            Some(_) => self.others.push(effect),
        }
    }

    const fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl IntoIterator for Effects {
    type Item = Effect;
    type IntoIter = iter::Chain<option::IntoIter<Effect>, vec::IntoIter<Effect>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}

/// Why a connection has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The client does not take what it gets.
    TooSlow(TooSlow),
    /// The server shuts down. The connection ends at this time at the latest, each at another.
    ShuttingDown(Duration),
}

/// Whether a stream of bytes was given up because its client takes nothing. Whatever the stream carries
/// ends with it, and finds out here why.
#[derive(Clone, Debug, Default)]
pub(crate) struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Mailbox {
    pub(crate) fn new(config: SlowConsumerConfig) -> Arc<Self> {
        let consumer = SlowConsumer::new(config);
        let inner = Inner {
            effects: Effects::default(),
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

    /// Takes all effects, or waits.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Effects> {
        let mut inner = self.lock();
        if inner.effects.is_empty() {
            if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                inner.waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        // Until the task says what became of them, they are still on their way.
        inner.downstream += mem::take(&mut inner.bytes);
        Poll::Ready(mem::take(&mut inner.effects))
    }

    /// Says how many bytes the task has and its client has not taken. Returns what to tell the hub.
    pub(crate) fn set_downstream(&self, bytes: usize, now: Duration) -> Option<Reaction> {
        let mut inner = self.lock();
        inner.downstream = bytes;
        inner.report(now)
    }

    /// Ends the connection if its client has taken nothing for too long, while something was there to take. The
    /// end of a connection that shuts down is that as well, for `stalled`. Returns when to look again.
    ///
    /// # Errors
    ///
    /// Returns an error if the client is too slow, by this or before.
    pub(crate) fn time_passed(
        &self,
        now: Duration,
        stalled: Duration,
    ) -> Result<Option<Duration>, TooSlow> {
        let mut inner = self.lock();
        let shut_down = match inner.end {
            Some(End::ShuttingDown(at)) => Some(at.saturating_add(stalled)),
            _ => None,
        };
        let deadline = inner.consumer.next_deadline().or(shut_down);
        if deadline.is_some_and(|deadline| deadline <= now) {
            let unsent = inner.consumer.unsent();
            inner.end = Some(End::TooSlow(TooSlow::Stalled { unsent, limit: stalled }));
            inner.wake();
        }
        match inner.end {
            Some(End::TooSlow(why)) => {
                inner.effects = Effects::default();
                Err(why)
            }
            _ => Ok(deadline),
        }
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
            // Also while the server shuts down, or else it would wait for the client.
            self.end = Some(End::TooSlow(why));
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

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_client_that_shuts_down_can_be_too_slow_as_well() {
        let config = SlowConsumerConfig::default().unsent(10).stalled(8 * SECOND);
        let is_too_slow = |mailbox: &Mailbox| matches!(mailbox.end(), Some(End::TooSlow(_)));
        for unsent in [0, 1] {
            let mailbox = Mailbox::new(config);
            mailbox.shut_down(3 * SECOND);
            assert_eq!(mailbox.set_downstream(unsent, 3 * SECOND), None);
            let deadline = 11 * SECOND;
            assert_eq!(mailbox.time_passed(10 * SECOND, config.stalled), Ok(Some(deadline)));
            assert!(!is_too_slow(&mailbox));
            assert!(mailbox.time_passed(deadline, config.stalled).is_err());
            assert!(is_too_slow(&mailbox));
        }
        let mailbox = Mailbox::new(config);
        mailbox.shut_down(3 * SECOND);
        let _ = mailbox.set_downstream(11, SECOND);
        let _ = mailbox.set_downstream(12, SECOND);
        assert!(is_too_slow(&mailbox));
        mailbox.shut_down(3 * SECOND);
        assert!(is_too_slow(&mailbox));
    }
}
