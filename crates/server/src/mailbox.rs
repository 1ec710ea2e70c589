//! What the hub has for one client, until the task of the client takes it.

use sansocket_realtime::guard::{Reaction, SlowConsumer, SlowConsumerConfig, TooSlow};
use sansocket_realtime::hub::{ConnectionId, Effect};
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

/// The mailboxes of all connections, by their numbers.
///
/// A number is a place in the table, with a count of how often the place was used before it. So no two
/// connections ever have the same, and none has to be searched for.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Place {
    uses: u32,
    is_used: bool,
    /// The engine passes on the effects of a poll in another way.
    mailbox: Option<Arc<Mailbox>>,
}

impl Mailboxes {
    /// Adds a connection, and returns its number.
    pub(crate) fn add(&mut self, mailbox: Option<Arc<Mailbox>>) -> ConnectionId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            // There is no room for more than 2³² of them.
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[index as usize];
        place.uses = place.uses.wrapping_add(1);
        place.is_used = true;
        place.mailbox = mailbox;
        ConnectionId(u64::from(place.uses) << 32 | u64::from(index))
    }

    pub(crate) fn get(&self, connection: ConnectionId) -> Option<&Arc<Mailbox>> {
        self.places.get(index(connection)).filter(|place| place.is_of(connection))?.mailbox.as_ref()
    }

    pub(crate) fn remove(&mut self, connection: ConnectionId) {
        let index = index(connection);
        if let Some(place) = self.places.get_mut(index).filter(|place| place.is_of(connection)) {
            place.is_used = false;
            place.mailbox = None;
            self.free.push(index as u32);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Mailbox>> {
        self.places.iter().filter_map(|place| place.mailbox.as_ref())
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

impl Place {
    const fn is_of(&self, connection: ConnectionId) -> bool {
        self.is_used && self.uses as u64 == connection.0 >> 32
    }
}

fn index(connection: ConnectionId) -> usize {
    (connection.0 & 0xffff_ffff) as usize
}
