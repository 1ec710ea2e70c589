//! The connections that a server runs: how many there are, and the shutdown of all of them.

use super::Tokio;
use super::sockets::Stream;
use crate::asynchronous::{OwningServer, linger};
use crate::buffer::WriteBuffer;
use crate::connection::TrafficLimit;
use crate::server::Admission;
use crate::serving::LimitedClient;
use ::tokio::{runtime::Handle, task::JoinSet};
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

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Connections {
    runtime: Handle,
    is_shutting_down: AtomicBool,
    registry: Mutex<Registry>,
    tasks: Mutex<Tasks>,
}

/// The connections that currently exist.
#[derive(Debug)]
struct Registry {
    admission: Admission,
    served: HashMap<u64, Weak<ServedConnection>>,
    last_served: u64,
    /// The task that waits for a connection to end.
    waiting: Option<Waker>,
}

#[derive(Debug, Default)]
struct Tasks {
    running: JoinSet<()>,
    /// Whether the shutdown timeout has passed. No new task starts after that.
    is_over: bool,
}

/// One connection, from when it is accepted until its handler has returned and its WebSocket, or
/// both halves, are dropped.
#[derive(Debug)]
pub(super) struct ServedConnection {
    connections: Arc<Connections>,
    number: u64,
    /// The task to wake when the server shuts down.
    waiting: Mutex<Option<Waker>>,
}

/// A connection that also counts towards the limits of its address.
#[derive(Debug)]
struct LimitedConnection {
    served: Arc<ServedConnection>,
    client: Arc<LimitedClient>,
}

/// A guard that exists while the opening handshake of a connection is in progress.
#[derive(Debug)]
pub(super) struct HandshakeSlot(Arc<Connections>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connections {
    pub(super) fn new(admission: Admission, runtime: Handle) -> Arc<Self> {
        let (served, last_served, waiting) = (HashMap::new(), 0, None);
        Arc::new(Self {
            runtime,
            is_shutting_down: AtomicBool::new(false),
            registry: Mutex::new(Registry { admission, served, last_served, waiting }),
            tasks: Mutex::default(),
        })
    }

    /// Waits until there is room for another connection.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_registry(cx, Admission::has_room)
    }

    /// Waits until all connections have ended.
    pub(super) fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll_registry(cx, Admission::is_empty)
    }

    fn poll_registry(
        &self,
        cx: &Context<'_>,
        condition: impl FnOnce(&Admission) -> bool,
    ) -> Poll<()> {
        let new = cx.waker().clone();
        let mut registry = lock(&self.registry);
        if condition(&registry.admission) {
            return Poll::Ready(());
        }
        let old = registry.waiting.replace(new);
        drop(registry);
        drop(old);
        Poll::Pending
    }

    /// Registers a new connection.
    pub(super) fn admit(self: &Arc<Self>) -> (Arc<ServedConnection>, HandshakeSlot) {
        let mut registry = lock(&self.registry);
        registry.admission.accepted();
        registry.last_served += 1;
        let number = registry.last_served;
        let served = Arc::new(ServedConnection {
            connections: Arc::clone(self),
            number,
            waiting: Mutex::new(None),
        });
        registry.served.insert(number, Arc::downgrade(&served));
        (served, HandshakeSlot(Arc::clone(self)))
    }

    /// Tells all connections that the server is shutting down.
    pub(super) fn begin_shutdown(&self) {
        self.is_shutting_down.store(true, Ordering::SeqCst);
        let served: Vec<_> =
            lock(&self.registry).served.values().filter_map(Weak::upgrade).collect();
        for served in served {
            let waiting = lock(&served.waiting).take();
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

    /// Ends the transport of a dropped connection, which counts until that is done.
    fn linger(&self, transport: Stream, unwritten: WriteBuffer, server: impl Send + 'static) {
        self.spawn(async move {
            linger::<Stream, Tokio>(transport, unwritten).await;
            drop(server);
        });
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
        self.is_shutting_down.store(true, Ordering::SeqCst);
        let mut tasks = lock(&self.tasks);
        tasks.is_over = true;
        tasks.running.abort_all();
    }

    fn update(&self, update: impl FnOnce(&mut Registry)) {
        let mut registry = lock(&self.registry);
        update(&mut registry);
        let waiting = registry.waiting.take();
        drop(registry);
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        self.0.update(|registry| registry.admission.handshake_ended());
    }
}

impl Drop for ServedConnection {
    fn drop(&mut self) {
        self.connections.update(|registry| {
            registry.served.remove(&self.number);
            registry.admission.ended();
        });
    }
}

impl ServedConnection {
    /// Returns the connection as the server that owns it, with the limits of its address, if it has
    /// any.
    pub(super) fn owned(
        self: Arc<Self>,
        client: Option<Arc<LimitedClient>>,
    ) -> Arc<dyn OwningServer<Stream>> {
        match client {
            Some(client) => Arc::new(LimitedConnection { served: self, client }),
            None => self,
        }
    }
}

impl OwningServer<Stream> for LimitedConnection {
    fn is_shutting_down(&self) -> bool {
        self.served.is_shutting_down()
    }

    fn is_shutting_down_or_wakes(&self, cx: &Context<'_>) -> bool {
        self.served.is_shutting_down_or_wakes(cx)
    }

    fn traffic_limit(&self) -> Option<Arc<dyn TrafficLimit>> {
        LimitedClient::traffic_limit(&self.client)
    }

    fn linger(self: Arc<Self>, transport: Stream, unwritten: WriteBuffer) {
        let connections = Arc::clone(&self.served.connections);
        connections.linger(transport, unwritten, self);
    }
}

impl OwningServer<Stream> for ServedConnection {
    fn is_shutting_down(&self) -> bool {
        self.connections.is_shutting_down.load(Ordering::SeqCst)
    }

    fn is_shutting_down_or_wakes(&self, cx: &Context<'_>) -> bool {
        let mut waiting = lock(&self.waiting);
        let is_new = !waiting.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        let old = if is_new { waiting.replace(cx.waker().clone()) } else { None };
        drop(waiting);
        // Drop the old waker after unlocking: this can drop its task, whose destructor may take
        // this lock.
        drop(old);
        // Checked after the waker is stored. So a shutdown at the same moment either finds the
        // waker or is noticed here.
        self.connections.is_shutting_down.load(Ordering::SeqCst)
    }

    fn linger(self: Arc<Self>, transport: Stream, unwritten: WriteBuffer) {
        let connections = Arc::clone(&self.connections);
        connections.linger(transport, unwritten, self);
    }
}
