//! The shared state of a server (the house) and of each connection that it runs (a guest).

use super::Tokio;
use crate::asynchronous::{Host, see_off};
use crate::server::Admission;
use ::tokio::{net::TcpStream, runtime::Handle, task::JoinSet};
use alloc::{
    sync::{Arc, Weak},
    vec::Vec,
};
use core::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    task::{Context, Poll, Waker, ready},
};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state that all connections of a server share.
#[derive(Debug)]
pub(super) struct House {
    runtime: Handle,
    is_leaving: AtomicBool,
    desk: Mutex<Desk>,
    tasks: Mutex<Tasks>,
}

/// The connections that currently exist.
#[derive(Debug)]
struct Desk {
    admission: Admission,
    guests: HashMap<u64, Weak<Guest>>,
    last_guest: u64,
    /// The task that waits for a connection to end.
    waiting: Option<Waker>,
}

#[derive(Debug, Default)]
struct Tasks {
    running: JoinSet<()>,
    /// Whether the shutdown timeout has passed. No new task starts after that.
    is_over: bool,
}

/// One connection, from when it is accepted until its transport is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    house: Arc<House>,
    number: u64,
    /// The task to wake when the server shuts down.
    waiting: Mutex<Option<Waker>>,
}

/// A guard that exists while the opening handshake of a connection is in progress.
#[derive(Debug)]
pub(super) struct Handshaking(Arc<House>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl House {
    pub(super) fn new(admission: Admission, runtime: Handle) -> Arc<Self> {
        let (guests, last_guest, waiting) = (HashMap::new(), 0, None);
        Arc::new(Self {
            runtime,
            is_leaving: AtomicBool::new(false),
            desk: Mutex::new(Desk { admission, guests, last_guest, waiting }),
            tasks: Mutex::default(),
        })
    }

    /// Waits until there is room for another connection.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_desk(cx, Admission::has_room)
    }

    /// Waits until all connections have ended.
    pub(super) fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_desk(cx, Admission::is_empty)
    }

    fn poll_desk(&self, cx: &Context<'_>, condition: impl FnOnce(&Admission) -> bool) -> Poll<()> {
        let new = cx.waker().clone();
        let mut desk = lock(&self.desk);
        if condition(&desk.admission) {
            return Poll::Ready(());
        }
        let old = desk.waiting.replace(new);
        drop(desk);
        drop(old);
        Poll::Pending
    }

    /// Registers a new connection.
    pub(super) fn admit(self: &Arc<Self>) -> (Arc<Guest>, Handshaking) {
        let mut desk = lock(&self.desk);
        desk.admission.came();
        desk.last_guest += 1;
        let number = desk.last_guest;
        let guest = Arc::new(Guest { house: Arc::clone(self), number, waiting: Mutex::new(None) });
        desk.guests.insert(number, Arc::downgrade(&guest));
        (guest, Handshaking(Arc::clone(self)))
    }

    /// Tells all connections that the server is shutting down.
    pub(super) fn leave(&self) {
        self.is_leaving.store(true, Ordering::SeqCst);
        let guests: Vec<_> = lock(&self.desk).guests.values().filter_map(Weak::upgrade).collect();
        for guest in guests {
            let waiting = lock(&guest.waiting).take();
            if let Some(waker) = waiting {
                waker.wake();
            }
        }
    }

    /// Runs a task, or drops it if the shutdown timeout has passed.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        if tasks.is_over {
            drop(tasks);
            return drop(task);
        }
        tasks.running.spawn_on(task, &self.runtime);
    }

    /// Removes tasks that have ended, and waits until there are none.
    pub(super) fn poll_tasks(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut tasks = lock(&self.tasks);
        // A panic concerns only the connection of that task.
        while ready!(tasks.running.poll_join_next(cx)).is_some() {}
        Poll::Ready(())
    }

    /// Aborts all remaining tasks.
    pub(super) fn end(&self) {
        self.is_leaving.store(true, Ordering::SeqCst);
        let mut tasks = lock(&self.tasks);
        tasks.is_over = true;
        tasks.running.abort_all();
    }

    fn update(&self, update: impl FnOnce(&mut Desk)) {
        let mut desk = lock(&self.desk);
        update(&mut desk);
        let waiting = desk.waiting.take();
        drop(desk);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

impl Drop for Handshaking {
    fn drop(&mut self) {
        self.0.update(|desk| desk.admission.shook_hands());
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.house.update(|desk| {
            desk.guests.remove(&self.number);
            desk.admission.left();
        });
    }
}

impl Host<TcpStream> for Guest {
    fn is_leaving(&self) -> bool {
        self.house.is_leaving.load(Ordering::SeqCst)
    }

    fn is_leaving_or_wakes(&self, cx: &Context<'_>) -> bool {
        let mut waiting = lock(&self.waiting);
        let is_new = !waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        let old = if is_new { waiting.replace(cx.waker().clone()) } else { None };
        drop(waiting);
        // This waker may be the last owner of its task, and so of another connection of this
        // server.
        drop(old);
        // Checked after the waker is stored. So a shutdown at the same moment either finds the
        // waker or is noticed here.
        self.house.is_leaving.load(Ordering::SeqCst)
    }

    fn see_off(self: Arc<Self>, transport: TcpStream, unwritten: Vec<u8>) {
        let house = Arc::clone(&self.house);
        house.spawn(async move {
            see_off::<TcpStream, Tokio>(transport, unwritten).await;
            drop(self);
        });
    }
}
